//! `pumice snapshot list`: what is in the object store, and what of it is good. On the main thread;
//! reads manifests only, no rows.

use std::process::ExitCode;

use clap::Args;
use indicatif::{BinaryBytes, HumanCount};
use pumice_client::Timestamp;
use serde::Serialize;

use super::super::output::{Done, Failure, block_on, print_json, print_line};
use super::{Namespace, open};
use crate::settings::ObjectsSettings;
use crate::snapshot::catalog::{Listed, State, Whose, list};

/// Arguments of `pumice snapshot list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    #[command(flatten)]
    namespace: Namespace,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Shown {
    namespace: String,
    snapshots: Vec<One>,
}

#[derive(Serialize)]
struct One {
    snapshot: String,
    partition: u32,
    next_offset: u64,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(flatten)]
    about: Option<About>,
}

#[derive(Serialize)]
struct About {
    taken_at_ms: i64,
    rows: u64,
    bytes: u64,
    hash: String,
}

/// Prints one line a snapshot, newest first within a partition.
pub fn run(args: &ListArgs, objects: &ObjectsSettings, whose: Whose) -> Done {
    let listed = block_on(async {
        let objects = open(objects)?;
        list(&objects, &whose).await.map_err(Failure::new)
    })?;
    let snapshots = listed.into_iter().map(One::of).collect();
    let shown = Shown { namespace: whose.namespace, snapshots };
    if args.json {
        print_json(&shown)?;
    } else {
        print_line(&shown.text())?;
    }
    Ok(ExitCode::SUCCESS)
}

impl One {
    fn of(listed: Listed) -> Self {
        let (state, reason, about) = match listed.state {
            State::Good(summary) => {
                let about = About {
                    taken_at_ms: summary.about.taken_at,
                    rows: summary.about.rows,
                    bytes: summary.packed,
                    hash: summary.about.state.to_string(),
                };
                ("good", None, Some(about))
            }
            State::Damaged(why) => ("damaged", Some(why), None),
            State::Foreign(why) => ("foreign", Some(why), None),
            State::Unread(why) => ("unread", Some(why), None),
            State::Orphan => ("unfinished", None, None),
        };
        let place = listed.found.place;
        let (partition, next_offset) = (place.partition.0, place.next.0);
        Self { snapshot: place.to_string(), partition, next_offset, state, reason, about }
    }
}

impl Shown {
    fn text(&self) -> String {
        if self.snapshots.is_empty() {
            return format!("no snapshots of namespace {}", self.namespace);
        }
        let mut text = String::from(
            "partition  next offset   taken at                  rows          size        state",
        );
        for one in &self.snapshots {
            let (taken, rows, size) = match &one.about {
                Some(about) => (
                    Timestamp(about.taken_at_ms).to_string(),
                    HumanCount(about.rows).to_string(),
                    BinaryBytes(about.bytes).to_string(),
                ),
                None => Default::default(),
            };
            let (partition, next, state) = (one.partition, one.next_offset, one.state);
            text.push_str(&format!(
                "\n{partition:>9}  {next:<12}  {taken:<24}  {rows:<12}  {size:<10}  {state}"
            ));
            text.extend(one.reason.iter().map(|reason| format!("\n           {reason}")));
        }
        text
    }
}
