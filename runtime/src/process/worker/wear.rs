//! Whether a worker has grown too large to serve on, and should be replaced between two calls: in
//! memory, as the options `renew` and `memory` say; in dead children that nobody waits for; in open
//! files; or in processor time, where that is bounded. The calls that come last are not to blame
//! for what earlier ones have used up. And whether it has forked children, which keep what was lent
//! to it.
//!
//! With `memory`, what earlier calls left behind is not the fault of the one that runs: each call
//! may have that much beyond what its worker keeps as it begins. What the first call of a function
//! leaves is the state of a worker, such as statics. A worker that keeps half of its limit beyond
//! that is replaced. One that keeps more than all of it, since no other has started so soon, ends
//! after the reply, and the calls that it has go elsewhere. So the leaks of a worker are bounded.

use std::time::Duration;

use crate::process::channel::{KEEPS, RequestHead, SIZE_UNIT};
use crate::process::platform;

/// How many calls pass before dead children and open files are counted again.
const SELDOM: u32 = 64;

pub(crate) struct Wear {
    calls: u32,
    /// The limit of a call, in bytes; 0 is none.
    memory: u64,
    /// How long this process may compute.
    processor_time: Option<Duration>,
    /// Half of that is over, or of the files open that there may be.
    is_worn: bool,
    /// The functions that have run here.
    known: Vec<i64>,
    /// What was kept after the last call.
    kept: u64,
    /// How much of that is not of the first call of any function.
    leaked: u64,
    /// How many children this process had forked at its last reply.
    children: u32,
}

impl Wear {
    pub(crate) fn new(memory: u64) -> Self {
        let processor_time = platform::max_processor_time();
        let (calls, known, kept, leaked, children) = (0, Vec::new(), 0, 0, 0);
        Self { calls, memory, processor_time, is_worn: false, known, kept, leaked, children }
    }

    /// Asked after each call; its limit is in units of [`SIZE_UNIT`], and 0 is none.
    pub(crate) fn is_grown(&mut self, request: &RequestHead) -> bool {
        self.calls = self.calls.wrapping_add(1);
        let size = u64::from(request.size_limit) * SIZE_UNIT;
        self.leaked > self.memory / 2
            || size > 0 && platform::size().is_some_and(|now| now > size)
            || self.calls.is_multiple_of(SELDOM) && platform::has_many_dead_children()
            || request.flags & KEEPS == 0 && self.is_worn()
    }

    fn is_worn(&mut self) -> bool {
        let is_late = self.processor_time.is_some_and(|most| platform::processor_time() > most / 2);
        let is_full = self.calls.is_multiple_of(SELDOM) && !has_files_left(2);
        self.is_worn |= is_late || is_full;
        self.is_worn
    }

    /// Whether a child was forked since this was asked last, after the call before.
    pub(crate) fn has_forked(&mut self) -> bool {
        let children = platform::forked_children();
        std::mem::replace(&mut self.children, children) != children
    }

    /// Looks at what a call has left behind, after its reply, and gives the next one its room.
    pub(crate) fn note(&mut self, request: &RequestHead) {
        if self.memory == 0 || request.flags & KEEPS != 0 {
            return;
        }
        let enough = self.memory / 4;
        let mut held = platform::held_memory();
        let is_new = !self.known.contains(&request.body);
        if is_new || held > enough {
            let free = platform::free_memory(enough);
            let kept = platform::held_memory().saturating_sub(free);
            let before = std::mem::replace(&mut self.kept, kept);
            if is_new {
                self.known.push(request.body);
            } else {
                self.leaked = (self.leaked + kept).saturating_sub(before);
            }
            // What is free may lie where no large allocation fits.
            held = kept.saturating_add(free.min(enough));
        }
        self.kept = self.kept.min(held);
        self.leaked = self.leaked.min(held);
        platform::allow_memory(self.memory.saturating_add(held));
    }

    /// Whether no call may begin here any more.
    pub(crate) fn is_over(&self) -> bool {
        self.leaked > self.memory || self.is_worn && self.is_worn_out()
    }

    /// Whether a fourth is left, at the most: no other has started so soon.
    fn is_worn_out(&self) -> bool {
        let time = self.processor_time;
        time.is_some_and(|most| platform::processor_time() > most / 4 * 3) || !has_files_left(4)
    }
}

/// Whether such a part of the files is left that this process may open.
fn has_files_left(part: u64) -> bool {
    platform::files_left().is_none_or(|(left, most)| left > most / part)
}
