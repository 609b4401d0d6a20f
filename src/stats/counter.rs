//! Numbers that one thread writes and the admin thread reads: relaxed atomics, no lock.
//! Any thread; a reading may be a moment old and is never torn.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Replaces the value.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `n` and gives the value before.
    pub fn rise(&self, n: u64) -> u64 {
        self.0.fetch_add(n, Ordering::Relaxed)
    }

    /// Takes `n` away; it must have been added before.
    pub fn fall(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many buckets a [`Histogram`] has: the last one takes everything from 2^27 on.
pub const BUCKETS: usize = 28;

/// Counts by powers of two: bucket `i` holds values of at most `2^i`, the last one the rest.
/// Durations are counted in microseconds: from 1 us to a little over two minutes.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts one duration, in microseconds.
    pub fn record_time(&self, time: Duration) {
        self.record_times(time, 1);
    }

    /// Counts one duration `times` times.
    pub fn record_times(&self, time: Duration, times: u64) {
        self.record_many(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), times);
    }

    fn record_many(&self, value: u64, times: u64) {
        let bits = u64::BITS - value.saturating_sub(1).leading_zeros();
        let bucket = usize::try_from(bits).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.buckets[bucket].fetch_add(times, Ordering::Relaxed);
        self.sum.fetch_add(value.wrapping_mul(times), Ordering::Relaxed);
    }

    /// Adds this histogram's counts to `into` and its sum to the returned one.
    pub fn collect(&self, into: &mut [u64; BUCKETS]) -> u64 {
        for (sum, bucket) in into.iter_mut().zip(&self.buckets) {
            *sum += bucket.load(Ordering::Relaxed);
        }
        self.sum.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, 5, 1 << 40] {
            histogram.record(value);
        }
        let mut counts = [0; BUCKETS];
        assert_eq!(histogram.collect(&mut counts), 15 + (1 << 40));
        assert_eq!(counts[..4], [2, 1, 2, 1]);
        assert_eq!(counts[BUCKETS - 1], 1);
    }
}
