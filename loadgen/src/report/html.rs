//! (pure) A report as one HTML page: no scripts, nothing loaded from anywhere, light and dark. The
//! page is well-formed XML too, so that any tool can read it.

use std::fmt::Write;

use super::page::{FAILED, head, page, push_table, tile, time_axis};
use super::plot::{Axis, COLOURS, Line, escape, render as plot};
use super::{Report, Summary};
use crate::target::Http;
use crate::units::{show, thousands};

const MILLISECOND: f64 = 1e6;
/// Points of the percentile plot for each tenfold.
const POINTS: usize = 40;

/// The page of a run.
pub fn render(report: &Report) -> String {
    let settings = &report.settings;
    let title = match report.label.as_str() {
        "" => format!("loadgen: {}", settings.target),
        label => format!("loadgen: {label}"),
    };
    let mut body = head(&title, &subtitle(report));
    tiles(&mut body, report);
    problems(&mut body, report);
    body.push_str(&percentiles(report));
    body.push_str(&throughput(report));
    body.push_str(&over_time(report));
    table(&mut body, report);
    facts(&mut body, report);
    page(&title, &body)
}

fn subtitle(report: &Report) -> String {
    let settings = &report.settings;
    let pace = match settings.rate {
        None => "closed loop: latency is only that of requests that could be sent".to_owned(),
        Some(rate) => {
            let rate = thousands(rate);
            format!("open loop at {rate}/s: latency counts from when a request was due")
        }
    };
    format!("{} - {pace}", report.started)
}

fn tiles(out: &mut String, report: &Report) {
    out.push_str("<section class=\"tiles\">");
    tile(out, "requests/s", &thousands(report.requests_per_s), !report.held());
    let latency = &report.latency;
    for (name, time) in
        [("p50", latency.p50), ("p99", latency.p99), ("p99.9", latency.p999), ("max", latency.max)]
    {
        tile(out, name, &show(time as f64), false);
    }
    let failed = report.failed();
    tile(out, "failed", &thousands(failed as f64), failed > 0);
    out.push_str("</section>\n");
}

fn problems(out: &mut String, report: &Report) {
    let mut all: Vec<String> = report
        .failures
        .iter()
        .map(|(kind, count)| format!("{} failed: {}", thousands(*count as f64), kind.name()))
        .collect();
    let statuses = report.statuses.iter();
    all.extend(statuses.map(|(status, count)| format!("{count} answers of status {status}")));
    if report.unsent > 0 {
        all.push(format!("{} requests were due and never left", thousands(report.unsent as f64)));
    }
    if !report.held() {
        all.push("the rate was not held".into());
    }
    if let Some(busy) = report.driver_busy.iter().copied().reduce(f64::max).filter(|b| *b > 0.9) {
        let percent = busy * 100.0;
        all.push(format!("a driver thread used {percent:.0}% of a CPU: it may be the limit"));
    }
    all.extend(report.notes.iter().cloned());
    if all.is_empty() {
        return;
    }
    out.push_str("<ul class=\"problems\">");
    for problem in all {
        let _ = write!(out, "<li>{}</li>", escape(&problem));
    }
    out.push_str("</ul>\n");
}

fn percentiles(report: &Report) -> String {
    let mut lines = vec![curve("latency, from when due", 0, false, &report.latency)];
    if report.settings.rate.is_some() {
        lines.push(curve("service, from when sent", 1, true, &report.service));
    }
    if report.operations.len() > 1 {
        for (i, operation) in report.operations.iter().enumerate() {
            lines.push(curve(&operation.name, (i + 2) % COLOURS, false, &operation.latency));
        }
    }
    let y = time_axis(&lines);
    let x = Axis::percentiles("percentile", report.latency.count as f64);
    plot("Latency by percentile", &x, &y, &lines)
}

fn curve(name: &str, colour: usize, dashed: bool, summary: &Summary) -> Line {
    let times = summary.times();
    let steps = (summary.count.max(10) as f64).log10() * POINTS as f64;
    let points = (0..=steps as usize).map(|i| {
        let inverse = 10f64.powf(i as f64 / POINTS as f64);
        let value = times.value_at_quantile(1.0 - 1.0 / inverse);
        (inverse, value as f64 / MILLISECOND)
    });
    Line { name: name.to_owned(), colour, dashed, points: points.collect() }
}

fn throughput(report: &Report) -> String {
    let series = |of: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        (0..report.seconds.len()).map(|i| (middle(report, i), of(i) / length(report, i))).collect()
    };
    let seconds = &report.seconds;
    let mut lines = vec![Line {
        name: "answered".into(),
        colour: 0,
        dashed: false,
        points: series(&|i| seconds[i].answered as f64),
    }];
    if report.failed() > 0 {
        let points = series(&|i| seconds[i].failed as f64);
        lines.push(Line { name: "failed".into(), colour: FAILED, dashed: false, points });
    }
    if let Some(rate) = report.settings.rate {
        let points = vec![(0.0, rate), (report.measured_s, rate)];
        lines.push(Line { name: "asked for".into(), colour: 1, dashed: true, points });
    }
    let high = lines.iter().flat_map(|line| &line.points).map(|(_, y)| *y).fold(0.0, f64::max);
    let x = Axis::time("seconds", report.measured_s);
    plot("Throughput over time", &x, &Axis::linear("requests/s", high), &lines)
}

fn over_time(report: &Report) -> String {
    let line = |name: &str, colour, of: &dyn Fn(usize) -> u64| Line {
        name: name.into(),
        colour,
        dashed: false,
        points: (0..report.seconds.len())
            .map(|i| (middle(report, i), of(i) as f64 / MILLISECOND))
            .collect(),
    };
    let seconds = &report.seconds;
    let lines = [
        line("p50", 0, &|i| seconds[i].p50),
        line("p99", 1, &|i| seconds[i].p99),
        line("p99.9", 2, &|i| seconds[i].p999),
        line("max", 3, &|i| seconds[i].max),
    ];
    let x = Axis::time("seconds", report.measured_s);
    plot("Latency over time", &x, &time_axis(&lines), &lines)
}

