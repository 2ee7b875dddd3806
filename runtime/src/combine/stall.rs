//! Decides when a joiner of many tasks runs one of them itself.
//!
//! The joiner should react promptly when a task ends or fails, which it cannot inside a body. But a
//! joiner that only waits is no help, and may wait for a queue that nobody works on. So it runs
//! tasks while these are brief, and gets other threads to run them if there is no progress.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Part;
use crate::wait;

/// Tasks are brief if they end at least this often.
const BRIEF: Duration = Duration::from_micros(100);
/// How many tasks it takes to judge.
pub(super) const TELLING: usize = 32;

/// How fast tasks have been ending recently.
pub(super) struct Pace {
    since: Instant,
    ended: usize,
    is_brief: bool,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), ended: 0, is_brief: false }
    }

    /// Start of the measurement: the beginning, or the last time that enough had ended.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Given how many have ended since the beginning, whether the joiner may run a task and still
    /// react soon.
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

/// Whether tasks of a function were brief when last measured.
///
/// Only a hint, so functions may share a slot. It decides where the first few tasks run, before
/// there is a measurement.
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

    /// How many have ended in that time.
    pub(super) fn note(&self, name: &'static str, ended: usize, time: Duration) {
        let is_brief = time < BRIEF * ended.try_into().unwrap_or(u32::MAX);
        if self.are_brief(name) != is_brief {
            self.of(name).store(is_brief, Ordering::Relaxed);
        }
    }
}

/// A pool thread runs whatever is there, since others may be waiting for it.
pub(super) fn runs_all() -> bool {
    wait::is_in_pool()
}

/// The observations of a joiner that does not run the tasks itself but checks from time to time.
#[derive(Default)]
pub(super) struct Stall {
    /// How many had ended at the last check.
    ended: Option<usize>,
    /// How many checks in a row found no change.
    rounds: usize,
    /// The task that it has handed to an extra thread.
    hastened: Option<usize>,
}

impl Stall {
    /// Helps tasks that nobody gets to. Returns whether the joiner has to run them, because there
    /// is no other thread.
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
            // Better late than never.
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
