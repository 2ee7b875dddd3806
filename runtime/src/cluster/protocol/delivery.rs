//! Delivers frames to the other end of a lease, once each and in order, over packets that may be
//! lost, delayed or duplicated.
//!
//! Packets are numbered, and each acknowledges the last packet from the other end and the number of
//! received frames. So if the other end has received a later packet but not a frame sent before it,
//! that frame was lost, and is sent again with all that follow it. No timer decides this; it is
//! enough to poll from time to time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::messages::Weight;

/// The header of each packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The number of this packet.
    packet: u64,
    /// The number of its first frame, or of the next one if it is empty.
    first: u64,
    /// How many frames have come from the other end.
    received: u64,
    /// The last packet that came from there.
    heard: u64,
}

pub(crate) struct Delivery<F> {
    /// Unacknowledged frames, each with the last packet that carried it.
    unconfirmed: VecDeque<(F, u64)>,
    /// The number of the first of them.
    first: u64,
    /// The number of the frame to be sent next.
    next: u64,
    packets: u64,
    received: u64,
    /// How many were received when the other end was last told.
    told: u64,
    heard: u64,
    /// A gap was seen at this frame; it is reported only once.
    gap: Option<u64>,
}

/// The result of receiving a packet.
pub(crate) struct Received<I> {
    pub(crate) frames: Vec<I>,
    /// It is the latest, so its header is current.
    pub(crate) is_news: bool,
    /// Frames before it are missing, which the other end should learn at once.
    pub(crate) has_gap: bool,
}

impl<F: Clone + Weight> Delivery<F> {
    pub(crate) fn new() -> Self {
        Self {
            unconfirmed: VecDeque::new(),
            first: 0,
            next: 0,
            packets: 0,
            received: 0,
            told: 0,
            heard: 0,
            gap: None,
        }
    }

    pub(crate) fn push(&mut self, frame: F) {
        self.unconfirmed.push_back((frame, 0));
    }

    /// Whether there are frames to send, for the first time or again.
    pub(crate) fn has_more(&self) -> bool {
        self.next < self.first + self.unconfirmed.len() as u64
    }

    /// Whether all frames are known to have arrived.
    pub(crate) fn is_done(&self) -> bool {
        self.unconfirmed.is_empty()
    }

    /// How many received frames have not been acknowledged yet.
    pub(crate) fn untold(&self) -> u64 {
        self.received - self.told
    }

    /// The next packet, with frames of up to that total weight, or a single frame.
    pub(crate) fn packet(&mut self, most: usize) -> (Header, Vec<F>) {
        self.packets += 1;
        self.told = self.received;
        let first = self.next;
        let (mut frames, mut weight) = (Vec::new(), 0);
        while self.has_more() {
            let index = (self.next - self.first) as usize;
            let (frame, packet) = &mut self.unconfirmed[index];
            weight += frame.weight();
            if weight > most && !frames.is_empty() {
                break;
            }
            *packet = self.packets;
            frames.push(frame.clone());
            self.next += 1;
        }
        let Self { packets: packet, received, heard, .. } = *self;
        (Header { packet, first, received, heard }, frames)
    }

    /// Takes a packet of the other end.
    pub(crate) fn receive<I>(&mut self, header: Header, frames: Vec<I>) -> Received<I> {
        while self.first < header.received && self.unconfirmed.pop_front().is_some() {
            self.first += 1;
        }
        self.next = self.next.max(self.first);
        let is_lost = |(_, packet): &(F, u64)| *packet <= header.heard;
        if self.next > self.first && self.unconfirmed.front().is_some_and(is_lost) {
            self.next = self.first;
        }
        let is_news = header.packet > self.heard;
        self.heard = self.heard.max(header.packet);
        let missing = header.first > self.received;
        let has_gap = missing && self.gap != Some(self.received);
        if missing {
            self.gap = Some(self.received);
        }
        let known = self.received.saturating_sub(header.first);
        let new = if missing { frames.len() } else { usize::try_from(known).unwrap_or(usize::MAX) };
        let frames: Vec<_> = frames.into_iter().skip(new).collect();
        self.received += frames.len() as u64;
        Received { frames, is_news, has_gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for u32 {
        fn weight(&self) -> usize {
            1
        }
    }

    #[test]
    fn what_is_lost_late_or_doubled_arrives_once_and_in_order() {
        let (mut near, mut far) = (Delivery::new(), Delivery::<u32>::new());
        (0..5).for_each(|frame: u32| near.push(frame));
        let lost = near.packet(2);
        let late = near.packet(2);
        assert_eq!((lost.1, late.1.clone()), (vec![0, 1], vec![2, 3]));
        let received = far.receive(late.0, late.1.clone());
        assert!(received.frames.is_empty() && received.has_gap);
        assert!(!far.receive(late.0, late.1.clone()).has_gap);
        // It learns that a later packet arrived, and resends everything that did not.
        near.receive::<u32>(far.packet(9).0, Vec::new());
        let again = near.packet(9);
        assert_eq!(again.1, [0, 1, 2, 3, 4]);
        assert_eq!(far.receive(again.0, again.1.clone()).frames, [0, 1, 2, 3, 4]);
        for (header, frames) in [again, late] {
            assert!(far.receive(header, frames).frames.is_empty());
        }
        assert!(!near.is_done());
        near.receive::<u32>(far.packet(9).0, Vec::new());
        assert!(near.is_done() && !near.has_more());
    }
}
