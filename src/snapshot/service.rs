//! The side thread `objects`: takes snapshots in rounds, by the clock or on demand, prunes after
//! each, restores what the log wants and gives peers what they take over. Everything here runs on
//! its one tokio runtime; other threads ask, and none of them waits for an answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{future, io, thread};

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use pumice_shards::Reader;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, oneshot};

use super::bring::Peers;
use super::give;
use super::round::Newest;
use super::take::Spool;
use crate::mesh::feed::Feeder;
use crate::mesh::handover::Asked;
use crate::mesh::wants::Wanted;
use crate::objects::Objects;
use crate::rt;
use crate::settings::{ClusterSettings, ObjectsSettings, SnapshotSettings};
use crate::stats::progress::Progress;
use crate::stats::snapshot::SnapshotStats;

/// Threads that block on disks, besides those that give.
const BLOCKING: usize = 8;

/// What the thread is started with.
pub struct Setup {
    /// Where snapshots live; `None` takes none.
    pub objects: Option<ObjectsSettings>,
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
    /// Where it looks besides the objects; `None` for a node that is alone.
    pub peers: Option<Peers>,
    /// What peers take over.
    pub asked: Option<Asked>,
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
    let objects = setup.objects.as_ref().map(Objects::open).transpose();
    let objects = objects.map_err(io::Error::other)?;
    let handle = Handle(Arc::default());
    let (stop, stopped) = oneshot::channel();
    let runtime = runtime()?;
    let shared = handle.0.clone();
    let (wanted, asked, serving) = (setup.wanted, setup.asked, setup.serving);
    let service = Service {
        objects,
        snapshots: setup.snapshots,
        cluster: setup.cluster,
        shards: setup.shards,
        readers: setup.readers,
        feeders: setup.feeders,
        peers: setup.peers,
        progress: setup.progress,
        stats: setup.stats,
        spool,
        shared,
    };
    let thread = rt::thread::background("objects", &serving, move || {
        runtime.block_on(async {
            tokio::select! {
                _ = stopped => {}
                () = service.live(wanted, asked) => {}
            }
        });
    })?;
    Ok(Running { handle, stop, thread })
}

/// A runtime for one thread, and a few beside it that block on disks.
pub(super) fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_current_thread();
    builder
        .enable_all()
        .thread_name("snapshot")
        .max_blocking_threads(BLOCKING + give::AT_ONCE)
        .build()
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
    pub objects: Option<Objects>,
    pub snapshots: SnapshotSettings,
    pub cluster: ClusterSettings,
    pub shards: u16,
    pub readers: Vec<Reader>,
    pub feeders: Vec<Feeder>,
    pub peers: Option<Peers>,
    pub progress: Option<Arc<Progress>>,
    pub stats: Arc<SnapshotStats>,
    pub spool: Spool,
    pub shared: Arc<Shared>,
}

impl Service {
    /// All that it does, for ever.
    async fn live(&self, wanted: Option<Wanted>, asked: Option<Asked>) {
        tokio::join!(self.rounds(), self.wants(wanted), self.gives(asked));
    }

    /// Rounds on demand and by the clock, one at a time, for ever.
    async fn rounds(&self) {
        let Some(objects) = &self.objects else { return future::pending().await };
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
                    self.round(objects, &held, &Newest::new()).await;
                }
                () = due => {
                    // When one was asked for at this moment it runs next.
                    if self.shared.begin().is_ok() {
                        match self.newest(objects).await {
                            // Those that answer have caught up; the others' is older.
                            Some(newest) => {
                                let held = self.held(Holding::answers);
                                self.round(objects, &held, &newest).await;
                            }
                            None => drop(self.shared.end()),
                        }
                    }
                }
            }
        }
    }
}
