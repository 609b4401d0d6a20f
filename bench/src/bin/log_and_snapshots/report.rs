//! What is printed: one line a round, the median of the rounds, and whether a bar is held. Main
//! thread.

use std::fs;
use std::time::{Duration, Instant};

/// The middle of an odd number of figures, the lower middle of an even one.
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// A bar that figures must stay above.
pub fn at_least(what: &str, figure: f64, bar: f64) {
    verdict(what, figure, "at least", bar, figure >= bar);
}

/// A bar that figures must stay below.
pub fn at_most(what: &str, figure: f64, bar: f64) {
    verdict(what, figure, "at most", bar, figure <= bar);
}

fn verdict(what: &str, figure: f64, side: &str, bar: f64, held: bool) {
    let held = if held { "held" } else { "MISSED" };
    println!("=> {what}: {figure:.2}, {side} {bar}: {held}");
}

/// What was timed, with its seconds.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed().as_secs_f64())
}

/// CPU time of this process so far, all threads, from the kernel's ticks of 10 ms.
pub fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may have blanks: state is field 3, utime 14, stime 15.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2);
    Duration::from_millis(ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10)
}
