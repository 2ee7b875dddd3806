//! The channel for a fuzzer that plays the worker.

#![allow(unsafe_code, reason = "memory that the fuzzer fills")]

use super::*;

mod halves;
mod segments;

pub use self::halves::{Halves, MOVE};
pub(crate) use self::segments::Unsteady;
pub use self::segments::{STEP, Segments};

/// Both ends, over their own memory.
pub struct Rings {
    parent: ParentEnd,
    worker: WorkerEnd,
}

impl Rings {
    /// New ones, empty.
    #[expect(clippy::new_without_default, reason = "it is not cheap")]
    pub fn new() -> Self {
        let (parent, kit) = ParentEnd::new().expect("there is memory");
        let worker = WorkerEnd::open(kit).expect("as before");
        Self { parent, worker }
    }

    /// Writes these bytes into the reply ring at a position and publishes an end; then reads all
    /// replies and all their bytes. Returns how many there were.
    pub fn replies(&self, start: u32, end: u32, bytes: &[u8]) -> usize {
        let (start, ring) = (start & !7, self.worker.reply_ring());
        for (index, &byte) in (0..).zip(bytes) {
            // SAFETY: `at` stays within the ring, which nobody refers to.
            unsafe { ring.at(start.wrapping_add(index)).write_volatile(byte) };
        }
        self.worker.words().reply_tail.publish(end);
        let (mut head, mut count) = (start, 0);
        while let Ok(Some((at, reply))) = self.parent.next_reply(head) {
            let length = reply.length as usize;
            assert!(Ring::to_end(at) as usize >= REPLY_HEAD as usize + length);
            // SAFETY: `next_reply` found it just now.
            let bytes = unsafe { self.parent.reply_bytes(at, &reply) };
            assert_eq!(bytes.reader().into_vec().len(), length);
            // SAFETY: as above.
            if let Some((run, ..)) = unsafe { self.parent.run(at, reply.status) } {
                let items = run.readers().map(|item| item.into_vec().len()).sum::<usize>();
                assert!(items < run.length() && run.readers().count() > 1);
            }
            let next = at.wrapping_add(record(REPLY_HEAD, reply.length));
            assert!(next.wrapping_sub(head) <= end.wrapping_sub(head), "it runs past the end");
            self.parent.free_replies(next, &mut 0);
            (head, count) = (next, count + 1);
        }
        // The next run must not depend on this one.
        for (index, _) in (0..).zip(bytes) {
            // SAFETY: as above.
            unsafe { ring.at(start.wrapping_add(index)).write_volatile(0) };
        }
        count
    }
}
