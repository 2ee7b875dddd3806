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

use crate::process::channel::{CHANGES, KEEPS, RequestHead, SIZE_UNIT, USES};
use crate::process::job::status;
use crate::process::platform;

/// How many calls pass before dead children and open files are counted again.
const SELDOM: u32 = 64;

/// In fourths.
const HALF: u128 = 2;

pub(crate) struct Wear {
    calls: u32,
    /// The limit of a call, in bytes; 0 is none.
    memory: u64,
    /// How long this process may compute.
    processor_time: Option<Duration>,
    /// How many fourths of that are over, or of the files open that there may be.
    used: u128,
    /// A value is kept here, which would be lost with this process.
    keeps: bool,
    /// That value is half changed.
    is_spoiled: bool,
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
        Self {
            calls: 0,
            memory,
            processor_time: platform::max_processor_time(),
            used: 0,
            keeps: false,
            is_spoiled: false,
            known: Vec::new(),
            kept: 0,
            leaked: 0,
            children: 0,
        }
    }

    /// Asked after each call; its limit is in units of [`SIZE_UNIT`], and 0 is none.
    #[inline]
    pub(crate) fn is_grown(&mut self, request: &RequestHead) -> bool {
        self.calls = self.calls.wrapping_add(1);
        self.keeps |= request.flags & KEEPS != 0;
        let is_seldom = self.calls.is_multiple_of(SELDOM);
        let is_limited = self.memory > 0 || request.size_limit > 0 || self.processor_time.is_some();
        let may_be = is_limited || is_seldom || self.used >= HALF;
        may_be && self.has_grown(request, is_seldom)
    }

    fn has_grown(&mut self, request: &RequestHead, is_seldom: bool) -> bool {
        self.look(is_seldom || self.used >= HALF);
        let size = u64::from(request.size_limit) * SIZE_UNIT;
        self.leaked > self.memory / 2
            || self.used >= HALF
            || size > 0 && platform::size().is_some_and(|now| now > size)
            || is_seldom && platform::has_many_dead_children()
    }

    /// Looks at what is used up of the processor time and, if they are counted, of the files.
    fn look(&mut self, counts_files: bool) {
        let time = self
            .processor_time
            .map(|most| fourths(platform::processor_time().as_millis(), most.as_millis()));
        let files = if counts_files { platform::files_left() } else { None };
        let files = files.map(|(left, most)| fourths((most - left).into(), most.into()));
        self.used = self.used.max(time.max(files).unwrap_or(0));
    }

    /// Whether a child was forked since this was asked last, after the call before.
    pub(crate) fn has_forked(&mut self) -> bool {
        let children = platform::forked_children();
        std::mem::replace(&mut self.children, children) != children
    }

    /// Whether a call may begin: not if the value that it uses is half changed. Then the parent
    /// has it run where that is made anew.
    #[inline]
    pub(crate) fn admits(&self, request: &RequestHead) -> bool {
        !self.is_spoiled || request.flags & USES == 0
    }

    /// Looks at what a call has left behind, after its reply, and gives the next one its room.
    #[inline]
    pub(crate) fn note(&mut self, request: &RequestHead, status: u32) {
        self.is_spoiled |= status == status::PANICKED && request.flags & CHANGES != 0;
        if self.memory > 0 && request.flags & KEEPS == 0 {
            self.measure(request);
        }
    }

    fn measure(&mut self, request: &RequestHead) {
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

    /// Whether no call may begin here any more: what is left is too little, and no other worker has
    /// started so soon.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.leaked > self.memory || self.used > HALF && !self.keeps
    }
}

fn fourths(used: u128, most: u128) -> u128 {
    used * 4 / most.max(1)
}
