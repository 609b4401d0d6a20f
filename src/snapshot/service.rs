//! The side thread `objects`: takes snapshots in rounds, by the clock or on demand, prunes after
//! each, and restores what the log wants. Everything here runs on its one tokio runtime; a handle
//! is how other threads ask, and none of them waits for an answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{future, io, thread};

use futures_util::{StreamExt, stream};
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use pumice_shards::Reader;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};

use super::restore::{AT_ONCE, RestoreFault, Restorer, Wish};
use super::round::Newest;
use super::take::Spool;
use crate::mesh::feed::Feeder;
use crate::mesh::wants::{Want, Wanted};
use crate::objects::Objects;
use crate::rt;
use crate::settings::{ClusterSettings, ObjectsSettings, SnapshotSettings};
use crate::stats::progress::Progress;
use crate::stats::snapshot::SnapshotStats;

/// What the thread is started with.
pub struct Setup {
    /// Where snapshots live.
    pub objects: ObjectsSettings,
    /// When they are taken and which stay.
    pub snapshots: SnapshotSettings,
    /// Whose they are.
    pub cluster: ClusterSettings,
    /// Shards of this node.
    pub shards: u16,
    /// A reader on each, by shard number.
    pub readers: Vec<Reader>,
    /// A way to the owner of each, likewise; none where nothing is restored while serving.
    pub feeders: Vec<Feeder>,
    /// What the log wants restored.
    pub wanted: Option<Wanted>,
    /// How this node holds partitions; `None` where it has them all.
    pub progress: Option<Arc<Progress>>,
    /// What is counted.
    pub stats: Arc<SnapshotStats>,
    /// CPUs to keep off.
    pub serving: Vec<usize>,
}

/// Asks the thread; cheap to clone, any thread.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// A round is running already: this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy(pub u64);

/// How the last round goes, or went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Rises by one from round to round; 0 before the first.
    pub id: u64,
    /// Partitions of the round.
    pub total: u64,
    /// Those whose manifest is written, or that had nothing to do.
    pub done: u64,
    /// Those that failed, and why.
    pub failed: Vec<(Partition, String)>,
    /// Bytes uploaded.
    pub bytes: u64,
    /// Whether it is under way.
    pub running: bool,
}

/// What the thread and its handles share.
#[derive(Default)]
pub(super) struct Shared {
    status: Mutex<Status>,
    pub bytes: AtomicU64,
    asked: Notify,
}

/// The thread.
pub struct Running {
    handle: Handle,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

/// Starts the thread. A store that cannot be reached is no fault; settings that make none are.
pub fn start(setup: Setup) -> io::Result<Running> {
    let spool = Spool::open(&setup.snapshots.spool_dir)?;
    let objects = Objects::open(&setup.objects).map_err(io::Error::other)?;
    let handle = Handle(Arc::default());
    let (stop, stopped) = oneshot::channel();
    let runtime = runtime()?;
    let shared = handle.0.clone();
    let (wanted, serving) = (setup.wanted, setup.serving);
    let service = Service {
        objects,
        snapshots: setup.snapshots,
        cluster: setup.cluster,
        shards: setup.shards,
        readers: setup.readers,
        feeders: setup.feeders,
        progress: setup.progress,
        stats: setup.stats,
        spool,
        shared,
    };
    let thread = rt::thread::background("objects", &serving, move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                _ = async { tokio::join!(service.rounds(), service.wants(wanted)) } => {}
            }
        });
    })?;
    Ok(Running { handle, stop, thread })
}

/// A runtime for one thread, and a few beside it that block on disks.
pub(super) fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().thread_name("snapshot").max_blocking_threads(8).build()
}

impl Running {
    /// For whoever asks.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Drops what is under way and ends the thread. Whether it ended well.
    pub fn stop(self) -> bool {
        let _ = self.stop.send(());
        self.thread.join().is_ok()
    }
}

impl Handle {
    /// Starts a round over all partitions; its number.
    pub fn create_all(&self) -> Result<u64, Busy> {
        let id = self.0.begin()?;
        self.0.asked.notify_one();
        Ok(id)
    }

    /// How the last round goes.
    pub fn status(&self) -> Status {
        let mut status = self.0.status().clone();
        if status.running {
            status.bytes = self.0.bytes.load(Ordering::Relaxed);
        }
        status
    }
}

impl Shared {
    // No panic holds it, and what it guards is whole between any two of its lines.
    pub fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Result<u64, Busy> {
        let mut status = self.status();
        if status.running {
            return Err(Busy(status.id));
        }
        self.bytes.store(0, Ordering::Relaxed);
        *status = Status { id: status.id + 1, running: true, ..Status::default() };
        Ok(status.id)
    }

    pub fn end(&self) -> Status {
        let mut status = self.status();
        status.bytes = self.bytes.load(Ordering::Relaxed);
        status.running = false;
        status.clone()
    }
}

/// What the thread works with.
pub(super) struct Service {
    pub objects: Objects,
    pub snapshots: SnapshotSettings,
    pub cluster: ClusterSettings,
    pub shards: u16,
    pub readers: Vec<Reader>,
    pub feeders: Vec<Feeder>,
    pub progress: Option<Arc<Progress>>,
    pub stats: Arc<SnapshotStats>,
    pub spool: Spool,
    pub shared: Arc<Shared>,
}

impl Service {
    /// Rounds on demand and by the clock, one at a time, for ever.
    async fn rounds(&self) {
        loop {
            let due = async {
                match self.snapshots.interval {
                    Some(interval) => tokio::time::sleep(interval).await,
                    None => future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.asked.notified() => {
                    let held = self.held(Holding::has_state);
                    self.round(&held, &Newest::new()).await;
                }
                () = due => {
                    // When one was asked for at this moment it runs next.
                    if self.shared.begin().is_ok() {
                        match self.newest().await {
                            // Those that answer have caught up; the others' is older.
                            Some(newest) => self.round(&self.held(Holding::answers), &newest).await,
                            None => drop(self.shared.end()),
                        }
                    }
                }
            }
        }
    }

    /// Restores what the log wants, a few at a time.
    async fn wants(&self, wanted: Option<Wanted>) {
        let Some(mut wanted) = wanted else { return };
        let wants = stream::poll_fn(|context| wanted.poll_recv(context));
        wants.for_each_concurrent(AT_ONCE, async |want| self.restore(want).await).await;
    }

    async fn restore(&self, want: Want) {
        let Want { partition, covers, at_most, proofs, reply } = want;
        let restorer = Restorer {
            objects: &self.objects,
            cluster: &self.cluster,
            feeders: &self.feeders,
            stats: &self.stats,
            proofs: Some(&proofs),
            step: &|_, _| {},
        };
        let wish = Wish { partition, covers, at_most, followed: true };
        let restored = tokio::select! {
            biased;
            // What it staged goes when the partition is released.
            () = proofs.closed() => return,
            restored = restorer.newest(&wish) => restored,
        };
        match &restored {
            Ok(Some(position)) => {
                tracing::info!("partition {partition} restored, next offset {}", position.next);
            }
            Ok(None) => tracing::info!("partition {partition} has no snapshot that fits"),
            Err(RestoreFault::Unwanted) => return,
            Err(why) => tracing::warn!("partition {partition} is not restored: {why}"),
        }
        // The log does not wait any more when the node stops.
        let _ = reply.send(restored.map_err(|fault| fault.to_string()));
    }
}
