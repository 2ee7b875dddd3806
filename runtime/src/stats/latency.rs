//! How long calls took, in exponential buckets: four for each power of two.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Four buckets for each power of two of nanoseconds.
const BUCKETS: usize = 4 * 64;

#[derive(Debug)]
pub(super) struct Histogram([AtomicU64; BUCKETS]);

impl Histogram {
    pub(super) fn new() -> Self {
        Self([const { AtomicU64::new(0) }; BUCKETS])
    }

    pub(super) fn note(&self, nanoseconds: u64) {
        self.0[bucket(nanoseconds)].fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Latency {
        Latency { buckets: self.0.iter().map(|count| count.load(Relaxed)).collect() }
    }
}

/// How long calls took from the call to the end, for a sample: a function's first thousand on each
/// thread, and then one in 64.
#[derive(Clone, Debug)]
pub struct Latency {
    buckets: Box<[u64]>,
}

impl Latency {
    /// How many calls were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// A quantile: 0.5 for the median, 0.99 for the 99th percentile. It is accurate to one eighth.
    /// `None` if no call was timed.
    ///
    /// # Panics
    /// If the part is not between 0 and 1.
    #[must_use]
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        assert!((0.0..=1.0).contains(&part), "a quantile is between 0 and 1, and not {part}");
        // Rounded up: of two calls, the median is the first.
        let rank = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let found = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let (from, to) = (start(found), start(found + 1));
        Some(Duration::from_nanos(from + (to - from) / 2))
    }
}

fn bucket(nanoseconds: u64) -> usize {
    let power = nanoseconds.max(1).ilog2();
    let quarter = (u128::from(nanoseconds) << 2 >> power) as usize & 0b11;
    power as usize * 4 + quarter
}

/// The shortest time of a bucket.
fn start(bucket: usize) -> u64 {
    let (whole, quarter) = (1_u128 << (bucket / 4), bucket as u128 % 4);
    u64::try_from(whole + ((whole * quarter) >> 2)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_falls_between_the_bounds_of_its_bucket() {
        let times = (0..64).flat_map(|power| [1_u64 << power, (1 << power) + (1 << power) / 3]);
        for time in times.chain([0, 1, 2, 3, 5, 1_000, 999_999_999, u64::MAX]) {
            let bucket = bucket(time);
            assert!(start(bucket) <= time.max(1), "{time} in {bucket}");
            assert!(time <= start(bucket + 1), "{time} in {bucket}");
        }
    }

    #[test]
    fn quantiles_are_right_to_an_eighth() {
        let histogram = Histogram::new();
        for time in 1..=1_000_u64 {
            histogram.note(time * 1_000);
        }
        let latency = histogram.read();
        assert_eq!(latency.count(), 1_000);
        for part in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let found = latency.quantile(part).unwrap().as_nanos() as f64;
            let exact = 1_000_000.0 * part;
            assert!((found / exact - 1.0).abs() <= 0.125, "{part}: {found} for {exact}");
        }
        assert_eq!(Histogram::new().read().quantile(0.5), None);
    }
}
