//! `pumice check`: walks every table of a data directory and proves that they agree. On the main
//! thread; it holds the directory's lock meanwhile, so nobody can serve it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{HumanCount, ProgressBar};
use pumice_shards::{Options, Report};
use serde::Serialize;

use super::output::{Done, Failure, print_json, print_line};
use crate::datadir::DataDir;
use crate::settings;

/// Arguments of `pumice check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The data directory; nobody may serve it meanwhile
    #[arg(long, value_name = "DIR", default_value = settings::preset("data-dir"))]
    data_dir: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Found {
    clean: bool,
    rows: u64,
    staged: u64,
    fault_count: u64,
    faults: Vec<String>,
    partitions: Vec<FoundPartition>,
}

#[derive(Serialize)]
struct FoundPartition {
    partition: u32,
    shard: u16,
    offset: Option<u64>,
    rows: u64,
    hash: String,
}

/// Prints what was found; the exit code is 1 when anything does not agree.
pub fn run(args: &CheckArgs) -> Done {
    let directory = DataDir::open_existing(&args.data_dir).map_err(Failure::new)?;
    let mut found = Found {
        clean: true,
        rows: 0,
        staged: 0,
        fault_count: 0,
        faults: Vec::new(),
        partitions: Vec::new(),
    };
    let bar = ProgressBar::new(directory.shards().into());
    for (path, identity) in directory.each_shard() {
        // A shard that was never opened has no environment, and looking must not make one.
        if path.exists() {
            let report = pumice_shards::check(&path, &identity, &Options::default());
            found.add(identity.shard.0, report.map_err(Failure::new)?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    found.partitions.sort_by_key(|partition| partition.partition);
    if args.json {
        print_json(&found)?;
    } else {
        found.faults.iter().try_for_each(|fault| print_line(fault))?;
        print_line(&found.summary())?;
    }
    Ok(if found.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Found {
    fn add(&mut self, shard: u16, report: Report) {
        self.clean &= report.clean();
        self.staged += report.staged;
        self.fault_count += report.fault_count;
        let named = report.faults.iter().map(|fault| format!("shard {shard}: {fault}"));
        self.faults.extend(named);
        for partition in &report.partitions {
            self.rows += partition.rows;
            self.partitions.push(FoundPartition {
                partition: partition.partition.0,
                shard,
                offset: partition.position.next.0.checked_sub(1),
                rows: partition.rows,
                hash: partition.hash.to_string(),
            });
        }
    }

    fn summary(&self) -> String {
        let rows = HumanCount(self.rows);
        let walked = format!("{rows} rows of {} partitions walked", self.partitions.len());
        match self.fault_count {
            0 => format!("{walked}: every table agrees"),
            count => format!("{walked}: {} faults", HumanCount(count)),
        }
    }
}
