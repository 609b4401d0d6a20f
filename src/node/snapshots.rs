//! The thread that takes, restores and gives snapshots, as a node starts it: with objects, with
//! peers, or with both. Starting thread.

use std::sync::Arc;

use pumice_shards::Reader;

use super::fault::{StartFault, thread_fault};
use super::join;
use super::order::Place;
use crate::mesh::feed::Feeder;
use crate::mesh::handover::{Asking, Telling, asks, known};
use crate::mesh::wants::{Wanting, wants};
use crate::settings::Handover;
use crate::snapshot::bring::Peers;
use crate::snapshot::service::{self, Handle, Running, Setup};
use crate::stats::progress::Progress;
use crate::stats::snapshot::SnapshotStats;

/// The thread, where there is anything for it to do, and the ways to it.
#[derive(Default)]
pub struct Snapshots {
    pub running: Option<Running>,
    /// Starts rounds, where there are objects.
    pub handle: Option<Handle>,
    /// The log's way, where something may be restored.
    pub wanting: Option<Wanting>,
    /// The cluster's way, where there are peers.
    pub telling: Option<Telling>,
    /// The cores' way, likewise.
    pub asks: Option<Asking>,
}

/// Starts it beside the embedded log, which nothing is restored for while it serves.
pub fn alone(
    place: &Place<'_>,
    readers: Vec<Reader>,
    stats: &Arc<SnapshotStats>,
) -> Result<Snapshots, StartFault> {
    started(setup(place, readers, stats), Snapshots::default())
}

/// Starts it beside a log that partitions are followed from.
pub fn beside_log(
    place: &Place<'_>,
    readers: Vec<Reader>,
    feeders: &[Feeder],
    progress: &Arc<Progress>,
    stats: &Arc<SnapshotStats>,
) -> Result<Snapshots, StartFault> {
    let process = &place.settings.process;
    let streams = |handover| handover != Handover::Snapshot;
    let restores = process.objects.is_some()
        || process.gossip.as_ref().is_some_and(|gossip| streams(gossip.handover));
    let (wanting, wanted) = restores.then(wants).unzip();
    let mut setup = Setup {
        feeders: feeders.to_vec(),
        wanted,
        progress: Some(progress.clone()),
        ..setup(place, readers, stats)
    };
    let mut ways = Snapshots { wanting, ..Snapshots::default() };
    if let Some(gossip) = &process.gossip {
        let ((telling, known), (asking, asked)) = (known(), asks());
        let (handover, tls) = (gossip.handover, join::tls(process)?);
        (setup.peers, setup.asked) = (Some(Peers { handover, known, tls }), Some(asked));
        (ways.telling, ways.asks) = (Some(telling), Some(asking));
    }
    started(setup, ways)
}

fn setup(place: &Place<'_>, readers: Vec<Reader>, stats: &Arc<SnapshotStats>) -> Setup {
    let process = &place.settings.process;
    Setup {
        objects: process.objects.clone(),
        snapshots: process.snapshots.clone(),
        cluster: place.settings.cluster.clone(),
        shards: place.owners.shards,
        readers,
        feeders: Vec::new(),
        wanted: None,
        peers: None,
        asked: None,
        progress: None,
        stats: stats.clone(),
        serving: place.owners.serving.to_vec(),
    }
}

fn started(setup: Setup, ways: Snapshots) -> Result<Snapshots, StartFault> {
    let has_objects = setup.objects.is_some();
    if !has_objects && setup.peers.is_none() {
        return Ok(ways);
    }
    let running = service::start(setup).map_err(thread_fault("objects"))?;
    let handle = has_objects.then(|| running.handle());
    Ok(Snapshots { running: Some(running), handle, ..ways })
}
