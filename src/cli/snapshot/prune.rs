//! `pumice snapshot prune`: removes snapshots that need not be kept, as a node does after each
//! round. On the main thread; the newest good one of a partition always stays.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::super::output::{Done, Failure, block_on, print_json, print_line};
use super::{Namespace, bar, open};
use crate::clock;
use crate::settings::{self, ObjectsSettings};
use crate::snapshot::catalog::{Whose, list};
use crate::snapshot::prune::{Keep, plan, prune};

/// Arguments of `pumice snapshot prune`.
#[derive(Args, Debug)]
pub struct PruneArgs {
    #[command(flatten)]
    namespace: Namespace,
    /// Newest good snapshots of each partition that stay whatever their age
    #[arg(long, value_name = "N", default_value = settings::preset("snapshot-keep"))]
    keep: u32,
    /// Age up to which older ones stay besides, as 90s, 15m, 6h or 7d
    #[arg(long, value_name = "DURATION", value_parser = settings::duration,
          default_value = settings::preset("snapshot-keep-for"))]
    keep_for: Duration,
    /// Show what would go, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Pruned {
    dry_run: bool,
    stay: usize,
    removed: Vec<String>,
}

/// Prints what went.
pub fn run(args: &PruneArgs, objects: &ObjectsSettings, whose: Whose) -> Done {
    let keep = Keep { count: args.keep, time: args.keep_for };
    let bar = bar(0);
    let pruned = block_on(async {
        let objects = open(objects)?;
        let listed = list(&objects, &whose).await.map_err(Failure::new)?;
        let going = plan(&listed, &keep, clock::now());
        if !args.dry_run {
            bar.set_length(going.len() as u64);
            prune(&objects, &going, |_| bar.inc(1)).await.map_err(Failure::new)?;
        }
        let removed: Vec<_> = going.iter().map(|found| found.place.to_string()).collect();
        Ok(Pruned { dry_run: args.dry_run, stay: listed.len() - removed.len(), removed })
    });
    bar.finish_and_clear();
    let pruned = pruned?;
    if args.json {
        print_json(&pruned)?;
    } else {
        pruned.removed.iter().try_for_each(|place| print_line(place))?;
        let (removed, stay) = (pruned.removed.len(), pruned.stay);
        let verb = if args.dry_run { "would go" } else { "removed" };
        print_line(&format!("{removed} {verb}, {stay} stay"))?;
    }
    Ok(ExitCode::SUCCESS)
}
