//! `loadgen run` and `loadgen load`: from arguments to a drive, from its outcome to reports. On the
//! main thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::args::{LoadArgs, OutputArgs, RecordArgs, RunArgs, TargetArgs, WorkArgs};
use crate::drive::{Drive, Loop};
use crate::keys::Keys;
use crate::mix::{Mix, Op};
use crate::names::{Listed, Names};
use crate::progress::Progress;
use crate::record::SECOND;
use crate::report::{Report, Settings, hgrm, html, text, write};
use crate::target::{Http, Target};
use crate::values::VALUE_MIN;
use crate::work::Workload;

/// As long as a load may take.
const LOAD_MAX: u64 = 24 * 3_600 * SECOND;
/// The largest request that a load may send; the server takes 16 MiB.
const LOAD_BYTES_MAX: u64 = 15 << 20;

/// What can go wrong before a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// The arguments do not go together.
    Usage(String),
    /// The server or a file is not there.
    Failed(String),
}

/// `loadgen run`: true when every answer was right.
///
/// # Errors
/// When it cannot begin, or a report not be written.
pub fn run(args: &RunArgs, stop: &Arc<AtomicBool>) -> Result<bool, Fault> {
    let pace = match (args.rate, args.closed) {
        (Some(rate), _) => Loop::Open { rate, poisson: args.poisson },
        (None, true) => Loop::Closed,
        (None, false) => {
            let fault = "give --rate PER_SECOND for an open loop, or --closed";
            return Err(Fault::Usage(fault.into()));
        }
    };
    let mut drive = drive(&args.target, &args.records, &args.work, stop)?;
    drive.pace = pace;
    drive.duration = args.duration;
    drive.warm_up = args.warm_up;
    drive.requests = args.requests.map(|count| count as u64);
    let report = measure(&drive, settings(&drive, &args.target), &args.output, "")?;
    write_all(&report, &args.output)?;
    Ok(report.failed() == 0)
}

/// `loadgen load`: true when every record was written.
///
/// # Errors
/// When it cannot begin, or a report not be written.
pub fn load(args: &LoadArgs, stop: &Arc<AtomicBool>) -> Result<bool, Fault> {
    let work = WorkArgs {
        mix: Mix::only(Op::Load),
        keys: None,
        miss: 0.0,
        batch: args.batch,
        verify: false,
    };
    if args.target.url.is_some() {
        return Err(Fault::Usage("load writes records, so it takes --target, not --url".into()));
    }
    let record = args.records.value_size as u64 + 64;
    if args.batch == 0 || args.batch > 10_000 || args.batch * record > LOAD_BYTES_MAX {
        let most = (LOAD_BYTES_MAX / record).min(10_000);
        let fault = format!("--batch must be 1 to {most} with values of this size");
        return Err(Fault::Usage(fault));
    }
    let mut drive = drive(&args.target, &args.records, &work, stop)?;
    drive.streams = drive.streams.min(8);
    drive.duration = LOAD_MAX;
    let report = measure(&drive, settings(&drive, &args.target), &args.output, "loading ")?;
    write_all(&report, &args.output)?;
    let written: u64 = report.operations.iter().map(|operation| operation.records).sum();
    Ok(report.failed() == 0 && written == drive.workload.records)
}

/// A closed loop of no length on this target; the caller sets pace and times.
pub(crate) fn drive(
    target: &TargetArgs,
    records: &RecordArgs,
    work: &WorkArgs,
    stop: &Arc<AtomicBool>,
) -> Result<Drive, Fault> {
    let cpus = target.cpus.clone().map_or_else(Vec::new, |cpus| cpus.0);
    let threads = target.threads.unwrap_or(cpus.len().max(1));
    let streams = match target.http {
        Http::One => target.pipeline,
        Http::Two => target.streams,
    };
    let connections = target.connections;
    if threads == 0 || streams == 0 || connections < threads {
        let fault =
            "threads, streams and pipeline are at least 1, connections at least one a thread";
        return Err(Fault::Usage(fault.into()));
    }
    if connections.saturating_mul(streams) > 10_000_000 {
        return Err(Fault::Usage("connections times streams is at most 10 million".into()));
    }
    let url = target.url.as_deref().unwrap_or(&target.target);
    let (server, path) = Target::resolve(url, target.http, target.ca.as_deref(), target.insecure)
        .map_err(Fault::Usage)?;
    let fixed = target.url.is_some().then(|| path.into_bytes());
    Ok(Drive {
        target: server,
        workload: workload(records, work, fixed)?,
        pace: Loop::Closed,
        threads,
        cpus,
        connections,
        streams,
        warm_up: 0,
        duration: 0,
        requests: None,
        timeout: target.timeout,
        spin: target.spin,
        stop: Arc::clone(stop),
    })
}

