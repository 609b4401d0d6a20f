//! Measures the log and the snapshots: entries applied from a real broker, snapshots and restores,
//! what a snapshot costs those who read, and memory. Run by `bench/log-and-snapshots.sh`; the main
//! thread runs one part after the other, and nothing else may run on the machine meanwhile.

mod apply;
#[expect(clippy::unwrap_used, reason = "shared with the tests, where it fails one")]
#[path = "../../../../tests/snapshots/door.rs"]
mod door;
mod entries;
mod handover;
mod load;
mod memory;
mod node;
mod peer;
mod reads;
mod report;
mod server;
mod snapshots;
mod topic;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use entries::Entries;
use node::Node;

/// As the server has it, so that what is measured here is what it does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever goes wrong ends the run.
pub type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measures the log and the snapshots.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Everything, one part after the other
    All(All),
    /// One partition, from a node that holds it and from its snapshot
    Handover(handover::Move),
    /// Fetches a topic at a rate and throws it away, until it is killed
    Discard(topic::Discard),
    /// Reads keys over HTTP/2, at a rate or as fast as answers come
    Load(load::Load),
}

/// What a whole run is told.
#[derive(Debug, Args)]
pub struct All {
    /// A broker, as 127.0.0.1:9092
    #[arg(long, required_unless_present = "only_snapshots")]
    kafka: Option<String>,
    /// Measures the rates of snapshots and restores and nothing else; needs no broker
    #[arg(long, conflicts_with = "kafka")]
    only_snapshots: bool,
    /// The server's binary
    #[arg(long)]
    pumice: PathBuf,
    /// An empty directory on the disk that is measured
    #[arg(long)]
    dir: PathBuf,
    /// Entries of the topic
    #[arg(long, default_value_t = 2_000_000)]
    entries: u64,
    /// Keys that they update
    #[arg(long, default_value_t = 1_000_000)]
    keys: u64,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of one measurement of reads
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The CPU of the one serving core
    #[arg(long, default_value_t = 0)]
    serving_cpu: usize,
    /// The CPU of those who read
    #[arg(long, default_value_t = 1)]
    client_cpu: usize,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().what {
        What::All(all) => run(&all),
        What::Handover(told) => handover::measure(&told),
        What::Discard(discard) => topic::discard(&discard),
        What::Load(load) => load::run(&load),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("log_and_snapshots: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(all: &All) -> Fallible<()> {
    let entries = Entries { total: all.entries, keys: all.keys };
    let Some(broker) = &all.kafka else {
        let node = Node::open(&all.data_dir(node::PARTITIONS), node::PARTITIONS, all.serving_cpu)?;
        return snapshots::measure(all, apply::from_memory(node, &entries)?).map(drop);
    };
    let held = apply::measure(all, broker, &entries)?;
    let objects = snapshots::measure(all, held)?;
    reads::measure(all, &entries)?;
    memory::measure(all, "16 partitions", node::PARTITIONS, &objects)?;

    let one = all.dir.join("one");
    let node = Node::open(&one, 1, all.serving_cpu)?;
    apply::from_memory(node, &entries)?.close()?;
    let objects = snapshots::take_all(all, &one, 1)?;
    memory::measure(all, "1 partition", 1, &objects)
}

impl All {
    /// Where the shards of `partitions` lie once they are filled.
    fn data_dir(&self, partitions: u32) -> PathBuf {
        self.dir.join(if partitions == 1 { "one" } else { "data" })
    }
}

/// A port that nobody listens on at the moment.
fn free_address() -> Fallible<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
