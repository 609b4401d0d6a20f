//! (pure) When requests are due. In an open loop that is a schedule which no answer can delay; in a
//! closed loop a request is due when its place becomes free.

use crate::random::Random;

const SECOND: f64 = 1e9;

/// The due times of one driver thread, nanoseconds on its clock.
#[derive(Debug)]
pub struct Schedule {
    next: f64,
    first: f64,
    count: u64,
    period: f64,
    /// For gaps with an exponential distribution; `None` for equal ones.
    random: Option<Random>,
}

impl Schedule {
    /// The share of thread `thread` of `threads` in `rate` requests a second from `start` on. With
    /// equal gaps the threads take turns; with a seed, all together are a Poisson process.
    pub fn new(rate: f64, thread: u64, threads: u64, start: u64, poisson: Option<u64>) -> Self {
        let period = SECOND * threads as f64 / rate;
        let offset = match poisson {
            None => SECOND / rate * thread as f64,
            Some(_) => 0.0,
        };
        let first = start as f64 + offset;
        let random = poisson.map(|seed| Random::new(seed.wrapping_add(thread)));
        let mut schedule = Self { next: first, first, count: 0, period, random };
        if schedule.random.is_some() {
            schedule.advance();
        }
        schedule
    }

    /// When the next request is due.
    #[inline]
    pub fn due(&self) -> u64 {
        self.next as u64
    }

    /// Goes on to the one after it.
    #[inline]
    pub fn advance(&mut self) {
        self.count += 1;
        self.next = match &mut self.random {
            // Not a sum: rounding would add up over a long run.
            None => self.first + self.count as f64 * self.period,
            Some(random) => self.next - (1.0 - random.unit()).ln() * self.period,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn until(end: u64, mut schedule: Schedule) -> Vec<u64> {
        let mut times = Vec::new();
        while schedule.due() < end {
            times.push(schedule.due());
            schedule.advance();
        }
        times
    }

    #[test]
    fn threads_take_turns_at_equal_gaps() {
        let shares =
            (0..3).map(|thread| until(2_000_000_000, Schedule::new(3e4, thread, 3, 0, None)));
        let mut all: Vec<u64> = shares.flatten().collect();
        all.sort_unstable();
        assert_eq!(all.len(), 60_000);
        let gaps = all.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| (33_330..33_337).contains(&gap)));
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread() {
        let times = until(1_000_000_000, Schedule::new(1e5, 0, 1, 0, Some(3)));
        assert!((98_500..101_500).contains(&times.len()), "{}", times.len());
        let long = times.windows(2).filter(|pair| pair[1] - pair[0] > 10_000).count();
        let share = long as f64 / times.len() as f64;
        assert!((0.35..0.39).contains(&share), "1/e of the gaps are above the mean: {share}");
    }
}
