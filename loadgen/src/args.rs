//! The command line: what can be asked for, in which units, and the defaults.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::keys::Keys;
use crate::mix::Mix;
use crate::target::Http;
use crate::units;

/// Drives a server with HTTP requests at a constant rate, and says what each of them had to wait.
///
/// Latency counts from when a request was due, not from when it could leave, so that a server that
/// stalls is charged for everybody who would have waited.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one is made in the life of the process")]
pub enum Command {
    /// Drive a server, at --rate or --closed, and report.
    Run(RunArgs),
    /// Write the records that a run reads.
    Load(LoadArgs),
    /// Find the highest rate at which p99 stays below a bound.
    Knee(KneeArgs),
    /// Compare two runs, or two sets of runs, with confidence intervals.
    Compare(CompareArgs),
}

/// Where to, and how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct TargetArgs {
    /// The server, `http[s]://HOST[:PORT]`; it speaks Pumice's API.
    #[arg(long, default_value = "http://127.0.0.1:8190", conflicts_with = "url")]
    pub target: String,
    /// Ask for this URL alone, from any server; every 2xx is right.
    #[arg(long)]
    pub url: Option<String>,
    /// The protocol: 2 (by prior knowledge, or ALPN over TLS), 1.1.
    #[arg(long, value_enum, default_value = "2")]
    pub http: Http,
    /// Connections of all threads together.
    #[arg(short, long, default_value_t = 8)]
    pub connections: usize,
    /// Requests in flight a connection over HTTP/2.
    #[arg(short = 'm', long, default_value_t = 100)]
    pub streams: usize,
    /// Requests in flight a connection over HTTP/1.1.
    #[arg(long, default_value_t = 1, value_name = "DEPTH")]
    pub pipeline: usize,
    /// Trust the certificates that these sign: a PEM file.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long, conflicts_with = "ca")]
    pub insecure: bool,
    /// From sending a request to giving up on it.
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = units::duration)]
    pub timeout: u64,
    /// Driver threads [default: one for each of --cpus, else 1].
    #[arg(short, long)]
    pub threads: Option<usize>,
    /// Pin the threads to these CPUs: 1, or 0,2, or 2-5.
    #[arg(long, value_name = "LIST", value_parser = Cpus::parse)]
    pub cpus: Option<Cpus>,
    /// Never sleep while waiting: steadier times for a whole CPU.
    #[arg(long)]
    pub spin: bool,
}

/// A list of CPUs. A type of its own, because clap takes a bare vector for many arguments.
#[derive(Debug, Clone)]
pub struct Cpus(pub Vec<usize>);

impl Cpus {
    fn parse(text: &str) -> Result<Self, String> {
        units::cpus(text).map(Self)
    }
}

/// Which records.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Records")]
pub struct RecordArgs {
    /// How many records `load` writes and the others ask for.
    #[arg(long, default_value = "1m", value_name = "COUNT", value_parser = units::count)]
    pub records: f64,
    /// Bytes of a value, at least 49.
    #[arg(long, default_value_t = 200, value_name = "BYTES")]
    pub value_size: usize,
    /// Records that share a partition key.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub per_pk: u64,
    /// For values and choices. A run must have the seed that its records were loaded with.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// What is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Requests")]
pub struct WorkArgs {
    /// Operations with shares, as read=95,put=5, of read, get (batch read), scan, put, insert, rmw
    /// (read-modify-write); or YCSB's a, b, c, d, e, f.
    #[arg(long, default_value = "read")]
    pub mix: Mix,
    /// Which records: uniform, `zipfian[:THETA]`, `latest[:THETA]`, hot:RECORDS:REQUESTS (shares),
    /// file:PATH (lines of {"pk","sk"} or paths) [default: uniform, or what the YCSB mix has].
    #[arg(long)]
    pub keys: Option<Keys>,
    /// Share of reads, 0 to 1, that ask for a record that was never written.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    pub miss: f64,
    /// Keys of a batch read; the most records of a scan.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub batch: u64,
    /// Check every value that is read against what was written. Costs the generator some speed.
    #[arg(long)]
    pub verify: bool,
}

/// Arguments of `loadgen run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Open loop: requests a second, all threads together. 50000, 50k, 1.5m.
    #[arg(short, long, value_name = "PER_SECOND", value_parser = units::count)]
    pub rate: Option<f64>,
    /// Closed loop: the next request when one is answered. Says nothing of latency under a rate.
    #[arg(long, conflicts_with_all = ["rate", "poisson"])]
    pub closed: bool,
    /// Open loop with exponential gaps instead of equal ones.
    #[arg(long)]
    pub poisson: bool,
    /// How long is measured.
    #[arg(short, long, default_value = "10s", value_name = "TIME", value_parser = units::duration)]
    pub duration: u64,
    /// At most this many requests, the warm-up's too.
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = units::count)]
    pub requests: Option<f64>,
    /// How long is driven before that, and not measured.
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = units::duration)]
    pub warm_up: u64,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub target: TargetArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub records: RecordArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub work: WorkArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub output: OutputArgs,
}

/// Arguments of `loadgen load`.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// Records of one request.
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    pub batch: u64,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub target: TargetArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub records: RecordArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub output: OutputArgs,
}

/// Arguments of `loadgen knee`.
#[derive(Debug, Clone, Args)]
pub struct KneeArgs {
    /// The bound of p99.
    #[arg(long, default_value = "1ms", value_name = "TIME", value_parser = units::duration)]
    pub p99: u64,
    /// The first rate, requests a second; it is doubled until a step fails.
    #[arg(long, default_value = "1k", value_name = "PER_SECOND", value_parser = units::count)]
    pub from: f64,
    /// No higher rate than this.
    #[arg(long, default_value = "10m", value_name = "PER_SECOND", value_parser = units::count)]
    pub to: f64,
    /// How close the answer must be, as a share of the rate.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE")]
    pub precision: f64,
    /// How long each step is measured.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = units::duration)]
    pub step: u64,
    /// How long is driven before each step, and not measured.
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = units::duration)]
    pub warm_up: u64,
    /// Exponential gaps instead of equal ones.
    #[arg(long)]
    pub poisson: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub target: TargetArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub records: RecordArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub work: WorkArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "their fields are documented")]
    pub output: OutputArgs,
}

/// Where the report goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The report as JSON, for `compare`.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The report as one HTML page with plots, for a browser.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Latencies in HdrHistogram's percentile format, milliseconds.
    #[arg(long, value_name = "FILE")]
    pub hgrm: Option<PathBuf>,
    /// A name for the report: the build, the host, what is tried.
    #[arg(long, default_value = "")]
    pub label: String,
    /// No live line and no report on the terminal.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `loadgen compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// The runs before: JSON reports, with commas between them.
    #[arg(value_name = "A.json[,..]", value_delimiter = ',', num_args = 1, required = true)]
    pub before: Vec<PathBuf>,
    /// The runs after.
    #[arg(value_name = "B.json[,..]", value_delimiter = ',', num_args = 1, required = true)]
    pub after: Vec<PathBuf>,
    /// A difference up to this share is none.
    #[arg(long, default_value_t = 0.02, value_name = "SHARE")]
    pub margin: f64,
    /// Exit with 1 when anything is shown to be worse.
    #[arg(long)]
    pub fail_if_worse: bool,
}
