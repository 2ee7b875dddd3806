//! Replies that are too large for the ring: the memory in which they lie, until the parent has read
//! them.

use super::*;

impl Worker {
    /// The location of a large reply, and its memory if the parent does not have it yet.
    pub(super) fn place(&mut self, finished: Finished) -> io::Result<(Large, Option<Handle>)> {
        let (segment, length) = match finished {
            Finished::Segment(segment, length) if segment.is_for(&self.reader) => (segment, length),
            // Memory that a worker of this process has seen must not go to others.
            Finished::Segment(segment, length) => {
                let bytes = Bytes::in_segment(segment, length);
                return self.place_copy(bytes.as_slice());
            }
            Finished::Heap(bytes) => return self.place_copy(&bytes),
            Finished::Given(_) => unreachable!("it is not large"),
        };
        let number = segment.number();
        let memory = (!segment.is_known()).then(|| segment.memory.handle().try_clone());
        let memory = memory.transpose()?;
        segment.set_known(true);
        let outgoing = self.ours[number].get_or_insert(Outgoing { segment: None, sent: 0 });
        outgoing.sent = outgoing.sent.wrapping_add(1);
        outgoing.segment = Some(segment);
        self.lent += 1;
        let sent = memory.is_some().into();
        Ok((Large { length: length as u64, segment: number as u32, sent }, memory))
    }

    fn place_copy(&mut self, bytes: &[u8]) -> io::Result<(Large, Option<Handle>)> {
        let large = Large { length: bytes.len() as u64, segment: SEGMENTS as u32, sent: 1 };
        Ok((large, Some(platform::freeze(bytes)?)))
    }

    /// Reclaims the segments that the parent has finished reading.
    pub(super) fn reclaim(&mut self) {
        if self.lent == 0 {
            return;
        }
        for (number, outgoing) in self.ours.iter_mut().enumerate() {
            if let Some(outgoing) = outgoing
                && outgoing.segment.is_some()
                && self.channel.released(number) == outgoing.sent
                && let Some(segment) = outgoing.segment.take()
            {
                segment.give_back();
                self.lent -= 1;
            }
        }
    }
}
