//! Whether a node that could not be reached is tried again: not before a pause that doubles
//! with each failure and is spread, so that many cores do not try at one moment.

use std::time::{Duration, Instant};

/// The first pause and the longest: a node that restarts is found again within two seconds.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// How it went with a node lately.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    failures: u32,
    /// Until when it is left alone, and why.
    pause: Option<(Instant, String)>,
}

impl Health {
    /// It could be reached.
    pub(super) fn well(&mut self) {
        *self = Self::default();
    }

    /// It could not, at `now`; `spread` is any number from 0 to 1.
    pub(super) fn failed(&mut self, now: Instant, why: String, spread: f64) {
        let longest = FIRST.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.pause = Some((now + longest.mul_f64(0.5 + spread / 2.0), why));
    }

    /// Why it must not be tried at `now`, if so.
    pub(super) fn pauses(&self, now: Instant) -> Option<&str> {
        self.pause.as_ref().filter(|(until, _)| now < *until).map(|(_, why)| why.as_str())
    }

    /// Whether the last try went well, or none was made, or it is time for the next one: who is
    /// never asked again is never found again.
    pub(super) fn is_well(&self, now: Instant) -> bool {
        self.pauses(now).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_bound_and_end_with_a_success() {
        let (mut health, start) = (Health::default(), Instant::now());
        assert!(health.is_well(start));
        for (failure, longest) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1_600), (5, 2_000)] {
            let why = failure.to_string();
            health.failed(start, why.clone(), 1.0);
            let within = start + Duration::from_millis(longest) - Duration::from_millis(1);
            assert_eq!(health.pauses(within), Some(why.as_str()));
            assert!(!health.is_well(within));
            assert!(health.is_well(start + Duration::from_millis(longest)));
        }
        (0..100).for_each(|_| health.failed(start, String::new(), 0.0));
        assert!(health.is_well(start + LONGEST / 2));
        health.well();
        assert!(health.is_well(start));
    }
}
