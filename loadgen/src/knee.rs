//! `loadgen knee`: the highest rate at which p99 stays below a bound. Doubles the rate until a step
//! fails twice, then halves the gap between the highest that passed and the lowest that failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use crate::args::KneeArgs;
use crate::drive::Loop;
use crate::report::html::facts;
use crate::report::page::{FAILED, head, page, push_table, tile, time_axis};
use crate::report::plot::{Axis, Line, render as plot};
use crate::report::{FORMAT, Report, write};
use crate::run::{Fault, drive, measure, settings};
use crate::units::{show, thousands};

const COLUMNS: [&str; 6] = ["rate", "achieved", "p50", "p99", "p99.9", "max"];

/// The search, apart from what is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    passed: Option<f64>,
    failed: Option<f64>,
    next: f64,
    most: f64,
    precision: f64,
}

impl Search {
    /// From this rate, up to that, to this share of the answer.
    pub fn new(from: f64, most: f64, precision: f64) -> Self {
        Self { passed: None, failed: None, next: from.min(most), most, precision }
    }

    /// The rate to try, `None` when the knee is known closely enough.
    pub fn next(&self) -> Option<f64> {
        match (self.passed, self.failed) {
            (Some(passed), _) if passed >= self.most => None,
            (Some(passed), Some(failed)) if failed <= passed * (1.0 + self.precision) => None,
            (None, Some(failed)) if failed < 1.0 => None,
            _ => Some(self.next),
        }
    }

    /// How the rate that was tried went.
    pub fn tried(&mut self, passed: bool) {
        let rate = self.next;
        if passed {
            self.passed = Some(rate);
        } else {
            self.failed = Some(rate);
        }
        self.next = match (self.passed, self.failed) {
            (Some(passed), Some(failed)) => (passed * failed).sqrt(),
            (Some(passed), None) => (passed * 2.0).min(self.most),
            (None, _) => rate / 4.0,
        };
    }

    /// The highest rate that passed.
    pub fn knee(&self) -> Option<f64> {
        self.passed
    }
}

/// What is written as JSON.
#[derive(Debug, Serialize)]
struct Found<'r> {
    format: u32,
    label: &'r str,
    /// Nanoseconds.
    bound_p99: u64,
    /// Requests a second; `None` when no rate passed.
    knee: Option<f64>,
    steps: &'r [Report],
}

/// `loadgen knee`: true when there is a rate that passes.
///
/// # Errors
/// When a step cannot begin, or a report not be written.
pub fn run(args: &KneeArgs, stop: &Arc<AtomicBool>) -> Result<bool, Fault> {
    let sound = args.from <= args.to && args.precision > 0.0 && args.precision < 1.0;
    if !sound {
        let fault = "--from is at most --to, --precision is above 0 and below 1";
        return Err(Fault::Usage(fault.into()));
    }
    let mut drive = drive(&args.target, &args.records, &args.work, stop)?;
    (drive.duration, drive.warm_up) = (args.step, args.warm_up);
    let mut search = Search::new(args.from, args.to, args.precision);
    let mut steps = Vec::new();
    if !args.output.quiet {
        println!("{}", COLUMNS.map(|name| format!("{name:>12}")).concat());
    }
    while let Some(rate) = search.next() {
        drive.pace = Loop::Open { rate, poisson: args.poisson };
        let name = format!("{}/s ", thousands(rate));
        let once = || measure(&drive, settings(&drive, &args.target), &args.output, &name);
        let mut report = once()?;
        // One hiccup of a machine is not the knee: a step fails when it fails twice.
        if refusal(&report, args.p99).is_some() && !stop.load(Ordering::Relaxed) {
            report = once()?;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let why = refusal(&report, args.p99);
        if !args.output.quiet {
            println!("{}", line(rate, &report, why));
        }
        search.tried(why.is_none());
        steps.push(report);
    }
    let bound = show(args.p99 as f64);
    match search.knee() {
        Some(knee) => println!("knee: {}/s with p99 up to {bound}", thousands(knee)),
        None => println!("knee: none; no rate has p99 up to {bound} and all answers right"),
    }
    write_all(args, &search, &steps)?;
    Ok(search.knee().is_some())
}

/// Why a step does not pass.
fn refusal(report: &Report, bound: u64) -> Option<&'static str> {
    if report.failed() > 0 {
        Some("failures")
    } else if !report.held() || report.unsent > 0 {
        Some("rate not held")
    } else if report.latency.p99 > bound {
        Some("p99 above the bound")
    } else {
        None
    }
}

fn cells(rate: f64, report: &Report) -> Vec<String> {
    let latency = &report.latency;
    let times = [latency.p50, latency.p99, latency.p999, latency.max];
    let times = times.iter().map(|time| show(*time as f64));
    [thousands(rate), thousands(report.requests_per_s)].into_iter().chain(times).collect()
}

