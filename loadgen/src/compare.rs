//! `loadgen compare`: whether one run, or set of runs, is better than another, and how sure
//! that is. With three runs or more on both sides a run is a sample; with fewer, a second of a
//! run is.

use std::fmt::Write;
use std::path::PathBuf;

use crate::args::CompareArgs;
use crate::report::{Report, Second};
use crate::run::Fault;
use crate::student::{Ratio, ratio};
use crate::units::{show, thousands};

/// From this many runs on each side, the runs themselves are compared.
const RUNS: usize = 3;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Right answers a second; more is better, and in an open loop it is what was asked for.
    Throughput,
    /// Latencies; less is better.
    P50,
    /// See `P50`.
    P99,
    /// See `P50`.
    P999,
}

/// What the interval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All of the interval is on the good side, and the ratio beyond the margin.
    Better,
    /// All of it is on the bad side, and the ratio beyond the margin.
    Worse,
    /// All of it is within the margin.
    Same,
    /// It is too wide, or there is too little to compare.
    Unclear,
}

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What is compared.
    pub metric: Metric,
    /// Mean before: requests a second, or nanoseconds.
    pub before: f64,
    /// Mean after.
    pub after: f64,
    /// After to before; `None` when there are too few samples.
    pub ratio: Option<Ratio>,
    /// What that means.
    pub verdict: Verdict,
}

impl Metric {
    const ALL: [Self; 4] = [Self::Throughput, Self::P50, Self::P99, Self::P999];

    fn name(self) -> &'static str {
        match self {
            Self::Throughput => "requests/s",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
        }
    }

    fn of_run(self, report: &Report) -> f64 {
        match self {
            Self::Throughput => report.requests_per_s,
            Self::P50 => report.latency.p50 as f64,
            Self::P99 => report.latency.p99 as f64,
            Self::P999 => report.latency.p999 as f64,
        }
    }

    fn of_second(self, second: &Second) -> f64 {
        let value = match self {
            Self::Throughput => second.answered,
            Self::P50 => second.p50,
            Self::P99 => second.p99,
            Self::P999 => second.p999,
        };
        value as f64
    }

    fn show(self, value: f64) -> String {
        if self == Self::Throughput { thousands(value) } else { show(value) }
    }
}

