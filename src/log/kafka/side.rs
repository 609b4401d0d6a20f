//! The log's thread from its first to its last moment. Everything that speaks to brokers lives on
//! it, as tasks of one runtime; a task that panics breaks its own partition and no other.

use std::future::pending;
use std::rc::Rc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use pumice_model::ids::ProducerId;
use rustls::crypto::ring;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::cluster::{Cluster, topic_name};
use super::dispatch::Lanes;
use super::fault::LogFault;
use super::follow::{Reading, bounds};
use super::gate::Gate;
use super::keepers::Keepers;
use super::lane::Writing;
use super::start::Setup;
use super::tickets::Tickets;
use super::topics::{self, Agreed, Place};
use super::watch;
use super::wire::Access;
use crate::stats::progress::Progress;

/// How long a start waits for a broker: less where there is something to serve without one.
const WITHOUT: Duration = Duration::from_secs(5);
const NEEDED: Duration = Duration::from_secs(45);
/// How long what is on its way at the end may take.
const LANDING: Duration = Duration::from_secs(5);

/// Runs the thread. `started` is told once, when the start is over.
pub fn run(
    setup: Setup,
    access: Access,
    started: SyncSender<Result<(), LogFault>>,
    stopping: &Notify,
) {
    let runtime: Runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => {
            let _ = started.send(Err(LogFault::Settings(format!("the log's thread: {fault}"))));
            return;
        }
    };
    let local = LocalSet::new();
    local.block_on(&runtime, live(setup, access, started, stopping));
}

async fn live(
    setup: Setup,
    access: Access,
    started: SyncSender<Result<(), LogFault>>,
    stopping: &Notify,
) {
    let settings = setup.settings.clone();
    let topic = topic_name(&settings.mutations_topic);
    let topics = vec![topic.clone(), topic_name(&settings.partitions_topic)];
    let brokers = settings.brokers.clone();
    let cluster = Rc::new(Cluster::new(access, brokers, topics, setup.stats.clone()));
    let Some(producer) = random_producer() else {
        let fault = LogFault::Settings("the system gives no random numbers".to_owned());
        let _ = started.send(Err(fault));
        return;
    };
    let writing = Rc::new(Writing {
        cluster: cluster.clone(),
        topic: topic.clone(),
        producer,
        compression: settings.compression,
        gate: Gate::default(),
        tickets: Rc::<Tickets>::default(),
        home: setup.home.clone(),
        progress: setup.progress.clone(),
        stats: setup.stats.clone(),
    });
    let lanes = Rc::new(Lanes::new(writing.clone()));
    let (moving, outlets, taken) = (lanes.clone(), setup.outlets, setup.taken);
    spawn_local(async move { moving.dispatch(outlets, taken).await });
    let sweeping = lanes.clone();
    spawn_local(async move { sweeping.sweep().await });
    let has_objects = setup.has_objects;
    let (beginning, behind) = bounds(setup.feeders.len());
    let reading = Rc::new(Reading {
        cluster: cluster.clone(),
        topic: topic.clone(),
        writing: writing.clone(),
        wanting: setup.wanting,
        positions: setup.positions,
        progress: setup.progress.clone(),
        stats: setup.stats,
        beginning,
        behind,
    });
    let has_data = setup.held.iter().any(|position| position.next.0 > 0);
    let place = Place { settings: &settings, namespace: &setup.cluster, has_data, has_objects };
    let keepers = Keepers::new(reading, setup.feeders, setup.held);
    tokio::select! {
        () = keepers.keep(setup.held_by) => {}
        () = agree_and_watch(&place, &cluster, &writing, started) => {}
        () = stopping.notified() => {}
    }
    writing.gate.close();
    if timeout(LANDING, lanes.land()).await.is_err() {
        tracing::warn!("some produces were not answered in time at the end");
    }
}

/// Compares everything, then opens the gate and watches that it stays so; that the start is over is
/// told as soon as it is clear how. Ends when this node cannot follow.
async fn agree_and_watch(
    place: &Place<'_>,
    cluster: &Rc<Cluster>,
    writing: &Writing,
    started: SyncSender<Result<(), LogFault>>,
) {
    let Some(agreed) = agree(place, cluster, &writing.progress, started).await else { return };
    writing.gate.open(agreed.batch_max);
    watch::watch(cluster, &writing.topic, &agreed.mutations, &writing.progress).await;
    pending().await
}

/// Tries until the cluster answers and agrees. `None` when this node cannot follow it.
async fn agree(
    place: &Place<'_>,
    cluster: &Rc<Cluster>,
    progress: &Progress,
    started: SyncSender<Result<(), LogFault>>,
) -> Option<Agreed> {
    // A directory that a killed start left has nothing to serve either.
    let needed = !place.has_data || place.settings.required;
    let (began, mut backoff) = (Instant::now(), Backoff::default());
    let mut started = Some(started);
    loop {
        let fault = match topics::agree(cluster, place).await {
            Ok(agreed) => {
                started.take().map(|started| started.send(Ok(())));
                return Some(agreed);
            }
            Err(fault) => fault,
        };
        let patience = if needed { NEEDED } else { WITHOUT };
        match (fault, &started) {
            (LogFault::Unreachable(_), Some(_)) if began.elapsed() < patience => {}
            (LogFault::Unreachable(why), Some(told)) if !needed => {
                tracing::warn!("serving without the log, which cannot be reached: {why}");
                let _ = told.send(Ok(()));
                started = None;
            }
            (fault, Some(told)) => {
                let _ = told.send(Err(fault));
                return None;
            }
            (LogFault::Disagrees(because), None) => {
                watch::break_all(progress, &because);
                pending().await
            }
            (LogFault::Unreachable(why), None) => tracing::debug!("{why}"),
            (fault, None) => tracing::warn!("{fault}; trying on"),
        }
        sleep(backoff.rest()).await;
    }
}

/// A number that no other process start has.
fn random_producer() -> Option<ProducerId> {
    let mut bytes = [0; 16];
    ring::default_provider().secure_random.fill(&mut bytes).ok()?;
    Some(ProducerId(u128::from_le_bytes(bytes)))
}
