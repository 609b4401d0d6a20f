//! `pumice doctor`: tells what of this machine would stop or slow `pumice serve`, and the remedy.
//! Runs on the main thread with nothing started. It must leave nothing behind and change nothing.

mod limits;
mod places;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::settings;

/// `sysexits.h` calls it EX_CONFIG: the environment has to change.
const EXIT_ENVIRONMENT: u8 = 78;

/// Arguments of `pumice doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Data directory that would be served; it need not exist
    #[arg(long, value_name = "DIR", default_value = settings::preset("data-dir"))]
    data_dir: PathBuf,
    /// Address of the public port that would be used
    #[arg(long, value_name = "IP:PORT", default_value = settings::preset("http"))]
    http: SocketAddr,
    /// Address of the admin port that would be used
    #[arg(long, value_name = "IP:PORT", default_value = settings::preset("admin"))]
    admin: SocketAddr,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// It serves, but worse than it could.
    Warn,
    /// It does not serve.
    Fail,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Row {
    check: &'static str,
    status: Status,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Row>,
}

/// Prints one row a check; the exit code is 78 where one failed, else 0.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let checks = look(args);
    let ok = checks.iter().all(|row| row.status != Status::Fail);
    if args.json {
        let report = Report { ok, checks };
        println!("{}", serde_json::to_string(&report).expect("a report has only strings"));
    } else {
        checks.iter().for_each(print);
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::from(EXIT_ENVIRONMENT) }
}

fn print(row: &Row) {
    let status = match row.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
    };
    println!("{status:<5} {:<15} {}", row.check, row.found);
    if let Some(remedy) = &row.remedy {
        println!("{:<21} remedy: {remedy}", "");
    }
}

fn look(args: &DoctorArgs) -> Vec<Row> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    // Before the probe of io_uring, which raises the soft limit of locked memory.
    let own = read("/proc/self/limits");
    let cpus = settings::allowed_cpus();
    vec![
        limits::kernel(read("/proc/sys/kernel/osrelease").trim()),
        limits::io_uring(),
        limits::locked_memory(&own, cpus.len() as u64),
        limits::open_files(&own),
        limits::serving_cpus(&cpus),
        limits::huge_pages(read("/sys/kernel/mm/transparent_hugepage/enabled").trim()),
        limits::backlog(read("/proc/sys/net/core/somaxconn").trim()),
        places::filesystem(&args.data_dir),
        places::disk(&args.data_dir),
        places::port("http port", args.http),
        places::port("admin port", args.admin),
    ]
}

fn ok(check: &'static str, found: impl Into<String>) -> Row {
    Row { check, status: Status::Ok, found: found.into(), remedy: None }
}

fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Row {
    Row { check, status: Status::Warn, found: found.into(), remedy: Some(remedy.into()) }
}

fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Row {
    Row { status: Status::Fail, ..warn(check, found, remedy) }
}
