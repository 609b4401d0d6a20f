//! (pure) Zipfian ranks: rank r (from 0) with a probability proportional to 1/(r+1)^theta.
//! Exact for every theta above 0 and every count, without a table.

use crate::random::Random;

/// Rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from
/// monotone discrete distributions", 1996).
#[derive(Debug, Clone)]
pub struct Zipf {
    count: f64,
    theta: f64,
    low: f64,
    high: f64,
    shortcut: f64,
}

impl Zipf {
    /// Ranks 0 to `count - 1`; both arguments are above 0.
    pub fn new(count: u64, theta: f64) -> Self {
        let mut zipf = Self { count: 0.0, theta, low: 0.0, high: 0.0, shortcut: 0.0 };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.shortcut = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf.resize(count);
        zipf
    }

    /// Draws from this many ranks from now on.
    pub fn resize(&mut self, count: u64) {
        self.count = count as f64;
        self.high = self.integral(self.count + 0.5);
    }

    /// How many ranks there are.
    pub fn count(&self) -> u64 {
        self.count as u64
    }

    /// One rank.
    #[inline]
    pub fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let at = self.high + random.unit() * (self.low - self.high);
            let x = self.inverse(at);
            let rank = x.round().clamp(1.0, self.count);
            if rank - x <= self.shortcut || at >= self.integral(rank + 0.5) - self.weight(rank) {
                return rank as u64 - 1;
            }
        }
    }

    fn weight(&self, x: f64) -> f64 {
        (-self.theta * x.ln()).exp()
    }

    /// An antiderivative of `weight`.
    fn integral(&self, x: f64) -> f64 {
        let slope = 1.0 - self.theta;
        if slope == 0.0 { x.ln() } else { (slope * x.ln()).exp_m1() / slope }
    }

    fn inverse(&self, y: f64) -> f64 {
        let slope = 1.0 - self.theta;
        if slope == 0.0 { y.exp() } else { ((y * slope).max(-1.0).ln_1p() / slope).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_ranks_are_those_of_the_law() {
        for theta in [0.5, 0.99, 1.0, 1.3] {
            let count = 1_000;
            let zipf = Zipf::new(count, theta);
            let mut random = Random::new(11);
            let mut seen = vec![0u32; count as usize];
            let draws = 400_000;
            for _ in 0..draws {
                seen[zipf.draw(&mut random) as usize] += 1;
            }
            let total: f64 = (1..=count).map(|rank| (rank as f64).powf(-theta)).sum();
            for rank in [1usize, 2, 3, 10, 100] {
                let wanted = f64::from(draws) * (rank as f64).powf(-theta) / total;
                let got = f64::from(seen[rank - 1]);
                let spread = 5.0 * wanted.sqrt() + 1.0;
                assert!((got - wanted).abs() < spread, "{theta} {rank}: {got}, not {wanted}");
            }
        }
    }

    #[test]
    fn one_rank_is_always_drawn() {
        let zipf = Zipf::new(1, 0.99);
        assert_eq!(zipf.draw(&mut Random::new(3)), 0);
    }
}
