//! A tube whose other end a fuzzer holds: packets of any bytes with any handles.

use super::frames::{Frame, Frames, Stop};
use crate::process::platform::{Handle, Memory, Tube, freeze};
use crate::process::value::wire;

/// A tube, and the memories that can come through it.
pub struct Tubes {
    ours: Tube,
    theirs: Tube,
    /// One that nobody can change, and one that anybody can.
    memories: [Handle; 2],
    /// The size of each.
    size: usize,
}

impl Tubes {
    /// New ones.
    #[expect(clippy::new_without_default, reason = "it is not cheap")]
    pub fn new() -> Self {
        let (ours, theirs) = Tube::pair().expect("there is a socket");
        let memory = Memory::new(64).expect("there is memory");
        let (open, size) = (memory.handle().try_clone(), memory.length());
        let frozen = freeze(&[7; 64]).expect("as before");
        let memories = [frozen, open.expect("as before")];
        Self { ours, theirs: Tube::open(theirs), memories, size }
    }

    /// Sends packets and takes what comes. Of each the first byte says which memories come with it,
    /// the second how long it is, in units of what the first says. Returns how many items came.
    pub fn play(&self, mut script: &[u8]) -> usize {
        let mut frames = Frames::of(&self.ours);
        let mut items = 0;
        while let Some((&[handles, length], rest)) = script.split_first_chunk() {
            let unit = if handles & 0x80 == 0 { 1 } else { 200 };
            let written = rest.len().min(length.into());
            let (written, rest) = rest.split_at(written);
            script = rest;
            let mut packet = written.to_vec();
            packet.resize(usize::from(length) * unit, 0);
            let handles: Vec<_> = (0..handles & 3)
                .map(|number| &self.memories[usize::from(handles >> (2 + number) & 1)])
                .collect();
            if self.theirs.try_send(&packet, &handles).is_err() {
                continue;
            }
            items += match frames.next() {
                Ok(Frame::Items(taken)) => {
                    assert!(taken.len() <= packet.len() / 4 + 1, "it makes items of nothing");
                    for item in &taken {
                        // Most are none; all bytes of it are there. Memory comes in pages.
                        let _ = wire::decode::<Vec<u8>>(item.bytes.reader());
                        assert!(item.bytes.length() <= packet.len().max(self.size));
                    }
                    taken.len()
                }
                Ok(_) | Err(Stop::Corrupt(_) | Stop::Closed) => 0,
            };
        }
        items
    }
}
