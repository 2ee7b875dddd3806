//! Waits that are shorter than going to sleep and being woken takes.

use std::hint::spin_loop;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// How many of the last 16 or so waits must have been that short.
const OFTEN: u32 = 8;
/// One wait in this many spins in any case, to notice changes: two sides that sleep for each other
/// would never learn how short their waits could be.
const EXPLORE: u32 = 32;
/// How long a thread spins for another one of this process, if waits have been as short: what two
/// wake-ups take, for where both sides sleep, each of them always sleeps until the other has woken.
const TWO_WAKES: Duration = Duration::from_micros(50);

/// What one side has learned about its waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Up with each short wait, down with each long one, 0 to 16.
    short: u32,
    /// The number of waits, for exploration.
    waits: u32,
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self { short: OFTEN, waits: 0 }
    }

    /// Spins for another thread of this process, as long as that may run meanwhile; returns when it
    /// began, if that is to be [`learned`](Self::learn_since) from once it is over.
    pub(crate) fn spin(
        &mut self,
        may_run: impl Fn() -> bool,
        done: impl Fn() -> bool,
    ) -> Option<Instant> {
        if may_run() && spin(&done) {
            self.learn(true);
            return None;
        }
        let began = Instant::now();
        if self.looks() && !cfg!(trine_loom) {
            while may_run() && began.elapsed() < TWO_WAKES && !spin(&done) {}
        }
        Some(began)
    }

    /// Learns from a wait that is over now.
    pub(crate) fn learn_since(&mut self, began: Instant) {
        self.learn(began.elapsed() < TWO_WAKES);
    }

    /// Whether the next wait is likely enough to be short.
    pub(crate) fn looks(&mut self) -> bool {
        self.waits = self.waits.wrapping_add(1);
        self.short >= OFTEN || self.waits.is_multiple_of(EXPLORE)
    }

    pub(crate) fn learn(&mut self, was_short: bool) {
        self.short =
            if was_short { (self.short + 1).min(16) } else { self.short.saturating_sub(1) };
    }
}

/// How many processors there are.
pub(crate) fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

/// The core that this thread is on, if known.
pub(crate) fn core() -> Option<u32> {
    #[cfg(all(target_os = "linux", any(feature = "threads", feature = "process")))]
    return u32::try_from(rustix::thread::sched_getcpu()).ok();
    #[cfg(not(all(target_os = "linux", any(feature = "threads", feature = "process"))))]
    None
}

/// For how long to let a side get on that writes much in little time, and how often in a row. Each
/// look at what it writes takes the memory away from it, for longer than an item takes.
const MOMENT: Duration = Duration::from_nanos(300);
const MOMENTS: u32 = 8;

/// Lets another side get on until it has got so far, for a few moments at most, and no longer than
/// it does. `at` says how far it is.
pub(crate) fn linger(may_run: impl Fn() -> bool, at: impl Fn() -> usize, enough: usize) {
    let mut before = at();
    for _ in 0..MOMENTS {
        if before == 0 || before >= enough || !may_run() {
            return;
        }
        let began = Instant::now();
        while began.elapsed() < MOMENT {
            spin_loop();
        }
        let now = at();
        if now == before {
            return;
        }
        before = now;
    }
}

/// Spins for a moment: most waits for a running task are shorter than going to sleep would take.
pub(crate) fn spin(done: impl Fn() -> bool) -> bool {
    // A yield would give the core to any other program, for much longer than this wait.
    let looks = if cfg!(trine_loom) { 2 } else { 200 };
    (0..looks).any(|_| {
        done() || {
            spin_loop();
            false
        }
    })
}

/// How long a thread tries to get what others hold for a few microseconds: less than sleeping for
/// it and being woken takes.
const HELD: Duration = Duration::from_micros(20);

/// Tries for a moment to get what other threads hold for less than that. It is let alone between
/// the attempts, each of which takes its memory away from who holds it.
#[inline]
pub(crate) fn attempt<R>(attempt: impl Fn() -> Option<R>) -> Option<R> {
    attempt().or_else(|| attempt_again(attempt))
}

#[cold]
fn attempt_again<R>(attempt: impl Fn() -> Option<R>) -> Option<R> {
    let began = Instant::now();
    while cores() > 1 && began.elapsed() < HELD {
        (0..8).for_each(|_| spin_loop());
        if let got @ Some(_) = attempt() {
            return got;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often `at` is looked at that grows by `step`.
    fn looks_of_lingering(may_run: bool, step: usize, enough: usize) -> usize {
        let looks = Cell::new(0);
        let at = || {
            looks.set(looks.get() + 1);
            1 + looks.get() * step
        };
        linger(|| may_run, at, enough);
        looks.get()
    }

    #[test]
    fn lingering_ends_with_what_it_is_for() {
        assert_eq!(looks_of_lingering(true, 0, 100), 2);
        assert_eq!(looks_of_lingering(false, 10, 100), 1);
        assert_eq!(looks_of_lingering(true, 10, 5), 1);
        assert!(looks_of_lingering(true, 10, 35) <= 4);
        assert_eq!(looks_of_lingering(true, 1, usize::MAX), MOMENTS as usize + 1);
    }

    #[test]
    fn a_thread_whose_waits_are_long_seldom_spins_for_them() {
        let mut patience = Patience::new();
        assert!(patience.spin(|| true, || true).is_none());
        assert!(patience.spin(|| false, || panic!("it looks")).is_some());
        let mut looks = |is_short: bool| {
            (0..100).for_each(|_| patience.learn(is_short));
            (0..EXPLORE).filter(|_| patience.looks()).count()
        };
        assert_eq!((looks(false), looks(true)), (1, EXPLORE as usize));
    }

    #[test]
    fn an_attempt_ends_with_success_and_in_any_case() {
        let attempts = Cell::new(0);
        let third = || {
            attempts.set(attempts.get() + 1);
            (attempts.get() == 3).then_some(())
        };
        // It may have been interrupted for all of its time, and there may be a single core.
        let got = attempt(third).is_some();
        assert!(!got || attempts.get() == 3, "{} attempts", attempts.get());
        assert!(attempt(|| None::<()>).is_none());
    }
}
