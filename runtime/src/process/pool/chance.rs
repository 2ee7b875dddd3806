//! How long a worker has had the chance to do something that it does not do.
//!
//! It is judged by that and not by the time that has passed. A machine that is slow gives a worker
//! no processor, and one that stands still for a while gives none to whoever judges either: by the
//! clock, both would be the worker's fault, and the value that it may keep would be lost. So a look
//! counts for no more than the time between two looks, however late it comes, and while the worker
//! waits for a processor only what it had of one counts.

use std::time::{Duration, Instant};

use crate::process::platform::Process;

/// How often the dispatcher looks whether workers with something to do are doing it.
pub(super) const ROUND: Duration = Duration::from_secs(1);

/// How often one looks at a worker that is about to end.
pub(super) const LOOK: Duration = Duration::from_millis(2);

pub(super) struct Chance {
    /// How often one looks.
    period: Duration,
    last: Instant,
    /// The processor time that it had used at the last look, if known.
    used: Duration,
    had: Duration,
}

impl Chance {
    /// Of a worker that is looked at once in that time from now on.
    pub(super) fn new(process: &Process, period: Duration) -> Self {
        let used = process.pace().unwrap_or_default().1;
        Self { period, last: Instant::now(), used, had: Duration::ZERO }
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Instant {
        self.last + self.period
    }

    /// Looks again, unless it is too early; returns how long a chance it has had so far.
    pub(super) fn look(&mut self, process: &Process) -> Duration {
        let passed = self.last.elapsed();
        // Whoever looks may be a little early.
        if passed >= self.period / 2 {
            self.last += passed;
            self.note(passed, process.pace());
        }
        self.had
    }

    fn note(&mut self, passed: Duration, pace: Option<(bool, Duration)>) {
        let (waits, used) = pace.unwrap_or((false, self.used));
        let since = used.saturating_sub(std::mem::replace(&mut self.used, used));
        self.had += if waits { since } else { passed }.min(self.period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chance() -> Chance {
        Chance { period: ROUND, last: Instant::now(), used: ROUND, had: Duration::ZERO }
    }

    #[test]
    fn one_that_does_nothing_has_had_the_time_that_passed() {
        let mut chance = chance();
        for round in 1..5 {
            chance.note(ROUND, Some((false, ROUND)));
            assert_eq!(chance.had, round * ROUND);
        }
        chance.note(ROUND, None);
        assert_eq!(chance.had, 5 * ROUND, "where nobody knows what it does");
    }

    #[test]
    fn time_in_which_nobody_looked_counts_as_one_look() {
        let mut chance = chance();
        chance.note(1000 * ROUND, Some((false, ROUND)));
        assert_eq!(chance.had, ROUND);
    }

    #[test]
    fn one_that_waits_for_a_processor_has_had_what_it_used() {
        let mut chance = chance();
        (0..1000).for_each(|_| chance.note(ROUND, Some((true, ROUND))));
        assert_eq!(chance.had, Duration::ZERO);
        chance.note(ROUND, Some((true, ROUND + ROUND / 10)));
        assert_eq!(chance.had, ROUND / 10);
        chance.note(ROUND, Some((true, ROUND + ROUND / 2)));
        assert_eq!(chance.had, ROUND / 2);
    }
}
