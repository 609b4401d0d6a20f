//! One drive of one server by the load generator: what it answered, and what that cost the server.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::peer::{Peer, Running};
use super::scenario::Scenario;
use super::{Comparison, Fallible};

/// What one round has shown.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Requests a second, as fast as the server answers.
    pub rate: f64,
    /// Server CPU a request, in microseconds.
    pub cpu: f64,
    /// Latencies at the common rate.
    pub open: Option<Latency>,
}

/// Latencies from when a request was due, in microseconds.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} req/s, {:.2} us CPU each", self.rate, self.cpu)
    }
}

/// Drives as fast as the server answers.
pub fn closed(
    comparison: &Comparison,
    scenario: &Scenario,
    peer: Peer,
    running: &Running,
    number: usize,
) -> Fallible<Sample> {
    let before = running.process.cpu_seconds();
    let name = format!("{}-{}-{}", scenario.name, peer.name(), number + 1);
    let report = comparison.drive(scenario, peer, running, &["--closed"], &name)?;
    let spent = running.process.cpu_seconds() - before;
    let requests = number_at(&report, "/answered")?;
    Ok(Sample {
        rate: number_at(&report, "/requests_per_s")?,
        cpu: spent * 1e6 / requests,
        open: None,
    })
}

/// Drives at a constant rate.
pub fn open(
    comparison: &Comparison,
    scenario: &Scenario,
    peer: Peer,
    running: &Running,
    number: usize,
    rate: f64,
) -> Fallible<Latency> {
    let name = format!("{}-{}-open-{}", scenario.name, peer.name(), number + 1);
    let rate = format!("{rate:.0}");
    let report = comparison.drive(scenario, peer, running, &["--rate", &rate], &name)?;
    let us = |quantile: &str| {
        Ok::<_, Box<dyn std::error::Error>>(
            number_at(&report, &format!("/latency/{quantile}"))? / 1e3,
        )
    };
    Ok(Latency { p50: us("p50")?, p99: us("p99")?, p999: us("p999")? })
}

/// Half of what the slowest peer has shown: a rate that all of them can hold.
pub fn common_rate(samples: &[(Peer, Vec<Sample>)]) -> f64 {
    let medians = samples
        .iter()
        .map(|(_, samples)| super::table::median(samples.iter().map(|sample| sample.rate)));
    medians.fold(f64::INFINITY, f64::min) / 2.0
}

fn number_at(report: &Value, pointer: &str) -> Fallible<f64> {
    let value = report.pointer(pointer).and_then(Value::as_f64);
    value.ok_or_else(|| format!("the load generator's report has no {pointer}").into())
}

impl Comparison {
    /// A binary of this build.
    pub fn built(&self, name: &str) -> PathBuf {
        self.args.binaries.join(name)
    }

    /// What servers without records answer: as long as a record's value.
    pub fn constant(&self) -> String {
        format!("{{\"data\":\"{}\"}}", "x".repeat(189))
    }

    /// Writes the records that are read.
    pub fn load(&self, running: &Running) -> Fallible<()> {
        let status = Command::new(self.built("loadgen"))
            .args(["load", "--quiet", "--records", &self.args.records.to_string()])
            .args(["--target", &format!("http://{}", running.http2)])
            .status()?;
        if status.success() { Ok(()) } else { Err("the records could not be loaded".into()) }
    }

    /// Runs the load generator once, and reads its report. A single wrong answer is a fault.
    pub fn drive(
        &self,
        scenario: &Scenario,
        peer: Peer,
        running: &Running,
        how: &[&str],
        name: &str,
    ) -> Fallible<Value> {
        let dir = self.args.out.as_deref().unwrap_or(self.work.path());
        let json = dir.join(format!("{name}.json"));
        let address = if scenario.http == "2" { running.http2 } else { running.http1 };
        let mut command = Command::new(self.built("loadgen"));
        command.args(["run", "--quiet", "--warm-up", "0s", "--label", name]).args(how);
        command.args(["--duration", &format!("{}s", self.args.seconds)]);
        command.args(["--cpus", &self.args.client_cpu.to_string(), "--http", scenario.http]);
        command.args(["--connections", &scenario.connections.to_string()]);
        let depth = if scenario.http == "2" { "--streams" } else { "--pipeline" };
        command.args([depth, &scenario.depth.to_string()]);
        if peer.has_records() {
            command.args(["--target", &format!("http://{address}")]);
            command.args(["--records", &self.args.records.to_string()]);
        } else {
            command.args(["--url", &format!("http://{address}/record.json")]);
        }
        if scenario.batch {
            command.args(["--mix", "get", "--batch", "100"]);
        }
        let status = command.arg("--json").arg(&json).status()?;
        if !status.success() {
            return Err(format!("{name}: the load generator says that something failed").into());
        }
        Ok(serde_json::from_slice(&fs::read(&json)?)?)
    }
}