fn workload(
    records: &RecordArgs,
    work: &WorkArgs,
    fixed: Option<Vec<u8>>,
) -> Result<Workload, Fault> {
    let usage = |fault: &str| Err(Fault::Usage(fault.into()));
    let by_mix = work.mix.keys().map_or(Ok(Keys::Uniform), str::parse).map_err(Fault::Usage)?;
    let keys = work.keys.clone().unwrap_or(by_mix);
    let writes = [Op::Put, Op::Insert, Op::Rmw].iter().any(|op| work.mix.has(*op));
    let (names, count) = match &keys {
        Keys::Listed(path) => {
            let listed = Listed::open(path).map_err(Fault::Failed)?;
            if work.mix.has(Op::Get) && !listed.has_keys() {
                return usage("batch reads need pk and sk on every line of the file");
            }
            if writes || work.mix.has(Op::Scan) || work.verify {
                return usage("keys from a file can be read and batch-read, without --verify");
            }
            let count = listed.count();
            (Names::Listed(listed.into()), count)
        }
        _ => (Names::Made { per_pk: records.per_pk }, records.records as u64),
    };
    if records.value_size < VALUE_MIN {
        return Err(Fault::Usage(format!("values have at least {VALUE_MIN} bytes")));
    }
    if count == 0 || records.per_pk == 0 || work.batch == 0 || work.batch > 10_000 {
        return usage("records and per-pk are at least 1, batch is 1 to 10000");
    }
    if !(0.0..=1.0).contains(&work.miss) {
        return usage("--miss is a share from 0 to 1");
    }
    if fixed.is_some() && (work.verify || work.mix != Mix::only(Op::Read)) {
        return usage("--url is one fixed request; --mix and --verify need --target");
    }
    Ok(Workload {
        mix: work.mix.clone(),
        keys,
        names,
        records: count,
        value_size: records.value_size,
        batch: work.batch,
        misses: work.miss,
        verify: work.verify,
        seed: records.seed,
        fixed,
        loaded: Arc::new(AtomicU64::new(0)),
    })
}

pub(crate) fn settings(drive: &Drive, target: &TargetArgs) -> Settings {
    let (rate, poisson) = match drive.pace {
        Loop::Closed => (None, false),
        Loop::Open { rate, poisson } => (Some(rate), poisson),
    };
    let work = &drive.workload;
    let unless_fixed = |text: String| if work.fixed.is_some() { String::new() } else { text };
    Settings {
        target: target.url.clone().unwrap_or_else(|| target.target.clone()),
        http: target.http,
        connections: drive.connections,
        streams: drive.streams,
        threads: drive.threads,
        rate,
        poisson,
        warm_up_s: drive.warm_up as f64 / SECOND as f64,
        mix: unless_fixed(work.mix.to_string()),
        keys: unless_fixed(work.keys.to_string()),
        records: work.records,
        per_pk: work.names.per_pk(),
        value_size: work.value_size,
        batch: work.batch,
        miss: work.misses,
        verify: work.verify,
        seed: work.seed,
    }
}

/// Drives and reports, with the live line.
pub(crate) fn measure(
    drive: &Drive,
    settings: Settings,
    output: &OutputArgs,
    name: &str,
) -> Result<Report, Fault> {
    let started = chrono::Utc::now();
    let seconds = (drive.duration < LOAD_MAX).then(|| drive.duration.div_ceil(SECOND));
    let mut progress = Progress::new(name, seconds, output.quiet);
    let outcome = drive.run(|second| progress.show(second)).map_err(Fault::Failed);
    progress.end();
    let mut report = Report::new(settings, &output.label, &outcome?, drive.duration);
    report.started = format!("{}Z", started.naive_utc().format("%Y-%m-%dT%H:%M:%S"));
    report.command = std::env::args().collect::<Vec<_>>().join(" ");
    Ok(report)
}

fn write_all(report: &Report, output: &OutputArgs) -> Result<(), Fault> {
    if !output.quiet {
        print!("{}", text::render(report));
    }
    let mut done = Ok(());
    if let Some(path) = &output.json {
        done = done.and(report.write_json(path));
    }
    if let Some(path) = &output.hgrm {
        done = done.and(write(path, &hgrm::render(&report.latency)));
    }
    if let Some(path) = &output.html {
        done = done.and(write(path, &html::render(report)));
    }
    done.map_err(Fault::Failed)
}
