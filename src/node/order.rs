//! Where a node's order comes from: starts the log that the settings name, with what it needs
//! beside it, and stops it. Starting thread.

use std::sync::Arc;
use std::task::Waker;

use pumice_shards::{Position, Reader};

use super::fault::StartFault;
use super::restore;
use super::snapshots::{self, Snapshots};
use super::store::{self, Owners, Shard};
use crate::datadir::DataDir;
use crate::log::kafka;
use crate::mesh::feed::{Feed, Feeder, feed};
use crate::mesh::handover::{Asking, Telling};
use crate::mesh::holds::{self, Holds};
use crate::mesh::inbox::{Inbox, Outlet, inbox};
use crate::owner::{self, Source};
use crate::settings::{KafkaSettings, LogSettings, Settings};
use crate::snapshot::service;
use crate::stats::log::LogStats;
use crate::stats::progress::Progress;
use crate::stats::snapshot::SnapshotStats;

/// The ways out of a core.
#[derive(Clone)]
pub struct Ways {
    /// Into every shard.
    pub inboxes: Vec<Inbox>,
    /// To whole partitions, for peers; where there are some.
    pub asks: Option<Asking>,
}

/// Everything between the cores' inboxes and the shards.
pub struct Order {
    pub ways: Ways,
    /// How partitions stand to the log; `None` with the embedded one.
    pub progress: Option<Arc<Progress>>,
    /// What the log counts, likewise.
    pub log_stats: Option<Arc<LogStats>>,
    /// Says what the log follows, where there are peers.
    pub holds: Option<Holds>,
    /// Tells who holds what to the thread that restores, likewise.
    pub telling: Option<Telling>,
    /// Snapshots, where there are objects.
    pub snapshots: Option<service::Handle>,
    pub snapshot_stats: Arc<SnapshotStats>,
    pub stopping: Stopping,
}

/// What is to be stopped, in this order.
pub struct Stopping {
    log: Option<kafka::Running>,
    snapshots: Option<service::Running>,
    owners: Vec<owner::Joining>,
}

impl Stopping {
    /// Ends every thread, once the cores have let go of their inboxes. Whether all ended well.
    pub fn stop(self) -> bool {
        let log = self.log.is_none_or(kafka::Running::stop);
        let snapshots = self.snapshots.is_none_or(service::Running::stop);
        // Nobody feeds them any more.
        let mut well = log && snapshots;
        for owner in self.owners {
            well &= owner.join().is_ok();
        }
        well
    }
}

/// What a log is started for.
pub struct Place<'a> {
    pub settings: &'a Settings,
    pub owners: Owners<'a>,
    pub data_dir: &'a DataDir,
}

/// Starts the log, the owners and the snapshots.
pub fn start(place: &Place<'_>, shards: Vec<Shard>) -> Result<Order, StartFault> {
    match &place.settings.process.log {
        LogSettings::Embedded => embedded(place, shards),
        LogSettings::Kafka(settings) => kafka(place, settings, shards),
    }
}

fn embedded(place: &Place<'_>, mut shards: Vec<Shard>) -> Result<Order, StartFault> {
    let snapshot_stats = Arc::<SnapshotStats>::default();
    let half_restored = place.data_dir.is_half_restored();
    let empty = holds_nothing(place, &readers(&shards))?;
    match &place.settings.process.objects {
        Some(objects) if empty || half_restored => {
            place.data_dir.begin_restore()?;
            let readers = readers(&shards);
            let restored = restore::everything(place, objects, shards, &snapshot_stats);
            if restored.is_ok() || holds_nothing(place, &readers)? {
                place.data_dir.end_restore()?;
            }
            shards = restored?;
        }
        None if half_restored => return Err(restore::unfinished()),
        _ => {}
    }
    let readers = readers(&shards);
    let (inboxes, outlets) = inboxes(&shards, None);
    let owners = shards
        .into_iter()
        .zip(outlets)
        .map(|(shard, outlet)| place.owners.spawn(shard, Source::Cores(outlet)));
    let owners = owners.collect::<Result<Vec<_>, _>>()?;
    let snapshots = snapshots::alone(place, readers, &snapshot_stats)?;
    Ok(Order {
        ways: Ways { inboxes, asks: None },
        progress: None,
        log_stats: None,
        holds: None,
        telling: None,
        snapshots: snapshots.handle,
        snapshot_stats,
        stopping: Stopping { log: None, snapshots: snapshots.running, owners },
    })
}

