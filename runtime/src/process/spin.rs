//! Spinning before sleeping: most answers take less time than going to sleep and being woken.
//!
//! How long to spin is learned. If waits have been shorter than a wake-up, spinning spares both
//! sides two wake-ups per round trip, and keeps them out of the rhythm in which each sleeps until
//! the other has woken. If waits have been long, spinning would only burn a core.
//!
//! Spinning helps only if the other side can run meanwhile. Schedulers tend to wake a process on
//! the waker's core, and leave both there for some milliseconds. So each side publishes the core it
//! was last on, and a side that finds the other on its own core sleeps at once.
//!
//! No wait yields. A yield gives the core to any other program, for a time slice that is a thousand
//! times as long as most calls. A wait spins for a bounded time and then sleeps until the event.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use crate::process::platform;
pub(crate) use crate::wait::Patience;
use crate::wait::{self, cores};

/// Spinning is better for waits up to this long: about two wake-ups.
const WORTH_LOOKING: Duration = Duration::from_micros(200);
/// The longest spin while the other side's core is unknown: it may be waking up on this one.
const UNSEEN: Duration = Duration::from_micros(50);
/// The longest spin of an executor's thread, which has other tasks: shorter than waking it takes.
const GLANCE: Duration = Duration::from_micros(5);
/// After this many failed glances in a row, most are left out.
const IN_VAIN: u32 = 4;
/// How many are left out before the next one.
const LEFT_OUT: u32 = 8;

impl Patience {
    /// Spins, then sleeps if the wait is not over; `sleep` may return early. `other` returns the
    /// core of the awaited side.
    pub(crate) fn wait(
        &mut self,
        other: impl Fn() -> Option<u32>,
        done: impl Fn() -> bool,
        sleep: impl FnOnce(),
    ) {
        if until(&other, &done) {
            self.learn(true);
            return;
        }
        let began = Instant::now();
        if !(self.looks() && look(&other, &done, began, WORTH_LOOKING)) {
            sleep();
        }
        self.learn(began.elapsed() < WORTH_LOOKING);
    }
}

/// What was learned about glances: spins of threads that must not wait.
#[derive(Clone, Copy)]
pub(crate) struct Glances {
    in_vain: u32,
    left_out: u32,
}

impl Glances {
    pub(crate) const fn new() -> Self {
        Self { in_vain: 0, left_out: 0 }
    }

    /// Whether the next one is likely enough to succeed.
    pub(crate) fn are_worth_it(&mut self) -> bool {
        let is_worth_it = self.in_vain < IN_VAIN || self.left_out >= LEFT_OUT;
        self.left_out = if is_worth_it { 0 } else { self.left_out + 1 };
        is_worth_it
    }

    /// Spins for a few microseconds; returns whether it is done.
    pub(crate) fn glance(
        &mut self,
        other: impl Fn() -> Option<u32>,
        done: impl Fn() -> bool,
    ) -> bool {
        let is_done = look(&other, &done, Instant::now(), GLANCE);
        self.in_vain = if is_done { 0 } else { (self.in_vain + 1).min(IN_VAIN) };
        is_done
    }
}

/// Spins for a moment, regardless of what was learned.
pub(crate) fn until(other: impl Fn() -> Option<u32>, done: impl Fn() -> bool) -> bool {
    may_run(&other) && (0..200).any(|_| is(&done)) || done()
}

/// Lets the other side get on until it has got so far, as [`wait::linger`] does.
pub(crate) fn linger(other: impl Fn() -> Option<u32>, at: impl Fn() -> u32, enough: u32) {
    wait::linger(|| may_run(&other), || at() as usize, enough as usize);
}

/// Spins for that long from `began` on, as long as the other side can run meanwhile.
fn look(
    other: &impl Fn() -> Option<u32>,
    done: &impl Fn() -> bool,
    began: Instant,
    most: Duration,
) -> bool {
    let most = || if other().is_some() { most } else { most.min(UNSEEN) };
    while may_run(other) && began.elapsed() < most() {
        if (0..64).any(|_| is(done)) {
            return true;
        }
    }
    done()
}

fn is(done: &impl Fn() -> bool) -> bool {
    done() || {
        spin_loop();
        false
    }
}

/// Whether the other side can run while this one spins. If its core is unknown, assume so.
fn may_run(other: &impl Fn() -> Option<u32>) -> bool {
    cores() > 1 && other().is_none_or(|other| platform::current_core() != Some(other))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn no_wait_spins_for_a_side_on_its_own_core() {
        if platform::current_core().is_none() {
            return;
        }
        let looks = Cell::new(0);
        let done = || {
            looks.set(looks.get() + 1);
            false
        };
        let slept = Cell::new(false);
        Patience::new().wait(platform::current_core, done, || slept.set(true));
        assert!(slept.get());
        assert!(looks.get() < 1000, "{} looks", looks.get());
    }

    #[test]
    fn a_wait_that_is_done_never_sleeps() {
        for other in [None, platform::current_core(), Some(u32::MAX - 1)] {
            Patience::new().wait(|| other, || true, || unreachable!("it is done"));
            assert!(until(|| other, || true));
            assert!(Glances::new().glance(|| other, || true));
        }
    }

    #[test]
    fn glances_become_rare_until_one_succeeds() {
        let mut glances = Glances::new();
        let mut made = |times: u32, is_done: bool| {
            let worth = |glances: &mut Glances| {
                glances.are_worth_it() && {
                    glances.glance(|| None, || is_done);
                    true
                }
            };
            (0..times).filter(|_| worth(&mut glances)).count() as u32
        };
        assert_eq!(made(IN_VAIN, false), IN_VAIN);
        assert_eq!(made(10 * (LEFT_OUT + 1), false), 10);
        assert_eq!(made(LEFT_OUT + 1, true), 1);
        assert_eq!(made(100, true), 100);
    }
}