/// `loadgen compare`: true unless worse was asked about and found.
///
/// # Errors
/// When a report does not read or the margin is no share.
pub fn run(args: &CompareArgs) -> Result<bool, Fault> {
    if !(0.0..1.0).contains(&args.margin) {
        return Err(Fault::Usage("--margin is a share from 0 to below 1".into()));
    }
    let read = |paths: &[PathBuf]| -> Result<Vec<Report>, Fault> {
        paths.iter().map(|path| Report::read_json(path).map_err(Fault::Failed)).collect()
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let findings = compare(&before, &after, args.margin);
    print!("{}", render(&before, &after, &findings));
    let worse = findings.iter().any(|finding| finding.verdict == Verdict::Worse);
    Ok(!(worse && args.fail_if_worse))
}

/// Compares; a difference up to `margin` is none.
pub fn compare(before: &[Report], after: &[Report], margin: f64) -> Vec<Finding> {
    let finding = |metric: Metric| {
        let (a, b) = (samples(metric, before, after), samples(metric, after, before));
        let ratio = ratio(&a, &b);
        Finding {
            metric,
            before: mean(&a),
            after: mean(&b),
            ratio,
            verdict: verdict(metric, ratio, margin),
        }
    };
    Metric::ALL.into_iter().map(finding).collect()
}

fn by_run(one: &[Report], other: &[Report]) -> bool {
    one.len() >= RUNS && other.len() >= RUNS
}

fn samples(metric: Metric, of: &[Report], beside: &[Report]) -> Vec<f64> {
    if by_run(of, beside) {
        return of.iter().map(|report| metric.of_run(report)).collect();
    }
    // A last second that was cut short has less of everything.
    let whole = |report: &Report| report.measured_s.floor() as usize;
    let seconds = of.iter().flat_map(|report| report.seconds.iter().take(whole(report)));
    seconds.map(|second| metric.of_second(second)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn verdict(metric: Metric, ratio: Option<Ratio>, margin: f64) -> Verdict {
    let Some(Ratio { ratio, low, high }) = ratio else {
        return Verdict::Unclear;
    };
    let (less, more) = match metric {
        Metric::Throughput => (Verdict::Worse, Verdict::Better),
        _ => (Verdict::Better, Verdict::Worse),
    };
    if low >= 1.0 / (1.0 + margin) && high <= 1.0 + margin {
        Verdict::Same
    } else if high < 1.0 && ratio < 1.0 / (1.0 + margin) {
        less
    } else if low > 1.0 && ratio > 1.0 + margin {
        more
    } else {
        Verdict::Unclear
    }
}

/// The comparison as text.
pub fn render(before: &[Report], after: &[Report], findings: &[Finding]) -> String {
    let mut out = String::new();
    let (unit, few) = match by_run(before, after) {
        true => ("runs", ""),
        false => {
            ("seconds", "; seconds of one run are alike, so give three runs of each to be sure")
        }
    };
    let count = |side: &[Report]| match by_run(before, after) {
        true => side.len(),
        false => side.iter().map(|report| report.measured_s.floor() as usize).sum(),
    };
    let _ = writeln!(
        out,
        "{} {unit} before, {} after; 95% intervals of the ratio by Welch's t on logarithms{few}",
        count(before),
        count(after),
    );
    let _ = writeln!(out, "\n{:12}{:>12}{:>12}  ratio and interval", "", "before", "after");
    for finding in findings {
        let Finding { metric, before, after, ratio, verdict } = finding;
        let interval = match ratio {
            Some(Ratio { ratio, low, high }) => format!("{ratio:.3}  [{low:.3}, {high:.3}]"),
            None => "too few samples".to_owned(),
        };
        let verdict = match verdict {
            Verdict::Better => "better",
            Verdict::Worse => "WORSE",
            Verdict::Same => "same",
            Verdict::Unclear => "not shown",
        };
        let (before, after) = (metric.show(*before), metric.show(*after));
        let _ =
            writeln!(out, "{:12}{before:>12}{after:>12}  {interval:24}  {verdict}", metric.name());
    }
    for (report, side) in
        before.iter().map(|report| (report, "before")).chain(after.iter().map(|r| (r, "after")))
    {
        if report.failed() > 0 {
            let failed = report.failed();
            let _ =
                writeln!(out, "note: a run {side} had {failed} failures, whose times do not count");
        }
        if !report.held() {
            let _ = writeln!(out, "note: a run {side} did not hold its rate");
        }
    }
    if differ(before, after) {
        let _ = writeln!(out, "note: the runs did not ask for the same");
    }
    out
}

/// Whether anything but the target differs between what the runs were asked for.
fn differ(before: &[Report], after: &[Report]) -> bool {
    let plain = |report: &Report| {
        let mut settings = report.settings.clone();
        settings.target.clear();
        settings
    };
    let mut all = before.iter().chain(after).map(plain);
    let first = all.next();
    all.any(|settings| Some(&settings) != first.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::report::sample;

    /// A run whose p99 is spread by a tenth around this.
    fn run_of(p99: f64, seed: u64, seconds: usize) -> Report {
        let mut random = Random::new(seed);
        let mut report = sample(seconds);
        for second in &mut report.seconds {
            second.p99 = (p99 * (0.9 + 0.2 * random.unit())) as u64;
        }
        report.latency.p99 = (p99 * (0.99 + 0.02 * random.unit())) as u64;
        report
    }

    fn p99(before: &[Report], after: &[Report]) -> Finding {
        let all = compare(before, after, 0.02);
        all.into_iter().find(|finding| finding.metric == Metric::P99).expect("p99 is compared")
    }

    #[test]
    fn a_difference_is_shown_and_noise_is_not() {
        let before = [run_of(1e6, 1, 30)];
        let slower = p99(&before, &[run_of(1.3e6, 2, 30)]);
        assert_eq!(slower.verdict, Verdict::Worse);
        let ratio = slower.ratio.expect("there are samples");
        assert!(ratio.low < 1.3 && 1.3 < ratio.high, "{ratio:?}");
        assert_eq!(p99(&before, &[run_of(0.7e6, 3, 30)]).verdict, Verdict::Better);
        assert_eq!(p99(&before, &[run_of(1.005e6, 4, 300)]).verdict, Verdict::Unclear);
        assert_eq!(
            p99(&[run_of(1e6, 5, 2_000)], &[run_of(1e6, 6, 2_000)]).verdict,
            Verdict::Same,
            "many samples narrow the interval down"
        );
        assert_eq!(p99(&[run_of(1e6, 1, 1)], &[run_of(2e6, 2, 1)]).verdict, Verdict::Unclear);
    }

    #[test]
    fn three_runs_a_side_are_samples_themselves() {
        let runs = |p99: f64| [1, 2, 3].map(|seed| run_of(p99, seed, 10));
        let (before, after) = (runs(1e6), runs(1.2e6));
        let finding = p99(&before, &after);
        assert_eq!(finding.verdict, Verdict::Worse);
        let text = render(&before, &after, &[finding]);
        assert!(text.starts_with("3 runs before, 3 after"), "{text}");
        assert!(text.contains("WORSE"), "{text}");
    }

    #[test]
    fn more_throughput_is_better() {
        let [mut slow, mut fast] = [sample(10), sample(10)];
        slow.seconds.iter_mut().for_each(|second| second.answered = 1_000);
        fast.seconds.iter_mut().for_each(|second| second.answered = 1_100);
        let finding = &compare(&[slow], &[fast], 0.02)[0];
        assert_eq!((finding.metric, finding.verdict), (Metric::Throughput, Verdict::Better));
    }
}
