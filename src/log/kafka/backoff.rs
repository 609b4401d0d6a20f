//! (pure) How long to rest before the next try: 50 ms, doubling to two seconds.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LAST: Duration = Duration::from_secs(2);

/// Rests that grow; a new one begins with the shortest.
#[derive(Default)]
pub struct Backoff(u32);

impl Backoff {
    /// The next rest.
    pub fn rest(&mut self) -> Duration {
        let rest = FIRST * 2_u32.pow(self.0);
        self.0 = (self.0 + 1).min(6);
        rest.min(LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_two_seconds() {
        let mut backoff = Backoff::default();
        let rests: Vec<u128> = (0..8).map(|_| backoff.rest().as_millis()).collect();
        assert_eq!(rests, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
    }
}
