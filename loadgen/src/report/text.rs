//! (pure) A report as lines for the terminal: what was asked, what came, what failed, and what to
//! mistrust.

use std::fmt::Write;

use super::{Report, Summary};
use crate::units::{show, thousands};

/// A driver thread that is this busy may be what was measured.
const BUSY: f64 = 0.9;

/// The text.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let settings = &report.settings;
    let pace = match settings.rate {
        None => "closed loop".to_owned(),
        Some(rate) => {
            let gaps = if settings.poisson { ", exponential gaps" } else { "" };
            format!("open loop at {}/s{gaps}", thousands(rate))
        }
    };
    let _ = writeln!(
        out,
        "{}: {pace}, {} x {} over HTTP/{}, {} s after {} s of warm-up",
        settings.target,
        settings.connections,
        settings.streams,
        if settings.http == crate::target::Http::Two { "2" } else { "1.1" },
        (report.measured_s * 100.0).round() / 100.0,
        settings.warm_up_s,
    );
    let _ = write!(out, "{} requests/s", thousands(report.requests_per_s));
    if report.records_per_s > report.requests_per_s * 1.01 {
        let _ = write!(out, ", {} records/s", thousands(report.records_per_s));
    }
    let _ = writeln!(
        out,
        ", {} answers, {} failed",
        thousands(report.answered as f64),
        thousands(report.failed() as f64)
    );
    out.push('\n');
    let names = ["", "p50", "p90", "p99", "p99.9", "p99.99", "max", "mean"];
    let _ = write!(out, "{:14}", names[0]);
    for name in &names[1..] {
        let _ = write!(out, "{name:>10}");
    }
    out.push('\n');
    row(&mut out, "latency", &report.latency);
    if settings.rate.is_some() {
        row(&mut out, "service", &report.service);
    }
    if report.operations.len() > 1 {
        for operation in &report.operations {
            row(&mut out, &format!("  {}", operation.name), &operation.latency);
        }
    }
    warnings(report, &mut out);
    out
}

fn row(out: &mut String, name: &str, summary: &Summary) {
    let _ = write!(out, "{name:14}");
    let of = [summary.p50, summary.p90, summary.p99, summary.p999, summary.p9999, summary.max];
    for time in of.map(|time| time as f64).into_iter().chain([summary.mean]) {
        let _ = write!(out, "{:>10}", show(time));
    }
    out.push('\n');
}

fn warnings(report: &Report, out: &mut String) {
    for (kind, count) in &report.failures {
        let _ = write!(out, "\nFAILED  {}: {}", kind.name(), thousands(*count as f64));
        if *kind == crate::failure::Failure::Status {
            let each: Vec<_> = report
                .statuses
                .iter()
                .map(|(status, count)| match status {
                    0 => format!("{} without a status", thousands(*count as f64)),
                    _ => format!("{} of {status}", thousands(*count as f64)),
                })
                .collect();
            let _ = write!(out, " ({})", each.join(", "));
        }
    }
    if report.unsent > 0 {
        let unsent = thousands(report.unsent as f64);
        let _ = write!(out, "\nnote: {unsent} requests were due and never left");
    }
    if !report.held() {
        let _ =
            write!(out, "\nnote: the rate was not held; latency grew for as long as it was asked");
    }
    for (thread, busy) in report.driver_busy.iter().enumerate().filter(|(_, busy)| **busy > BUSY) {
        let _ = write!(
            out,
            "\nnote: driver thread {thread} used {:.0}% of a CPU; the generator may be the limit",
            busy * 100.0
        );
    }
    for note in &report.notes {
        let _ = write!(out, "\nnote: {note}");
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
}
