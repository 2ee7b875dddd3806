//! How many calls a machine accepts at a time: one per worker, or more of very short ones.
//!
//! No other machine can run an accepted call, so a machine accepts only what it can start at once.
//! But a call of a few microseconds is over long before its caller learns that and sends another,
//! so with one per worker they would mostly wait for the broker. So a machine accepts as many as it
//! runs within a short time.

use std::time::Duration;

/// How long calls accepted ahead may wait here: about a round trip through the broker.
const AHEAD: Duration = Duration::from_millis(5);
/// The maximum number of calls per worker.
const MAX_DEPTH: u64 = 512;

pub(crate) struct Depth {
    workers: u64,
    /// The duration of a call in nanoseconds, as a moving average.
    usual: u64,
}

impl Depth {
    pub(crate) fn new(workers: usize) -> Self {
        // One per worker until there is a measurement.
        Self { workers: workers as u64, usual: u64::MAX / 2 }
    }

    /// How many calls may be here at a time.
    pub(crate) fn capacity(&self) -> u64 {
        let depth = (AHEAD.as_nanos() as u64 / self.usual.max(1)).clamp(1, MAX_DEPTH);
        self.workers * depth
    }

    /// Records how long a call took while this many others waited.
    pub(crate) fn took(&mut self, time: Duration, beside: usize) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2).min(u64::MAX / 2);
        let own = time / (beside as u64).div_ceil(self.workers).max(1);
        let usual = self.usual;
        let is_long = own > AHEAD.as_nanos() as u64;
        // A long call counts immediately, others gradually.
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
