//! `pumice snapshot restore`: brings partitions of a data directory to their newest good snapshots.
//! On the main thread, with a thread a shard that writes; it holds the directory's lock meanwhile,
//! so nobody can serve it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Args;
use indicatif::{BinaryBytes, ProgressBar};
use pumice_model::ids::{Offset, Partition};
use pumice_shards::{Fault, Options, Reader, Writer};
use serde::Serialize;
use tracing::level_filters::LevelFilter;

use super::super::logging;
use super::super::output::{Done, Failure, print_json, print_line};
use super::bar;
use crate::datadir::DataDir;
use crate::mesh::feed::{Fed, Feed, Feeder, feed};
use crate::settings::{self, ObjectsSettings};
use crate::snapshot::install::Step;
use crate::snapshot::restore::{Restored, Wish, restore_all};
use crate::stats::snapshot::SnapshotStats;

/// Arguments of `pumice snapshot restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The data directory; nobody may serve it meanwhile
    #[arg(long, value_name = "DIR", default_value = settings::preset("data-dir"))]
    data_dir: PathBuf,
    /// Only this partition; may be said again
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<u32>,
    /// Also where the partition goes back to an older state
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize, Default)]
struct Shown {
    restored: Vec<One>,
    failed: Vec<Failed>,
    as_they_were: u64,
}

#[derive(Serialize)]
struct One {
    partition: u32,
    next_offset: u64,
    rows: u64,
    hash: String,
}

#[derive(Serialize)]
struct Failed {
    partition: u32,
    reason: String,
}

/// A shard and the thread that writes to it.
struct Shard {
    reader: Reader,
    feeder: Feeder,
    owner: thread::JoinHandle<Result<(), Fault>>,
}

/// Prints what was restored; the exit code is 1 when a restore failed, or a partition that was
/// named has no snapshot that fits.
pub fn run(args: &RestoreArgs, objects: &ObjectsSettings) -> Done {
    // A bad snapshot in whose place an older one is restored must be seen.
    logging::start(LevelFilter::WARN);
    let directory = DataDir::open_existing(&args.data_dir).map_err(Failure::new)?;
    let shards = directory.each_shard().map(|(path, identity)| {
        let options = Options::default();
        let opened = pumice_shards::open(&path, &identity, &options).map_err(Failure::new)?;
        Ok(Shard::of(opened))
    });
    let shards = shards.collect::<Result<Vec<Shard>, Failure>>()?;
    let wishes = wishes(args, directory.cluster().partitions, &shards)?;
    let (feeders, owners): (Vec<_>, Vec<_>) =
        shards.into_iter().map(|shard| (shard.feeder, shard.owner)).unzip();
    let (bar, stats) = (bar(0), SnapshotStats::default());
    let step = |partition, step| show(&bar, partition, step);
    let restored = restore_all(objects, directory.cluster(), &feeders, &wishes, &stats, &step);
    // Without a feeder the owners end, once they have cleared up.
    drop(feeders);
    let swept = owners.into_iter().map(thread::JoinHandle::join);
    let swept: Result<Vec<_>, _> = swept.map(|swept| swept.unwrap_or(Ok(()))).collect();
    bar.finish_and_clear();
    let shown = Shown::of(restored?);
    swept.map_err(Failure::new)?;
    let missing = !args.partitions.is_empty() && shown.as_they_were > 0;
    shown.print(args.json)?;
    let well = shown.failed.is_empty() && !missing;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Shard {
    fn of((writer, reader): (Writer, Reader)) -> Self {
        let (feeder, feed) = feed();
        let owner = thread::spawn(move || own(writer, feed));
        Self { reader, feeder, owner }
    }
}

/// Does what it is fed, then drops the generations that nobody needs any more.
fn own(mut writer: Writer, mut feed: Feed) -> Result<(), Fault> {
    while let Some(fed) = feed.blocking_recv() {
        if let Fed::Job(job) = fed {
            (job.run)(&mut writer);
        }
    }
    while writer.sweep()? {}
    Ok(())
}

/// What is newer than what is held, unless it was forced.
fn wishes(args: &RestoreArgs, partitions: u32, shards: &[Shard]) -> Result<Vec<Wish>, Failure> {
    if let Some(none) = args.partitions.iter().find(|partition| **partition >= partitions) {
        return Err(Failure::new(format!(
            "there is no partition {none}: the data directory has {partitions}"
        )));
    }
    let named = |partition: &Partition| {
        args.partitions.is_empty() || args.partitions.contains(&partition.0)
    };
    let wish = |partition: Partition| {
        let shard = usize::from(partition.shard(shards.len() as u16).0);
        let position = shards[shard].reader.read(|view| view.position(partition));
        let position = position.and_then(|position| position).map_err(Failure::new)?;
        let covers = if args.force { Offset(0) } else { Offset(position.next.0 + 1) };
        Ok(Wish { partition, covers, at_most: Offset(u64::MAX), followed: false })
    };
    (0..partitions).map(Partition).filter(named).map(wish).collect()
}

fn show(bar: &ProgressBar, partition: Partition, step: Step) {
    match step {
        Step::Begun(bytes) => bar.inc_length(bytes),
        Step::Staged(bytes) => {
            bar.inc(bytes);
            bar.set_message(format!("partition {partition}, {}", BinaryBytes(bar.position())));
        }
        Step::Dropped | Step::Installed => {}
    }
}

impl Shown {
    fn of(restored: Restored) -> Self {
        let mut shown = Self::default();
        for (Partition(partition), restored) in restored {
            match restored {
                Ok(None) => shown.as_they_were += 1,
                Ok(Some(position)) => shown.restored.push(One {
                    partition,
                    next_offset: position.next.0,
                    rows: position.rows,
                    hash: position.hash.to_string(),
                }),
                Err(fault) => {
                    shown.failed.push(Failed { partition, reason: fault.to_string() });
                }
            }
        }
        shown.restored.sort_by_key(|one| one.partition);
        shown.failed.sort_by_key(|failed| failed.partition);
        shown
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return print_json(self);
        }
        for Failed { partition, reason } in &self.failed {
            print_line(&format!("partition {partition}: {reason}"))?;
        }
        for one in &self.restored {
            let One { partition, next_offset, rows, hash } = one;
            print_line(&format!(
                "partition {partition}: {rows} rows, next offset {next_offset}, state {hash}"
            ))?;
        }
        let (restored, failed) = (self.restored.len(), self.failed.len());
        let rest = self.as_they_were;
        print_line(&format!("{restored} restored, {failed} failed, {rest} as they were"))
    }
}
