//! Whether a server that could not be reached is asked again: not before a pause that doubles with
//! each failure, and then by one call, not by all that wait. Shared by all calls; takes no lock.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first pause and the longest. A node that restarts is asked again soon; one that cannot be
/// reached from here at all costs a call its time to connect once in the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// How it went with a server lately.
#[derive(Debug)]
pub(crate) struct Health {
    start: Instant,
    failures: AtomicU32,
    // Milliseconds after `start`.
    pause_ends: AtomicU64,
}

impl Health {
    /// Nothing was tried.
    pub(crate) fn new(start: Instant) -> Self {
        Self { start, failures: AtomicU32::new(0), pause_ends: AtomicU64::new(0) }
    }

    /// Whether it is to be asked at `now` like others.
    pub(crate) fn is_up(&self, now: Instant) -> bool {
        self.failures.load(Ordering::Relaxed) == 0 || !self.pauses(now)
    }

    /// It is asked at `now`. When it failed before, this call finds out for all whether it is back.
    pub(crate) fn asked(&self, now: Instant) {
        if self.failures.load(Ordering::Relaxed) > 0 && !self.pauses(now) {
            self.pause(now);
        }
    }

    /// It answered.
    pub(crate) fn well(&self) {
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// It could not be reached, or an answer broke off. Calls that fail together count once.
    pub(crate) fn failed(&self, now: Instant) {
        if self.is_up(now) {
            self.pause(now);
        }
    }

    fn pauses(&self, now: Instant) -> bool {
        self.after_start(now) < self.pause_ends.load(Ordering::Relaxed)
    }

    fn pause(&self, now: Instant) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let longest = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
        let ends = self.after_start(now + jittered(longest));
        self.pause_ends.store(ends, Ordering::Relaxed);
    }

    fn after_start(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX)
    }
}

/// Between half of `longest` and all of it, so that those who wait do not come back together.
pub(crate) fn jittered(longest: Duration) -> Duration {
    let part = f64::from(random() as u32) / f64::from(u32::MAX);
    longest.mul_f64(0.5 + part / 2.0)
}

/// Any number. The standard library seeds each of its hash maps with one.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_one_call_ends_them() {
        let start = Instant::now();
        let health = Health::new(start);
        assert!(health.is_up(start));
        health.failed(start);
        health.failed(start);
        assert!(!health.is_up(start + FIRST / 3));
        let later = start + FIRST;
        assert!(health.is_up(later), "two that failed together count once");
        health.asked(later);
        assert!(!health.is_up(later), "one call finds out for all");
        (0..100).for_each(|n| health.asked(later + LONGEST * n));
        let last = later + LONGEST * 99;
        assert!(!health.is_up(last) && health.is_up(last + LONGEST));
        health.well();
        assert!(health.is_up(last));
    }

    #[test]
    fn jitter_is_half_to_whole() {
        for _ in 0..1_000 {
            let pause = jittered(FIRST);
            assert!(pause >= FIRST / 2 && pause <= FIRST, "{pause:?}");
        }
    }
}
