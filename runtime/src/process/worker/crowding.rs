//! A worker that shares a core with its caller moves over to another one.
//!
//! Schedulers tend to wake a process on the waker's core. In a pair that calls and answers, neither
//! ever runs for long, so it takes milliseconds until the load balancer separates them, and until
//! then each call costs several context switches: the worker displaces the caller that woke it, and
//! since nobody takes its reply, the dispatcher as well has to come. So a worker that finds itself
//! on its caller's core restricts itself to the other cores, and then immediately lifts the
//! restriction again. It does so after a reply, so the move delays no call but the next.

use crate::process::platform;

/// This many waits in a row on the caller's core are no accident.
const FIRST: u32 = 1;
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

    /// Records that the caller was last on that core, and leaves that core if it is time.
    pub(crate) fn note(&mut self, caller: Option<u32>) {
        let shared = caller.filter(|_| caller == platform::current_core());
        if self.calls_for_a_move(shared.is_some())
            && let Some(core) = shared
        {
            platform::leave_core(core);
        }
    }

    fn calls_for_a_move(&mut self, is_crowded: bool) -> bool {
        if !is_crowded {
            self.in_a_row = 0;
            self.enough = FIRST.max(self.enough - 1);
            return false;
        }
        self.in_a_row += 1;
        let moves = self.in_a_row >= self.enough;
        if moves {
            self.in_a_row = 0;
            self.enough = (self.enough * 2).min(LAST);
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_become_rare_until_one_helps() {
        let mut crowding = Crowding::new();
        let waits = |crowding: &mut Crowding| (1..).find(|_| crowding.calls_for_a_move(true));
        for times in [1, 2, 4] {
            assert_eq!(waits(&mut crowding), Some(times * FIRST));
        }
        for _ in 0..8 * FIRST {
            assert!(!crowding.calls_for_a_move(false));
        }
        assert_eq!(waits(&mut crowding), Some(FIRST));
    }
}
