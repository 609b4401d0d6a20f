//! (pure) Two samples compared by Welch's t-test on logarithms (Welch 1947): the ratio of their
//! geometric means with a 95% confidence interval, which is symmetric in ratios.

/// 97.5% quantiles of Student's t for 1 to 30 degrees of freedom.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];
/// The same for more, and the normal distribution's.
const T_ABOVE: [(f64, f64); 4] = [(30.0, 2.042), (40.0, 2.021), (60.0, 2.000), (120.0, 1.980)];
const NORMAL: f64 = 1.960;

/// A ratio, after to before, with its 95% confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Of the geometric means.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The ratio of `after` to `before`; `None` when either has less than two values above 0, which is
/// what a spread and a logarithm need.
pub fn ratio(before: &[f64], after: &[f64]) -> Option<Ratio> {
    let (a, b) = (moments(before)?, moments(after)?);
    let difference = b.mean - a.mean;
    let (share_a, share_b) = (a.variance / a.count, b.variance / b.count);
    let error = (share_a + share_b).sqrt();
    let reach = if error == 0.0 {
        0.0
    } else {
        let freedom = (share_a + share_b).powi(2)
            / (share_a.powi(2) / (a.count - 1.0) + share_b.powi(2) / (b.count - 1.0));
        t(freedom) * error
    };
    Some(Ratio {
        ratio: difference.exp(),
        low: (difference - reach).exp(),
        high: (difference + reach).exp(),
    })
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

/// Of the logarithms.
fn moments(values: &[f64]) -> Option<Moments> {
    let logs: Vec<f64> = values.iter().filter(|value| **value > 0.0).map(|v| v.ln()).collect();
    if logs.len() < 2 || logs.len() < values.len() {
        return None;
    }
    let count = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / count;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (count - 1.0);
    Some(Moments { count, mean, variance })
}

/// The quantile for any degrees of freedom of at least 1. Between the rows of the table it is
/// linear in 1 / freedom, which is right to the third digit.
fn t(freedom: f64) -> f64 {
    let freedom = freedom.max(1.0);
    if freedom <= 30.0 {
        let at = freedom.floor() as usize;
        let (here, next) = (T[at - 1], T[at.min(T.len() - 1)]);
        return between(freedom, (at as f64, here), (at as f64 + 1.0, next));
    }
    for pair in T_ABOVE.windows(2) {
        if freedom <= pair[1].0 {
            return between(freedom, pair[0], pair[1]);
        }
    }
    let (last, value) = T_ABOVE[T_ABOVE.len() - 1];
    NORMAL + (value - NORMAL) * last / freedom
}

fn between(freedom: f64, (low, at_low): (f64, f64), (high, at_high): (f64, f64)) -> f64 {
    let share = (1.0 / low - 1.0 / freedom) / (1.0 / low - 1.0 / high);
    at_low + share * (at_high - at_low)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn quantiles_are_those_of_the_table() {
        for (freedom, wanted) in
            [(1.0, 12.706), (10.0, 2.228), (30.0, 2.042), (50.0, 2.009), (100.0, 1.984)]
        {
            assert!((t(freedom) - wanted).abs() < 0.002, "{freedom}: {}", t(freedom));
        }
        assert!((t(1e9) - NORMAL).abs() < 1e-6);
    }

    #[test]
    fn the_interval_holds_the_truth_nineteen_times_of_twenty() {
        let mut random = Random::new(17);
        let mut normal = |mean: f64| {
            let sum: f64 = (0..12).map(|_| random.unit()).sum();
            (mean + 0.1 * (sum - 6.0)).exp()
        };
        let held = (0..1_000)
            .filter(|_| {
                let before: Vec<f64> = (0..8).map(|_| normal(1.0)).collect();
                let after: Vec<f64> = (0..12).map(|_| normal(1.2)).collect();
                let got = ratio(&before, &after).unwrap();
                (got.low..=got.high).contains(&0.2f64.exp())
            })
            .count();
        assert!((925..=975).contains(&held), "{held} of 1000");
    }

    #[test]
    fn too_little_is_no_sample() {
        assert_eq!(ratio(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(ratio(&[0.0, 1.0, 2.0], &[1.0, 2.0]), None);
        let same = ratio(&[2.0, 2.0], &[3.0, 3.0]).unwrap();
        assert!((same.low - 1.5).abs() < 1e-9 && (same.high - 1.5).abs() < 1e-9);
    }
}
