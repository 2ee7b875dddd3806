//! How long a worker that finds nothing keeps looking before it sleeps.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Tells an idle worker how long to keep looking.
///
/// Waking a worker costs the caller a system call and delays the task by up to 50 µs, so spinning
/// pays when tasks follow each other closely and is wasted otherwise. The recent past decides: a
/// spin that found something, or a short sleep, lengthens the next spin; a fruitless one halves it.
pub(super) struct SpinBudget {
    microseconds: AtomicU32,
    /// One worker spins at a time; the next one to find nothing sleeps at once.
    taken: AtomicBool,
}

/// Longer than a wake-up takes, so that a steady stream of tasks meets a worker that is awake.
const MAX_SPIN: u32 = 64;

impl SpinBudget {
    pub(super) fn new() -> Self {
        Self { microseconds: AtomicU32::new(0), taken: AtomicBool::new(false) }
    }

    /// How long to spin; `None` if another worker does.
    pub(super) fn take(&self) -> Option<u32> {
        let microseconds = self.microseconds.load(Ordering::Relaxed);
        let free = microseconds > 0 && !self.taken.swap(true, Ordering::Relaxed);
        free.then_some(microseconds)
    }

    pub(super) fn give_back(&self, rewarded: bool) {
        if rewarded {
            self.lengthen()
        } else {
            self.shorten()
        }
        self.taken.store(false, Ordering::Relaxed);
    }

    /// A sleep has ended after that many microseconds.
    pub(super) fn slept(&self, microseconds: u128) {
        if microseconds < u128::from(2 * MAX_SPIN) {
            self.lengthen();
        }
    }

    fn lengthen(&self) {
        let now = self.microseconds.load(Ordering::Relaxed);
        self.microseconds.store((now * 2).clamp(4, MAX_SPIN), Ordering::Relaxed);
    }

    fn shorten(&self) {
        let now = self.microseconds.load(Ordering::Relaxed);
        self.microseconds.store(now / 2, Ordering::Relaxed);
    }
}
