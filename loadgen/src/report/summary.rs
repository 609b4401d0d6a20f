//! (pure) Histograms and seconds as a report keeps them: what is read off, and enough buckets to
//! read off more.

use serde::{Deserialize, Serialize};

use crate::record::{Interval, Times, times};

/// One second of the measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Right answers that came in it.
    pub answered: u64,
    /// Failures of it.
    pub failed: u64,
    /// Requests in flight at its end.
    pub in_flight: u64,
    /// Latencies of its answers.
    pub p50: u64,
    /// See `p50`.
    pub p99: u64,
    /// See `p50`.
    pub p999: u64,
    /// See `p50`.
    pub max: u64,
}

/// A histogram and what is read off it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
    /// The smallest.
    pub min: u64,
    /// Percentiles.
    pub p50: u64,
    /// See `p50`.
    pub p90: u64,
    /// See `p50`.
    pub p99: u64,
    /// See `p50`.
    pub p999: u64,
    /// See `p50`.
    pub p9999: u64,
    /// The largest.
    pub max: u64,
    /// Every bucket in use: its highest value and its count.
    pub buckets: Vec<(u64, u64)>,
}

impl From<&Times> for Summary {
    fn from(times: &Times) -> Self {
        let at = |quantile| times.value_at_quantile(quantile);
        Self {
            count: times.len(),
            mean: times.mean(),
            deviation: times.stdev(),
            min: times.min(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: times.max(),
            buckets: times
                .iter_recorded()
                .map(|step| (step.value_iterated_to(), step.count_at_value()))
                .collect(),
        }
    }
}

impl Summary {
    /// The histogram again, from its buckets.
    pub fn times(&self) -> Times {
        let mut all = times();
        for &(value, count) in &self.buckets {
            all.saturating_record_n(value, count);
        }
        all
    }
}

impl Second {
    /// What a report keeps of it.
    pub fn new(interval: &Interval) -> Self {
        let latency = interval.latency();
        let at = |quantile| latency.value_at_quantile(quantile);
        Self {
            answered: interval.answered(),
            failed: interval.failures.iter().sum(),
            in_flight: interval.in_flight,
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: latency.max(),
        }
    }
}
