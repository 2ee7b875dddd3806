//! A worker that shares a core with its caller moves over to another one.
//!
//! Schedulers tend to wake a process on the waker's core. In a pair that calls and answers, neither
//! ever runs for long, so it takes milliseconds until the load balancer separates them, and until
//! then each call costs two context switches. A worker that finds itself on its caller's core
//! repeatedly restricts itself to the other cores, and then immediately lifts the restriction
//! again.

use crate::process::platform;

/// This many waits in a row on the caller's core are no accident.
const FIRST: u32 = 8;
/// If it does not help, all cores are busy: then try ever more rarely.
const LAST: u32 = 8192;

pub(crate) struct Crowding {
    in_a_row: u32,
    enough: u32,
}

impl Crowding {
    pub(crate) const fn new() -> Self {
        Self { in_a_row: 0, enough: FIRST }
    }

    /// Records that the caller was last on that core.
    pub(crate) fn note(&mut self, caller: Option<u32>) {
        let Some(core) = caller.filter(|_| caller == platform::current_core()) else {
            self.in_a_row = 0;
            self.enough = FIRST.max(self.enough - 1);
            return;
        };
        self.in_a_row += 1;
        if self.in_a_row >= self.enough {
            self.in_a_row = 0;
            self.enough = (self.enough * 2).min(LAST);
            platform::leave_core(core);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_row_of_waits_counts_and_it_grows() {
        let mut crowding = Crowding::new();
        let elsewhere = platform::current_core().map(|core| core.wrapping_add(7));
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
