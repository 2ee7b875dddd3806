//! When a joiner of many tasks runs one of them itself.
//!
//! It is to be there when the next one ends, or fails. Inside of a body it is not; but a joiner
//! who only waits is of no use, and may wait for a queue that nobody works on. So it runs tasks
//! while these are brief, and has others do so where nothing goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Part;
use crate::wait;

/// Tasks are brief if they end at least this fast, one after the other.
const BRIEF: Duration = Duration::from_micros(100);
/// As far as one can tell after so many.
pub(super) const TELLING: usize = 32;

/// How fast tasks have ended of late.
pub(super) struct Pace {
    since: Instant,
    ended: usize,
    is_brief: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), ended: 0, is_brief: false }
    }

    /// Since when: the beginning, or the last time that it was told by so many.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// So many have ended since the beginning. Whether the joiner may be inside of a task and
    /// still be there soon.
    pub(super) fn is_brief(&mut self, ended: usize) -> bool {
        let more = ended.wrapping_sub(self.ended);
        if more >= TELLING {
            let now = Instant::now();
            self.is_brief = now - self.since < BRIEF * more.try_into().unwrap_or(u32::MAX);
            (self.since, self.ended) = (now, ended);
        }
        self.is_brief
    }
}

/// Whether tasks of a function were brief when they were looked at last.
///
/// Only a hint, so functions may share a place. It decides where a few tasks run, of which the
/// pace tells nothing yet.
pub(super) struct Habits([AtomicBool; 256]);

pub(super) static HABITS: Habits = Habits([const { AtomicBool::new(false) }; 256]);

impl Habits {
    fn of(&self, name: &'static str) -> &AtomicBool {
        let address = name.as_ptr() as usize;
        &self.0[(address ^ address >> 8) % self.0.len()]
    }

    pub(super) fn are_brief(&self, name: &'static str) -> bool {
        self.of(name).load(Ordering::Relaxed)
    }

    /// So many have ended in that time.
    pub(super) fn note(&self, name: &'static str, ended: usize, time: Duration) {
        let is_brief = time < BRIEF * ended.try_into().unwrap_or(u32::MAX);
        if self.are_brief(name) != is_brief {
            self.of(name).store(is_brief, Ordering::Relaxed);
        }
    }
}

/// A thread of the pool runs whatever is there: it is what others may wait for.
pub(super) fn runs_all() -> bool {
    wait::is_in_pool()
}

/// What a joiner finds who does not run the tasks itself, and looks from time to time.
#[derive(Default)]
pub(super) struct Stall {
    /// How many had ended when it looked last.
    ended: Option<usize>,
    /// How often nothing had changed.
    rounds: usize,
    /// The one that it has had run by a thread beside the others.
    hastened: Option<usize>,
}

impl Stall {
    /// Does something for tasks that nobody gets to. Says whether the joiner has to run them, since
    /// there is no other thread.
    pub(super) fn look<'a, P>(&mut self, ended: usize, parts: impl Fn() -> P) -> bool
    where
        P: DoubleEndedIterator<Item = (usize, &'a dyn Part)>,
    {
        if self.ended != Some(ended) {
            (self.ended, self.rounds) = (Some(ended), 0);
            return false;
        }
        self.rounds += 1;
        if self.rounds > 1 && parts().all(|(_, part)| part.is_finished() || part.is_queued()) {
            // Late is better than never.
            return true;
        }
        let still_runs =
            |(index, part): (usize, &dyn Part)| Some(index) == self.hastened && !part.is_finished();
        if !parts().any(still_runs) {
            self.hastened = parts().rev().find(|(_, part)| part.hasten()).map(|(index, _)| index);
        }
        false
    }
}
