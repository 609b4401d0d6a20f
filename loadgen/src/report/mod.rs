//! A run's report: one tree of plain values that JSON, text and HTML are made from. Times are
//! nanoseconds unless a name says otherwise.

pub mod hgrm;
pub mod html;
pub mod page;
pub mod plot;
#[cfg(test)]
mod sample;
mod summary;
pub mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::drive::Outcome;
use crate::failure::{Failure, Failures};
use crate::fingerprint::Fingerprint;
use crate::record::{SECOND, times};
use crate::target::Http;
#[cfg(test)]
pub(crate) use sample::sample;
pub use summary::{Second, Summary};

/// What a JSON report begins with; a reader of another format stops there.
pub const FORMAT: u32 = 1;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// The user's name for it.
    pub label: String,
    /// When it began, UTC.
    pub started: String,
    /// The command line.
    pub command: String,
    /// Where the generator ran.
    pub machine: Fingerprint,
    /// What was asked for.
    pub settings: Settings,
    /// How long was measured, seconds.
    pub measured_s: f64,
    /// Right answers a second, of those that came while it was measured.
    pub requests_per_s: f64,
    /// Records that these were about.
    pub records_per_s: f64,
    /// Right answers to requests that were due while it was measured.
    pub answered: u64,
    /// Bytes of bodies received, those of the warm-up too.
    pub body_bytes: u64,
    /// Requests that were due and never left.
    pub unsent: u64,
    /// Requests that failed, by kind; empty is what one wants.
    pub failures: BTreeMap<Failure, u64>,
    /// The statuses that should not have come.
    pub statuses: BTreeMap<u16, u64>,
    /// From when a request was due to its answer.
    pub latency: Summary,
    /// From when it left to its answer.
    pub service: Summary,
    /// By operation.
    pub operations: Vec<Operation>,
    /// By second.
    pub seconds: Vec<Second>,
    /// CPU time of each driver thread over its time, 0 to 1.
    pub driver_busy: Vec<f64>,
    /// Where there was less than asked for.
    pub notes: Vec<String>,
}

/// What every format begins with.
#[derive(Deserialize)]
struct Marker {
    format: u32,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The server, or the one URL.
    pub target: String,
    /// The protocol.
    pub http: Http,
    /// Connections.
    pub connections: usize,
    /// Requests in flight a connection, at most.
    pub streams: usize,
    /// Driver threads.
    pub threads: usize,
    /// Requests a second; `None` in a closed loop.
    pub rate: Option<f64>,
    /// Whether the gaps are exponential.
    pub poisson: bool,
    /// Driven and not measured, seconds.
    pub warm_up_s: f64,
    /// Operations and shares; empty for one URL.
    pub mix: String,
    /// Which records; empty for one URL.
    pub keys: String,
    /// How many records there are.
    pub records: u64,
    /// Records that share a pk.
    pub per_pk: u64,
    /// Bytes of a value.
    pub value_size: usize,
    /// Keys of a batch read, the most records of a scan, records of a load request.
    pub batch: u64,
    /// Share of reads for records that are not there.
    pub miss: f64,
    /// Whether values were checked.
    pub verify: bool,
    /// The seed.
    pub seed: u64,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// Records that its answers were about.
    pub records: u64,
    /// From when a request was due to its answer.
    pub latency: Summary,
    /// From when it left to its answer.
    pub service: Summary,
}

impl Report {
    /// Makes a report of what was counted in a run that was to last `duration` nanoseconds.
    pub fn new(settings: Settings, label: &str, outcome: &Outcome, duration: u64) -> Self {
        let wall = outcome.wall.min(duration);
        let measured_s = wall as f64 / SECOND as f64;
        let total = &outcome.total;
        let (mut latency, mut service) = (times(), times());
        let mut operations = Vec::new();
        for (op, count) in &total.ops {
            latency.add(&count.latency).expect("both have the same bounds");
            service.add(&count.service).expect("both have the same bounds");
            operations.push(Operation {
                name: op.name().to_owned(),
                records: count.records,
                latency: (&count.latency).into(),
                service: (&count.service).into(),
            });
        }
        let (mut in_time, mut records) = (0, 0);
        let whole = wall.div_ceil(SECOND) as usize;
        for second in outcome.seconds.iter().take(whole) {
            in_time += second.answered();
            records += second.ops.values().map(|count| count.records).sum::<u64>();
        }
        Self {
            format: FORMAT,
            label: label.to_owned(),
            started: String::new(),
            command: String::new(),
            machine: Fingerprint::take(),
            settings,
            measured_s,
            requests_per_s: in_time as f64 / measured_s,
            records_per_s: records as f64 / measured_s,
            answered: latency.len(),
            body_bytes: total.bytes,
            unsent: outcome.unsent,
            failures: by_kind(&total.failures),
            statuses: total.statuses.clone(),
            latency: (&latency).into(),
            service: (&service).into(),
            operations,
            seconds: outcome.seconds.iter().take(whole).map(Second::new).collect(),
            driver_busy: outcome.busy.clone(),
            notes: outcome.notes.clone(),
        }
    }

    /// How many requests failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Whether an open loop did what it was asked for; a closed one always did. Of what was due,
    /// all but a hundredth was answered in time, apart from what is in flight at any moment.
    pub fn held(&self) -> bool {
        let Some(rate) = self.settings.rate else {
            return true;
        };
        let due = (self.answered + self.failed() + self.unsent) as f64;
        let in_flight = rate * self.service.p50 as f64 / SECOND as f64;
        let late = due - self.requests_per_s * self.measured_s;
        late <= 0.01 * due + in_flight + 2.0
    }

    /// Writes JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_json(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string(self).map_err(|fault| fault.to_string())?;
        write(path, &text)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// When the file is no report of this format.
    pub fn read_json(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|fault| format!("{shown}: {fault}"))?;
        let marker: Marker =
            serde_json::from_str(&text).map_err(|fault| format!("{shown}: {fault}"))?;
        if marker.format != FORMAT {
            return Err(format!("{shown}: format {}, and this reads {FORMAT}", marker.format));
        }
        serde_json::from_str(&text).map_err(|fault| format!("{shown}: {fault}"))
    }
}

/// Writes a file of the report.
///
/// # Errors
/// With the path, when it cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|fault| format!("{}: {fault}", path.display()))
}

fn by_kind(failures: &Failures) -> BTreeMap<Failure, u64> {
    let all = Failure::ALL.iter().map(|kind| (*kind, failures[*kind as usize]));
    all.filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_as_it_went() {
        let mut report = sample(3);
        report.failures.insert(Failure::Wrong, 2);
        report.statuses.insert(503, 7);
        let file = tempfile::NamedTempFile::new().unwrap();
        report.write_json(file.path()).unwrap();
        assert_eq!(Report::read_json(file.path()).unwrap(), report);

        report.format = 2;
        report.write_json(file.path()).unwrap();
        assert!(Report::read_json(file.path()).unwrap_err().contains("format 2"));
    }

    #[test]
    fn what_is_read_off_is_what_was_counted() {
        let report = sample(4);
        assert_eq!((report.answered, report.seconds.len()), (4_000, 4));
        assert!((report.requests_per_s - 1_000.0).abs() < 1e-6 && report.held());
        assert_eq!(report.operations.len(), 2);
        let again = Summary::from(&report.latency.times());
        assert_eq!((again.p50, again.p9999), (report.latency.p50, report.latency.p9999));
        assert!(text::render(&report).contains("1,000 requests/s, 4,000 answers, 0 failed"));
    }
}
