//! Snapshots through the library: shards with random entries, a directory as the object store, and
//! everything that can be wrong with what lies in it. Nothing that is not proved good is ever made
//! live.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "the side of a client is the TLS suite's")]
#[path = "tls/authority.rs"]
mod authority;
#[path = "snapshots/commands.rs"]
mod commands;
#[path = "snapshots/damage.rs"]
mod damage;
#[path = "snapshots/door.rs"]
mod door;
#[path = "snapshots/ends.rs"]
mod ends;
#[path = "snapshots/faults.rs"]
mod faults;
#[path = "snapshots/format.rs"]
mod format;
#[path = "snapshots/lies.rs"]
mod lies;
#[path = "snapshots/node.rs"]
mod node;
#[path = "snapshots/rounds.rs"]
mod rounds;
mod s3;
#[path = "../shards/tests/seeds/mod.rs"]
mod seeds;
mod server;
#[path = "snapshots/stream.rs"]
mod stream;
#[path = "snapshots/wants.rs"]
mod wants;

use std::sync::atomic::{AtomicU32, Ordering};

use pumice::objects::Objects;
use pumice::settings::{ClusterSettings, ObjectsSettings};
use pumice::snapshot::catalog::{Found, Whose, find};
use pumice::snapshot::install::Installer;
use pumice::snapshot::place::Place;
use pumice::snapshot::restore::{Restorer, Wish};
use pumice::snapshot::take::{Spool, WALK_MAX, Walk};
use pumice::snapshot::upload::upload;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition};
use tempfile::TempDir;

use crate::node::Node;

const PARTITIONS: u32 = 4;

fn cluster() -> ClusterSettings {
    let (namespace, hash) = ("shop".to_owned(), Hash::Murmur2);
    ClusterSettings { namespace, partitions: PARTITIONS, hash }
}

fn directory(dir: &TempDir) -> ObjectsSettings {
    ObjectsSettings::Directory(dir.path().join("objects"))
}

/// A tenth of a count, and all of it where there is time.
fn some_of(all: usize) -> usize {
    if std::env::var("PUMICE_SOAK").is_ok_and(|soak| soak == "1") { all } else { all / 10 }
}

/// Runs async work on a runtime of its own.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work)
}

/// Takes a snapshot of a partition and uploads it, as a round does.
async fn snapshot(node: &Node, dir: &TempDir, objects: &Objects, partition: Partition) -> Place {
    try_snapshot(node, dir, objects, partition).await.unwrap()
}

async fn try_snapshot(
    node: &Node,
    dir: &TempDir,
    objects: &Objects,
    partition: Partition,
) -> Result<Place, String> {
    static TAG: AtomicU32 = AtomicU32::new(1);
    let tag = TAG.fetch_add(1, Ordering::Relaxed);
    let spool = Spool::open(&dir.path().join("spool")).unwrap();
    let cluster = cluster();
    let walk = Walk { cluster: &cluster, partition, limit: WALK_MAX, abandoned: &|| false };
    let taken = spool.take(node.reader(partition), &walk, tag);
    let spooled = taken.map_err(|fault| fault.to_string())?.unwrap();
    let next = spooled.manifest.about.next;
    let place = Place { namespace: cluster.namespace, partition, next, tag };
    let done = upload(objects, &spooled, &place, &|_| {}).await;
    done.map(|()| place).map_err(|fault| fault.to_string())
}

/// What lies in the store for a place.
async fn found(objects: &Objects, place: &Place) -> Found {
    let all = find(objects, &place.namespace, Some(place.partition)).await.unwrap();
    all.into_iter().find(|found| found.place == *place).unwrap()
}

fn whose() -> Whose {
    Whose::from(&cluster())
}

fn wish(partition: Partition) -> Wish {
    Wish { partition, covers: Offset(0), at_most: Offset(u64::MAX), followed: false }
}

fn restorer<'a>(
    objects: &'a Objects,
    cluster: &'a ClusterSettings,
    node: &'a Node,
    stats: &'a SnapshotStats,
) -> Restorer<'a> {
    let (feeders, proofs) = (node.feeders(), None);
    Restorer { objects, installer: Installer { cluster, feeders, stats, proofs, step: &|_, _| {} } }
}