/// How much of a second was measured.
fn length(report: &Report, second: usize) -> f64 {
    (report.measured_s - second as f64).clamp(1e-3, 1.0)
}

fn middle(report: &Report, second: usize) -> f64 {
    second as f64 + length(report, second) / 2.0
}

fn table(out: &mut String, report: &Report) {
    let mut rows = vec![("latency", &report.latency)];
    if report.settings.rate.is_some() {
        rows.push(("service", &report.service));
    }
    if report.operations.len() > 1 {
        let operations = report.operations.iter();
        rows.extend(operations.map(|operation| (operation.name.as_str(), &operation.latency)));
    }
    let names = ["", "requests", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let rows = rows.into_iter().map(|(name, summary)| {
        let mut cells = vec![name.to_owned(), thousands(summary.count as f64), show(summary.mean)];
        let times = [summary.p50, summary.p90, summary.p99, summary.p999, summary.p9999];
        cells.extend(times.iter().chain([&summary.max]).map(|time| show(*time as f64)));
        cells
    });
    push_table(out, &names, rows);
}

/// What was asked, and of what machine.
pub fn facts(out: &mut String, report: &Report) {
    let (settings, machine) = (&report.settings, &report.machine);
    let http = if settings.http == Http::Two { "2" } else { "1.1" };
    let busy: Vec<_> = report.driver_busy.iter().map(|b| format!("{:.0}%", b * 100.0)).collect();
    let Report { command, measured_s, .. } = report;
    let mut rows = vec![
        ("command", command.clone()),
        ("target", format!("{} over HTTP/{http}", settings.target)),
        ("connections", format!("{} of {} requests", settings.connections, settings.streams)),
    ];
    if !settings.keys.is_empty() {
        let records = thousands(settings.records as f64);
        rows.extend([
            ("operations", settings.mix.clone()),
            ("keys", format!("{} of {records}, {} of reads miss", settings.keys, settings.miss)),
            ("values", format!("{} bytes, seed {}", settings.value_size, settings.seed)),
        ]);
    }
    rows.extend([
        ("checked", if settings.verify { "every value" } else { "statuses" }.into()),
        ("measured", format!("{measured_s} s after {} s of warm-up", settings.warm_up_s)),
        ("driver threads", format!("{}, busy {}", settings.threads, busy.join(", "))),
        ("generator's machine", format!("{}, {} CPUs usable", machine.cpu, machine.cpus)),
        ("system", format!("Linux {}, {} MiB", machine.kernel, machine.memory_mib)),
        ("tool", machine.tool.clone()),
    ]);
    out.push_str("<div class=\"table facts\"><table><tbody>");
    for (name, value) in rows {
        let _ = write!(out, "<tr><th>{name}</th><td>{}</td></tr>", escape(&value));
    }
    out.push_str("</tbody></table></div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// Every tag is closed by its own, and every `&` begins an entity.
    fn well_formed(text: &str) -> Result<(), String> {
        let mut open = Vec::new();
        let start = text.find("<html").ok_or("no page")?;
        let mut rest = &text[start..];
        while let Some(at) = rest.find(['<', '&']) {
            rest = &rest[at..];
            if rest.starts_with('&') {
                let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
                known.iter().find(|e| rest.starts_with(**e)).ok_or("a bare &")?;
                rest = &rest[1..];
                continue;
            }
            let end = rest.find('>').ok_or("a tag without an end")?;
            let tag = &rest[1..end];
            rest = &rest[end + 1..];
            let name = |tag: &str| tag.split(' ').next().unwrap_or(tag).to_owned();
            if let Some(closed) = tag.strip_prefix('/') {
                let opened: Option<String> = open.pop();
                if opened.as_deref() != Some(closed) {
                    return Err(format!("{closed} closes {opened:?}"));
                }
            } else if !tag.ends_with('/') {
                open.push(name(tag));
            }
            if tag.matches('"').count() % 2 == 1 {
                return Err(format!("quotes of <{tag}>"));
            }
        }
        if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
    }

    #[test]
    fn the_page_is_whole_and_has_its_plots() {
        let mut report = sample(12);
        report.label = "a < b & \"c\"".into();
        report.command = "loadgen run --label 'a<b'".into();
        report.failures.insert(crate::failure::Failure::Timeout, 3);
        let page = render(&report);
        well_formed(&page).expect("well-formed");
        for plot in ["Latency by percentile", "Throughput over time", "Latency over time"] {
            assert!(page.contains(&format!("role=\"img\" aria-label=\"{plot}\"")), "{plot}");
        }
        assert!(page.matches("class=\"line c").count() >= 6);
        assert!(page.contains("99.9%") && page.contains("milliseconds"));
        assert!(page.contains("prefers-color-scheme: dark"));
        assert!(page.contains("3 failed: timeout"));
        for outside in ["http:", "https:", "<script", "@import", "url("] {
            let from = page.find("<body").expect("a body");
            let found =
                page.contains(outside) && outside != "http:" || page[..from].contains(outside);
            assert!(!found, "{outside}: the page loads nothing");
        }
        assert!(!page.contains("NaN") && !page.contains("inf"), "every point is a number");
    }

    #[test]
    fn a_run_without_answers_is_a_page_too() {
        let mut report = sample(0);
        report.latency = Summary::default();
        let page = render(&report);
        well_formed(&page).expect("well-formed");
        assert!(!page.contains("NaN"));
    }
}
