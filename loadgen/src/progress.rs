//! The live line on stderr, where that is a terminal. Written once a second by the collecting
//! thread.

use std::io::{IsTerminal, Write, stderr};

use crate::record::Interval;
use crate::units::{show, thousands};

/// The line.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    seconds: Option<u64>,
    failed: u64,
    name: String,
}

impl Progress {
    /// A line for a run of this many seconds, where that is known, unless it is not wanted.
    pub fn new(name: &str, seconds: Option<u64>, quiet: bool) -> Self {
        let shown = !quiet && stderr().is_terminal();
        Self { shown, seconds, failed: 0, name: name.to_owned() }
    }

    /// Shows a second.
    pub fn show(&mut self, second: &Interval) {
        self.failed += second.failures.iter().sum::<u64>();
        // Late answers make seconds beyond the last.
        if !self.shown || self.seconds.is_some_and(|seconds| second.second >= seconds) {
            return;
        }
        let line = line(&self.name, second, self.seconds, self.failed);
        let _ = write!(stderr(), "\r\x1b[K{line}").and_then(|()| stderr().flush());
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn line(name: &str, second: &Interval, of: Option<u64>, failed: u64) -> String {
    let latency = second.latency();
    let at = |quantile| show(latency.value_at_quantile(quantile) as f64);
    let rate = thousands(second.answered() as f64);
    let of = of.map_or(String::new(), |seconds| format!("/{seconds}"));
    let (at_second, in_flight) = (second.second + 1, second.in_flight);
    let (p50, p99, max) = (at(0.5), at(0.99), show(latency.max() as f64));
    format!(
        "{name}{at_second}{of} s  {rate}/s  p50 {p50}  p99 {p99}  max {max}  \
         in flight {in_flight}  failed {failed}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_one_line() {
        let mut second = Interval { second: 4, in_flight: 9, ..Interval::default() };
        let times = &mut second.ops.entry(crate::mix::Op::Read).or_default().latency;
        times.saturating_record_n(200_000, 1_500);
        let text = line("", &second, Some(10), 2);
        assert!(text.starts_with("5/10 s  1,500/s  p50 200 us  p99 200 us"), "{text}");
        assert!(text.ends_with("in flight 9  failed 2") && !text.contains('\n'), "{text}");
    }
}
