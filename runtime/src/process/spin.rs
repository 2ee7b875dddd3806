//! A look before a sleep: most answers take less time than going to sleep and being woken does.
//!
//! How long to look is learned. Where waits have been shorter than a wake-up costs, looking on
//! spares both sides two wake-ups a round trip, and they never fall into the rhythm in which each
//! sleeps until the other has woken. Where waits have been long, looking would only burn a core.
//!
//! Looking is of use only where the other side can run meanwhile. Systems like to wake a process on
//! the core of the one that woke it, and leave both there for some milliseconds; so each side says
//! on which core it was last, and a side that finds the other on its own core gives way instead.

use std::hint::spin_loop;
use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::process::platform;

/// A wait up to this long is better spent looking: about two wake-ups.
const WORTH_LOOKING: Duration = Duration::from_micros(200);
/// How many waits of the last 16 or so have to have been that short.
const OFTEN: u32 = 8;
/// One wait in so many is spent looking all the same, to learn when things have changed: two sides
/// that sleep for each other would never see how short their waits could be.
const EXPLORE: u32 = 32;

/// What one side has learned of its waits.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// Up with each short wait, down with each long one, 0 to 16.
    short: u32,
    /// How many waits there were, as far as it matters for exploring.
    waits: u32,
}

impl Patience {
    pub(crate) const fn new() -> Self {
        Self { short: OFTEN, waits: 0 }
    }

    /// Looks, and then sleeps if it is not done; `sleep` may return early. `other` tells the core
    /// of the side that is waited for.
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
            // For whoever else wants this core: it may be the very one that is waited for.
            thread::yield_now();
        }
        done()
    }

    fn learn(&mut self, was_short: bool) {
        self.short =
            if was_short { (self.short + 1).min(16) } else { self.short.saturating_sub(1) };
    }
}

/// Looks for a few moments, without having learned anything.
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

/// Whether the other side can run while this one looks.
fn beside(other: &impl Fn() -> Option<u32>) -> bool {
    // Where no core is known, nobody can tell, and both may well run.
    cores() > 1 && other().is_none_or(|other| platform::current_core() != Some(other))
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZeroUsize::get))
}
