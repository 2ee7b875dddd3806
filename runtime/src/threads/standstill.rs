//! Resolves the case that all pool threads wait, none ends a task, work is queued, and there is no
//! thread for it.
//!
//! The queued work may be what they wait for. If the pool's usual bound is the cause, the pool
//! grows beyond it, a few threads at a time. If the system provides no more threads, queued calls
//! end with an error that says so, after a delay in case the waits end by themselves. With more
//! threads that is likelier, so the delay is longer.

use std::time::{Duration, Instant};

use super::pool::Pool;
use super::probe::Probe;
use super::{seat, strays};
use crate::{config, relay};

/// How long before the pool grows beyond its usual bound.
const BEFORE_GROWING: Duration = Duration::from_millis(20);
/// By how many threads at most.
const MAX_GROWTH: usize = 64;
/// How long before queued calls end with an error, if there are few threads.
const MIN_WHILE: Duration = Duration::from_secs(2);
/// How much each thread adds to that.
const WHILE_PER_THREAD: Duration = Duration::from_millis(250);
const MAX_WHILE: Duration = Duration::from_secs(30);

pub(super) struct Standstill {
    /// The number of tasks that have ended so far, and since when it is the same.
    ended: u32,
    since: Instant,
    growth: usize,
}

impl Standstill {
    pub(super) fn new() -> Self {
        Self { ended: 0, since: Instant::now(), growth: 1 }
    }

    /// Called at each tick of the monitor.
    pub(super) fn look(&mut self, pool: &'static Pool, probe: &mut Probe) {
        let ended = seat::workers().fold(0u32, |sum, seat| sum.wrapping_add(seat.post.ended()));
        if ended != self.ended {
            *self = Self { ended, ..Self::new() };
        }
        if !pool.shortage.goes_on() {
            return;
        }
        let stood = self.since.elapsed().min(pool.shortage.duration());
        if pool.shortage.is_by_bound() {
            if config::thread().max.is_none() && stood >= BEFORE_GROWING {
                self.grow(pool);
            }
        } else if stood >= long_enough(pool.crew.threads()) {
            if is_anybody_computing(probe) {
                self.since = Instant::now();
            } else {
                refuse(pool);
            }
        }
        // The system may provide a thread now.
        pool.look_again();
    }

    fn grow(&mut self, pool: &'static Pool) {
        pool.crew.stretch(self.growth, config::MAX_THREADS);
        for _ in 0..self.growth {
            pool.lend();
        }
        self.growth = (self.growth * 2).min(MAX_GROWTH);
    }
}

fn long_enough(threads: usize) -> Duration {
    let threads = u32::try_from(threads).unwrap_or(u32::MAX);
    WHILE_PER_THREAD.saturating_mul(threads).clamp(MIN_WHILE, MAX_WHILE)
}

/// Whether any pool thread is not asleep, even one without a permit.
fn is_anybody_computing(probe: &mut Probe) -> bool {
    seat::workers()
        .filter(|seat| seat.post.is_worker())
        .any(|seat| probe.read(seat.post.thread()).is_some_and(|reading| !reading.sleeps))
}

/// Ends queued calls whose results somebody wants.
fn refuse(pool: &'static Pool) {
    let why = format!("all threads of the pool are waiting, and {}", pool.shortage);
    seat::take_all(|item| {
        if item.is_queued() && !item.refuse(&why) {
            strays::push(item);
        } else {
            relay::discard(item);
        }
    });
}
