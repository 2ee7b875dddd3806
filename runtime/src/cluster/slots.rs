//! How many calls a machine takes at a time: as many as it has workers, or a few more of those that
//! are over before the next could come.
//!
//! What a machine has taken no other can run, so it takes what it can begin at once. But a call of
//! some microseconds is over long before the broker has heard so and sent another, and with one for
//! each worker they would mostly wait for the broker. So a machine takes as many as it runs within
//! a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How long the calls may wait here that are taken ahead: about as long as the broker takes.
const AHEAD: Duration = Duration::from_millis(5);
/// The most calls that are taken for each worker.
const DEPTH_MAX: u64 = 512;

pub(crate) struct Slots {
    workers: usize,
    taken: AtomicUsize,
    /// How many were asked for at a time, by what is still asked for: so many have to be taken,
    /// though it would be fewer now.
    asked: AtomicUsize,
    /// How long a call takes, in nanoseconds, as a mean in which the past fades.
    usual: AtomicU64,
    drains: AtomicBool,
    /// A slot has come free, or there will be no more.
    pub(crate) news: Notify,
}

/// A call's place among those that are taken, until it is dropped.
pub(crate) struct Slot(Arc<Slots>);

impl Slots {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers,
            taken: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            // One for each worker, until it is known better.
            usual: AtomicU64::new(u64::MAX / 2),
            drains: AtomicBool::new(false),
            news: Notify::new(),
        }
    }

    /// How many calls may be here at a time.
    fn most(&self) -> usize {
        if self.drains.load(Ordering::Acquire) {
            return 0;
        }
        let usual = self.usual.load(Ordering::Relaxed).max(1);
        let depth = (AHEAD.as_nanos() as u64 / usual).clamp(1, DEPTH_MAX);
        self.workers * depth as usize
    }

    /// How many more may be asked for, and from how many on that is worth a message; `anew` if
    /// nothing is asked for at the moment.
    pub(crate) fn free(&self, anew: bool) -> (usize, usize) {
        let most = self.most();
        if anew {
            self.asked.store(most, Ordering::Release);
        } else {
            self.asked.fetch_max(most, Ordering::AcqRel);
        }
        let free = most.saturating_sub(self.taken.load(Ordering::Acquire));
        (free, (most / 2).max(1))
    }

    /// A place for a call that has come. There may be none where several queues were asked.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Slot> {
        let most = if self.most() == 0 { 0 } else { self.asked.load(Ordering::Acquire) };
        let take = |taken| (taken < most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(Slot(Arc::clone(self)))
    }

    /// Notes how long a call took, while others that were taken with it waited.
    pub(crate) fn took(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
        let beside = self.taken.load(Ordering::Relaxed).div_ceil(self.workers).max(1) as u64;
        let own = time / beside;
        let usual = self.usual.load(Ordering::Relaxed);
        let is_long = own > AHEAD.as_nanos() as u64;
        // A long one counts at once, others by and by.
        let next = match own {
            own if is_long => own.max(usual),
            own if own < usual => usual - (usual - own).div_ceil(8),
            own => usual + (own - usual) / 8,
        };
        self.usual.store(next, Ordering::Relaxed);
    }

    /// Takes no more calls.
    pub(crate) fn drain(&self) {
        self.drains.store(true, Ordering::Release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken.load(Ordering::Acquire) == 0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_calls_are_taken_ahead_and_a_long_one_ends_that() {
        let slots = Arc::new(Slots::new(2));
        assert_eq!(slots.free(true), (2, 1));
        (0..1000).for_each(|_| slots.took(Duration::from_micros(50)));
        assert_eq!(slots.free(true), (200, 100));
        slots.took(Duration::from_millis(20));
        // What was asked for before may come yet.
        assert_eq!(slots.free(false), (2, 1));
        let early: Vec<_> = (0..201).map_while(|_| slots.take()).collect();
        assert_eq!(early.len(), 200);
        drop(early);
        assert_eq!(slots.free(true), (2, 1));
        let taken = [slots.take(), slots.take()];
        assert!(taken.iter().all(Option::is_some) && slots.take().is_none());
        drop(taken);
        assert_eq!(slots.free(true), (2, 1));
        slots.drain();
        assert!(slots.take().is_none() && slots.is_empty());
    }
}
