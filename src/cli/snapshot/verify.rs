//! `pumice snapshot verify`: reads snapshots whole and proves them. On the main thread; changes
//! nothing, and calls nothing good that was not read to its end.

use std::process::ExitCode;

use clap::Args;
use indicatif::{BinaryBytes, ProgressBar};
use serde::Serialize;

use super::super::output::{Done, Failure, block_on, print_json, print_line};
use super::{Namespace, bar, open};
use crate::objects::Objects;
use crate::settings::ObjectsSettings;
use crate::snapshot::catalog::{Found, Whose, find};
use crate::snapshot::download::ReadFault;
use crate::snapshot::verify::verify;

/// Arguments of `pumice snapshot verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    #[command(flatten)]
    namespace: Namespace,
    /// Only those of this partition; may be said again
    #[arg(long = "partition", value_name = "N")]
    partitions: Vec<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize, Default)]
struct Proved {
    good: u64,
    bytes: u64,
    bad: Vec<Bad>,
}

#[derive(Serialize)]
struct Bad {
    snapshot: String,
    reason: String,
}

/// Prints what is bad; the exit code is 1 when anything is.
pub fn run(args: &VerifyArgs, objects: &ObjectsSettings, whose: Whose) -> Done {
    let bar = bar(0);
    let proved = block_on(async {
        let objects = open(objects)?;
        let found = find(&objects, &whose.namespace, None).await.map_err(Failure::new)?;
        let named = |found: &&Found| {
            let partition = found.place.partition.0;
            found.manifest && (args.partitions.is_empty() || args.partitions.contains(&partition))
        };
        let found: Vec<_> = found.iter().filter(named).collect();
        bar.set_length(found.iter().filter_map(|found| found.rows).sum());
        Ok(prove(&objects, &whose, &found, &bar).await)
    });
    bar.finish_and_clear();
    let proved = proved?;
    if args.json {
        print_json(&proved)?;
    } else {
        proved.bad.iter().try_for_each(|bad| print_line(&bad.line()))?;
        let (good, bytes, bad) = (proved.good, BinaryBytes(proved.bytes), proved.bad.len());
        print_line(&format!("{good} good snapshots of {bytes}, {bad} bad ones"))?;
    }
    Ok(if proved.bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn prove(objects: &Objects, whose: &Whose, found: &[&Found], bar: &ProgressBar) -> Proved {
    let mut proved = Proved::default();
    for found in found {
        bar.set_message(found.place.to_string());
        let began = bar.position();
        let whole = found.rows.unwrap_or_default();
        match verify(objects, whose, found, |packed| bar.inc(packed)).await {
            Ok(_) => {
                proved.good += 1;
                proved.bytes += whole;
            }
            // Removed since it was listed.
            Err(ReadFault::Gone(_)) if is_gone(objects, found).await => {}
            Err(fault) => {
                let (snapshot, reason) = (found.place.to_string(), fault.to_string());
                proved.bad.push(Bad { snapshot, reason });
            }
        }
        bar.set_position(began + whole);
    }
    proved
}

/// Whether a snapshot was removed: its manifest goes first.
async fn is_gone(objects: &Objects, found: &Found) -> bool {
    objects.len(&found.place.manifest()).await.is_ok_and(|len| len.is_none())
}

impl Bad {
    fn line(&self) -> String {
        format!("{}: {}", self.snapshot, self.reason)
    }
}
