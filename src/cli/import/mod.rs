//! `pumice import`: lines in, records out, and an exact count of what became of each. A thread
//! reads and parses, the main thread sends; whatever the file's size, neither holds more than a
//! few batches of it.

mod filling;
mod lanes;
mod line;
mod lines;
mod progress;
mod source;
mod tally;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Instant;

use clap::Args;
use pumice_client::Client;
use tokio::sync::mpsc;

use super::output::{Done, Failure, block_on, print_json, print_line};
use crate::args::{DEFAULT_URL, Trust};
pub use line::Line;
use progress::Progress;
pub use source::Source;
pub use tally::Summary;
use tally::Tally;

/// A record's lane is chosen by its key and a lane sends one request after the other, so of two
/// lines with one key the later wins, as in the file.
const LANES: usize = 8;
/// Batches that wait for a lane, so that parsing and sending overlap.
const WAITING: usize = 2;

/// Arguments of `pumice import`.
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// File of lines {"pk","sk","data"}, plain or gzip; - reads stdin
    file: String,
    /// Address of the server's public port
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, visible_alias = "url")]
    to: String,
    #[command(flatten)]
    trust: Trust,
    /// Skip the lines before this one
    #[arg(long, value_name = "N", default_value_t = 1)]
    from_line: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Imports, and prints the counts; the exit code is 1 unless every record was applied.
pub fn run(args: &ImportArgs) -> Done {
    let source = Source::open(&args.file)?;
    let client = args.trust.builder(&args.to).connections(LANES / 2).build()?;
    let summary = block_on(load(&client, source, args.from_line))?;
    for line in summary.fault_lines() {
        eprintln!("pumice: {line}");
    }
    if args.json {
        print_json(&summary)?;
    } else {
        print_line(&summary.to_string())?;
    }
    Ok(if summary.complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends every record of the source and waits until each is judged.
///
/// # Errors
/// Only when nothing could be started, a server that is not there included: what goes wrong later
/// is counted in the summary.
pub async fn load(client: &Client, source: Source, from_line: u64) -> Result<Summary, Failure> {
    client.namespace().await?;
    let started = Instant::now();
    let progress = Arc::new(Progress::new(source.size));
    let stop = Arc::new(AtomicBool::new(false));
    let mut queues = Vec::new();
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        let (queue, waiting) = mpsc::channel(WAITING);
        queues.push(queue);
        let lane = lanes::Lane::new(client.clone(), stop.clone(), progress.clone());
        lanes.push(tokio::spawn(lane.run(waiting)));
    }
    let reader = {
        let progress = progress.clone();
        let read = move || lines::read(source, from_line, queues, &stop, &progress);
        thread::Builder::new().name("import".into()).spawn(read)?
    };

    let mut tally = Tally::default();
    for lane in lanes {
        tally.merge(lane.await.map_err(Failure::new)?);
    }
    // The lanes end when the reader has dropped their queues.
    let read = reader.join().map_err(|_| Failure::new("the reader of the file panicked"))?;
    tally.merge(read.tally);
    progress.finish();
    Ok(Summary::new(tally, read.lines, read.broken, started.elapsed()))
}
