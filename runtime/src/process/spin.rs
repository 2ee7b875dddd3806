//! Spinning before sleeping: most answers take less time than going to sleep and being woken.
//!
//! How long to spin is learned. If waits have been shorter than a wake-up, spinning spares both
//! sides two wake-ups per round trip, and keeps them out of the rhythm in which each sleeps until
//! the other has woken. If waits have been long, spinning would only burn a core.
//!
//! Spinning helps only if the other side can run meanwhile. Schedulers tend to wake a process on
//! the waker's core, and leave both there for some milliseconds. So each side publishes the core it
//! was last on, and a side that finds the other on its own core yields instead.

use std::hint::spin_loop;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::platform;

/// Spinning is better for waits up to this long: about two wake-ups.
const WORTH_LOOKING: Duration = Duration::from_micros(200);
/// How many of the last 16 or so waits must have been that short.
const OFTEN: u32 = 8;
/// One wait in this many spins in any case, to notice changes: two sides that sleep for each other
/// would never learn how short their waits could be.
const EXPLORE: u32 = 32;

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

    /// Spins, then sleeps if the wait is not over; `sleep` may return early. `other` returns the
    /// core of the awaited side.
    pub(crate) fn wait(
        &mut self,
        other: impl Fn() -> Option<u32>,
        done: impl Fn() -> bool,
        sleep: impl FnOnce(),
    ) {
        if beside(&other) && (0..200).any(|_| is(&done)) {
            self.learn(true);
            return;
        }
        let began = Instant::now();
        self.waits = self.waits.wrapping_add(1);
        if !self.look(&other, &done, began) {
            sleep();
        }
        self.learn(began.elapsed() < WORTH_LOOKING);
    }

    fn look(
        &self,
        other: &impl Fn() -> Option<u32>,
        done: &impl Fn() -> bool,
        began: Instant,
    ) -> bool {
        if cores() == 1 || self.short < OFTEN && !self.waits.is_multiple_of(EXPLORE) {
            return yielding(done);
        }
        while began.elapsed() < WORTH_LOOKING {
            let looks = if beside(other) { 64 } else { 1 };
            if (0..looks).any(|_| is(done)) {
                return true;
            }
            // For others that want this core, perhaps the awaited side itself.
            thread::yield_now();
        }
        done()
    }

    fn learn(&mut self, was_short: bool) {
        self.short =
            if was_short { (self.short + 1).min(16) } else { self.short.saturating_sub(1) };
    }
}

/// Spins for a moment, regardless of what was learned.
pub(crate) fn until(other: impl Fn() -> Option<u32>, done: impl Fn() -> bool) -> bool {
    beside(&other) && (0..200).any(|_| is(&done)) || yielding(&done)
}

fn yielding(done: &impl Fn() -> bool) -> bool {
    for _ in 0..8 {
        if done() {
            return true;
        }
        thread::yield_now();
    }
    done()
}

fn is(done: &impl Fn() -> bool) -> bool {
    done() || {
        spin_loop();
        false
    }
}

/// Whether the other side can run while this one spins.
fn beside(other: &impl Fn() -> Option<u32>) -> bool {
    // If a core is unknown, assume that both can run.
    cores() > 1 && other().is_none_or(|other| platform::current_core() != Some(other))
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}
