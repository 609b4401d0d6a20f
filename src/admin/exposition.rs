//! Prometheus text, version 0.0.4: families in order, each with its help and type once.
//! Pure formatting; knows no metric of ours.

use std::fmt::{Display, Write};

use crate::stats::counter::BUCKETS;

/// A page of metrics being written.
#[derive(Default)]
pub struct Exposition(String);

impl Exposition {
    /// Begins a family of counters.
    pub fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    /// Begins a family of gauges.
    pub fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Begins a family of histograms.
    pub fn histogram(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, "histogram")
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }

    fn family(&mut self, name: &str, help: &str, kind: &str) -> Family<'_> {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { out: &mut self.0, name: name.to_owned() }
    }
}

/// One family of metrics.
pub struct Family<'e> {
    out: &'e mut String,
    name: String,
}

impl Family<'_> {
    /// One sample. `labels` as they stand between the braces, or nothing.
    pub fn sample(&mut self, labels: &str, value: impl Display) {
        let name = &self.name;
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.out, "{name}{braces} {value}");
    }

    /// One histogram; a bucket `i` ends at `2^i` times `unit`.
    pub fn buckets(&mut self, labels: &str, counts: &[u64; BUCKETS], sum: u64, unit: f64) {
        let name = &self.name;
        let comma = if labels.is_empty() { "" } else { "," };
        let mut total = 0;
        for (at, count) in counts.iter().enumerate() {
            total += count;
            let end = if at + 1 == BUCKETS {
                "+Inf".to_owned()
            } else {
                format!("{}", (1_u64 << at) as f64 * unit)
            };
            let _ = writeln!(self.out, "{name}_bucket{{{labels}{comma}le=\"{end}\"}} {total}");
        }
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let sum = sum as f64 * unit;
        let _ = writeln!(self.out, "{name}_sum{braces} {sum}\n{name}_count{braces} {total}");
    }
}
