//! All threads of the pool wait, none ends, something is queued, and there is no thread for it.
//!
//! What is queued may be what they wait for. So where the pool's usual bound is to blame it goes
//! beyond that, a few threads at a time. Where the system is, which makes no more, what is queued
//! ends with an error that says so, after a while in which a wait may be a mere wait: the more
//! threads there are, the likelier it is, and the longer the while.

use std::time::{Duration, Instant};

use super::pool::Pool;
use super::probe::Probe;
use super::{seat, strays};
use crate::config;

/// How long before the pool grows beyond its usual bound.
const BEFORE_GROWING: Duration = Duration::from_millis(20);
/// By how many threads at once at most.
const MAX_GROWTH: usize = 64;
/// How long before queued calls end with an error, if there are few threads.
const MIN_WHILE: Duration = Duration::from_secs(2);
/// The part of it that each thread adds.
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

    /// To be called at each tick of the monitor.
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
        // The system may have a thread now.
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

/// Whether a thread of the pool is not asleep, be it without a permit.
fn is_anybody_computing(probe: &mut Probe) -> bool {
    seat::workers()
        .filter(|seat| seat.post.is_worker())
        .any(|seat| probe.read(seat.post.thread()).is_some_and(|reading| !reading.sleeps))
}

/// Ends what is queued, but for what nobody waits for.
fn refuse(pool: &'static Pool) {
    let why = format!("all threads of the pool wait, and {}", pool.shortage);
    seat::take_all(|item| {
        if item.is_queued() && !item.refuse(&why) {
            strays::push(item);
        }
    });
}