fn kafka(
    place: &Place<'_>,
    settings: &KafkaSettings,
    shards: Vec<Shard>,
) -> Result<Order, StartFault> {
    let cluster = &place.settings.cluster;
    if place.data_dir.is_half_restored() {
        // What is missing comes from the log or its snapshots.
        place.data_dir.end_restore()?;
    }
    let readers = readers(&shards);
    let held = store::held(&readers, cluster.partitions).map_err(StartFault::Unreadable)?;
    let progress = Arc::new(Progress::new(cluster.partitions));
    for ((_, progress), position) in progress.all().zip(&held) {
        progress.was_fresh(position.log_time);
    }
    let (waker, taken) = kafka::taker();
    let (inboxes, outlets) = inboxes(&shards, Some(waker));
    let (feeders, feeds): (Vec<Feeder>, Vec<Feed>) = shards.iter().map(|_| feed()).unzip();
    let owners = shards
        .into_iter()
        .zip(feeds)
        .map(|(shard, feed)| place.owners.spawn(shard, Source::Log(feed, progress.clone())));
    let owners = owners.collect::<Result<Vec<_>, _>>()?;
    let snapshot_stats = Arc::<SnapshotStats>::default();
    let Snapshots { running: snapshots, handle, wanting, telling, asks } =
        snapshots::beside_log(place, readers, &feeders, &progress, &snapshot_stats)?;
    let log_stats = Arc::<LogStats>::default();
    // With peers, what is followed is the cluster's to say.
    let (holds, held_by) = place.settings.process.gossip.as_ref().map(|_| holds::holds()).unzip();
    let started = kafka::start(kafka::Setup {
        settings: settings.clone(),
        cluster: cluster.clone(),
        held,
        held_by,
        outlets,
        feeders,
        wanting,
        has_objects: place.settings.process.objects.is_some(),
        home: place.owners.home.clone(),
        positions: place.owners.positions.clone(),
        progress: progress.clone(),
        stats: log_stats.clone(),
        serving: place.owners.serving.to_vec(),
        taken,
    });
    match started {
        Ok(log) => {
            if log_stats.connected.get() == 0 {
                progress.serve_unheard();
            }
            Ok(Order {
                ways: Ways { inboxes, asks },
                progress: Some(progress),
                log_stats: Some(log_stats),
                holds,
                telling,
                snapshots: handle,
                snapshot_stats,
                stopping: Stopping { log: Some(log), snapshots, owners },
            })
        }
        Err(fault) => {
            // The owners must let go of their shards before the directory can.
            drop(inboxes);
            Stopping { log: None, snapshots, owners }.stop();
            Err(StartFault::Log(fault))
        }
    }
}

fn holds_nothing(place: &Place<'_>, readers: &[Reader]) -> Result<bool, StartFault> {
    let held = store::held(readers, place.settings.cluster.partitions);
    let held = held.map_err(StartFault::Unreadable)?;
    Ok(held.iter().all(|position| *position == Position::ZERO))
}

fn readers(shards: &[Shard]) -> Vec<Reader> {
    shards.iter().map(|shard| shard.reader.clone()).collect()
}

fn inboxes(shards: &[Shard], taker: Option<Waker>) -> (Vec<Inbox>, Vec<Outlet>) {
    shards.iter().map(|shard| inbox(shard.stats.clone(), taker.clone())).unzip()
}
