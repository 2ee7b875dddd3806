//! How many calls a machine takes at a time: as many as it has workers, or a few more of those that
//! are over before the next could come.
//!
//! What a machine has taken no other can run, so it takes what it can begin at once. But a call of
//! some microseconds is over long before its caller has heard so and sent another, and with one for
//! each worker they would mostly wait for the broker. So a machine takes as many as it runs within
//! a moment.

use std::time::Duration;

/// How long the calls may wait here that are taken ahead: about as long as the broker takes.
const AHEAD: Duration = Duration::from_millis(5);
/// The most calls that are taken for each worker.
const DEPTH_MAX: u64 = 512;

pub(crate) struct Depth {
    workers: u64,
    /// How long a call takes, in nanoseconds, as a mean in which the past fades.
    usual: u64,
}

impl Depth {
    pub(crate) fn new(workers: usize) -> Self {
        // One for each worker, until it is known better.
        Self { workers: workers as u64, usual: u64::MAX / 2 }
    }

    /// How many calls may be here at a time.
    pub(crate) fn capacity(&self) -> u64 {
        let depth = (AHEAD.as_nanos() as u64 / self.usual.max(1)).clamp(1, DEPTH_MAX);
        self.workers * depth
    }

    /// Notes how long a call took, while so many that were taken with it waited.
    pub(crate) fn took(&mut self, time: Duration, beside: usize) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
        let own = time / (beside as u64).div_ceil(self.workers).max(1);
        let usual = self.usual;
        let is_long = own > AHEAD.as_nanos() as u64;
        // A long one counts at once, others by and by.
        self.usual = match own {
            own if is_long => own.max(usual),
            own if own < usual => usual - (usual - own).div_ceil(8),
            own => usual + (own - usual) / 8,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_calls_are_taken_ahead_and_a_long_one_ends_that() {
        let mut depth = Depth::new(2);
        assert_eq!(depth.capacity(), 2);
        (0..1000).for_each(|_| depth.took(Duration::from_micros(50), 1));
        assert_eq!(depth.capacity(), 200);
        (0..1000).for_each(|_| depth.took(Duration::from_micros(5000), 200));
        assert_eq!(depth.capacity(), 200);
        depth.took(Duration::from_millis(20), 1);
        assert_eq!(depth.capacity(), 2);
    }
}
