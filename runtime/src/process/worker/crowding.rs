//! A worker that shares a core with its caller moves over to another one.
//!
//! Systems like to wake a process on the core of the one that woke it. For a pair that calls and
//! answers, neither ever runs for long, so it takes milliseconds until the balancer parts them, and
//! until then each call costs two context switches. A worker that finds itself there again and
//! again asks for any other core, and in the same breath for all that it had.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::process::spin;

/// So many waits in a row on the caller's core are no accident.
const FIRST: u32 = 8;
/// Where it does not help, all cores have something to do: then ever more rarely.
const LAST: u32 = 8192;

pub(crate) struct Crowding {
    in_a_row: u32,
    enough: u32,
}

impl Crowding {
    pub(crate) const fn new() -> Self {
        Self { in_a_row: 0, enough: FIRST }
    }

    /// Notes that the caller was last on that core.
    pub(crate) fn note(&mut self, caller: u32) {
        if caller != spin::core() {
            self.in_a_row = 0;
            self.enough = FIRST.max(self.enough - 1);
            return;
        }
        self.in_a_row += 1;
        if self.in_a_row >= self.enough {
            self.in_a_row = 0;
            self.enough = (self.enough * 2).min(LAST);
            move_over(caller);
        }
    }
}

/// Moves this thread off a core, without keeping it from there.
fn move_over(core: u32) {
    let Ok(all) = sched_getaffinity(None) else { return };
    let core = core as usize;
    if core >= CpuSet::MAX_CPU || all.count() < 2 {
        return;
    }
    let mut others = all;
    others.unset(core);
    if sched_setaffinity(None, &others).is_ok() {
        // Of what was allowed a moment ago; and if not any more, the kernel knows better.
        let _ = sched_setaffinity(None, &all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_over_leaves_the_allowed_cores_as_they_were() {
        let before = sched_getaffinity(None).unwrap();
        let mut moved = false;
        for _ in 0..1000 {
            let core = spin::core();
            move_over(core);
            moved |= spin::core() != core;
            assert_eq!(sched_getaffinity(None).unwrap(), before);
        }
        assert!(moved || before.count() == 1);
    }

    #[test]
    fn only_a_row_of_waits_counts_and_it_grows() {
        let mut crowding = Crowding::new();
        let elsewhere = spin::core().wrapping_add(7);
        for _ in 0..3 * FIRST {
            crowding.in_a_row = FIRST - 1;
            crowding.note(elsewhere);
            assert_eq!(crowding.in_a_row, 0);
        }
        crowding.enough = 100;
        crowding.note(elsewhere);
        assert_eq!(crowding.enough, 99);
    }
}