fn line(rate: f64, report: &Report, why: Option<&str>) -> String {
    let cells: String = cells(rate, report).iter().map(|cell| format!("{cell:>12}")).collect();
    format!("{cells}  {}", why.unwrap_or("ok"))
}

fn write_all(args: &KneeArgs, search: &Search, steps: &[Report]) -> Result<(), Fault> {
    let output = &args.output;
    if let Some(path) = &output.json {
        let (label, bound_p99) = (output.label.as_str(), args.p99);
        let found = Found { format: FORMAT, label, bound_p99, knee: search.knee(), steps };
        let text =
            serde_json::to_string(&found).map_err(|fault| Fault::Failed(fault.to_string()))?;
        write(path, &text).map_err(Fault::Failed)?;
    }
    if let Some(path) = &output.html {
        write(path, &html(args, search, steps)).map_err(Fault::Failed)?;
    }
    Ok(())
}

fn html(args: &KneeArgs, search: &Search, steps: &[Report]) -> String {
    let mut sorted: Vec<&Report> = steps.iter().collect();
    let rate = |report: &Report| report.settings.rate.unwrap_or(0.0);
    sorted.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    let line = |name: &str, colour, of: &dyn Fn(&Report) -> u64| Line {
        name: name.into(),
        colour,
        dashed: false,
        points: sorted.iter().map(|report| (rate(report), of(report) as f64 / 1e6)).collect(),
    };
    let highest = sorted.last().map_or(1.0, |report| rate(report));
    let bound = args.p99 as f64 / 1e6;
    let lines = [
        line("p50", 0, &|report| report.latency.p50),
        line("p99", 1, &|report| report.latency.p99),
        line("p99.9", 2, &|report| report.latency.p999),
        Line {
            name: "bound of p99".into(),
            colour: FAILED,
            dashed: true,
            points: vec![(0.0, bound), (highest, bound)],
        },
    ];
    let title = match (args.output.label.as_str(), sorted.first()) {
        ("", Some(report)) => format!("loadgen knee: {}", report.settings.target),
        (label, _) => format!("loadgen knee: {label}"),
    };
    let mut body = head(&title, &format!("{} steps, open loop", steps.len()));
    body.push_str("<section class=\"tiles\">");
    let knee = search.knee().map_or("none".to_owned(), |knee| format!("{}/s", thousands(knee)));
    tile(&mut body, "knee", &knee, search.knee().is_none());
    tile(&mut body, "bound of p99", &show(args.p99 as f64), false);
    body.push_str("</section>\n");
    let x = Axis::linear("requests/s asked for", highest);
    body.push_str(&plot("Latency by rate", &x, &time_axis(&lines), &lines));
    let rows = sorted.iter().map(|report| {
        let mut row = cells(rate(report), report);
        row.push(refusal(report, args.p99).unwrap_or("ok").to_owned());
        row
    });
    push_table(&mut body, &[&COLUMNS[..], &["verdict"]].concat(), rows);
    if let Some(last) = steps.last() {
        facts(&mut body, last);
    }
    page(&title, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(truth: f64, from: f64, most: f64) -> (Option<f64>, usize) {
        let mut search = Search::new(from, most, 0.05);
        let mut steps = 0;
        while let Some(rate) = search.next() {
            search.tried(rate <= truth);
            steps += 1;
            assert!(steps < 60, "the search ends");
        }
        (search.knee(), steps)
    }

    #[test]
    fn the_knee_is_found_from_either_side() {
        for truth in [1_500.0, 123_456.0, 700_000.0] {
            for from in [1_000.0, 1e6] {
                let (knee, steps) = find(truth, from, 1e7);
                let knee = knee.expect("there is one");
                assert!(knee <= truth && knee > truth / 1.06, "{truth} from {from}: {knee}");
                assert!(steps < 25, "{steps}");
            }
        }
        assert_eq!(find(1e9, 1_000.0, 50_000.0).0, Some(50_000.0), "not beyond the most");
        assert_eq!(find(0.0, 1_000.0, 1e6).0, None);
    }

    #[test]
    fn a_step_passes_only_when_all_is_well() {
        let mut report = crate::report::sample(2);
        let p99 = report.latency.p99;
        assert_eq!(refusal(&report, p99), None);
        assert_eq!(refusal(&report, p99 - 1), Some("p99 above the bound"));
        report.requests_per_s *= 0.5;
        assert_eq!(refusal(&report, p99), Some("rate not held"));
        report.failures.insert(crate::failure::Failure::Timeout, 1);
        assert_eq!(refusal(&report, p99), Some("failures"));
    }
}
