//! Starts and stops the log's thread. Starting thread; it waits until topics, settings and data
//! directory are compared, or until it is clear that no broker answers.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use pumice_shards::Position;
use tokio::sync::Notify;

use super::fault::LogFault;
use super::side;
use super::taker::Taken;
use super::wire;
use crate::mesh::feed::Feeder;
use crate::mesh::holds::Held;
use crate::mesh::home::Home;
use crate::mesh::inbox::Outlet;
use crate::mesh::positions::Positions;
use crate::mesh::wants::Wanting;
use crate::rt;
use crate::settings::{ClusterSettings, KafkaSettings};
use crate::stats::log::LogStats;
use crate::stats::progress::Progress;

/// A start takes no longer, whatever the brokers do.
const START: Duration = Duration::from_secs(60);

/// What the log works with.
pub struct Setup {
    /// Where the brokers are, and the topics.
    pub settings: KafkaSettings,
    /// What the data directory is of.
    pub cluster: ClusterSettings,
    /// Where each partition stands, by number.
    pub held: Vec<Position>,
    /// Who says which partitions to follow, beginning with none; `None` where it is all of them,
    /// for ever.
    pub held_by: Option<Held>,
    /// Entries to produce, by shard.
    pub outlets: Vec<Outlet>,
    /// The ways to the owners, by shard.
    pub feeders: Vec<Feeder>,
    /// Asks for snapshots; `None` where there are none.
    pub wanting: Option<Wanting>,
    /// Whether they are in a store that outlives the nodes.
    pub has_objects: bool,
    /// The ways to the cores.
    pub home: Home,
    /// How far partitions are applied.
    pub positions: Positions,
    /// How partitions stand to the log.
    pub progress: Arc<Progress>,
    /// What is counted.
    pub stats: Arc<LogStats>,
    /// CPUs that the thread keeps off.
    pub serving: Vec<usize>,
    /// Woken by the inboxes.
    pub taken: Taken,
}

/// The log's thread.
pub struct Running {
    thread: JoinHandle<()>,
    stopping: Arc<Notify>,
}

/// Starts the log. When it returns, either everything was compared and the log is followed, or no
/// broker answered and the node may serve what it has: then it goes on trying, and
/// [`LogStats::connected`] is 0.
///
/// # Errors
///
/// See [`LogFault`]; the thread has ended then.
pub fn start(setup: Setup) -> Result<Running, LogFault> {
    let settings = |text| LogFault::Settings(text);
    let tls = setup.settings.tls.as_ref().map(wire::trusted).transpose().map_err(settings)?;
    let access = wire::Access { tls, sasl: setup.settings.sasl.clone() };
    if setup.held_by.is_some() {
        setup.progress.follow_none();
    }
    let stopping = Arc::<Notify>::default();
    let (sender, started) = sync_channel(1);
    let serving = setup.serving.clone();
    let stop = stopping.clone();
    let thread = rt::thread::background("log", &serving, move || {
        side::run(setup, access, sender, &stop);
    });
    let thread = thread.map_err(|fault| settings(format!("the log's thread: {fault}")))?;
    let running = Running { thread, stopping };
    let outcome = started.recv_timeout(START).unwrap_or_else(|fault| {
        let why = match fault {
            RecvTimeoutError::Timeout => format!("nothing is settled after {} s", START.as_secs()),
            RecvTimeoutError::Disconnected => "its thread ended".to_owned(),
        };
        Err(LogFault::Unreachable(why))
    });
    match outcome {
        Ok(()) => Ok(running),
        Err(fault) => {
            running.stop();
            Err(fault)
        }
    }
}

impl Running {
    /// Finishes what is on its way, within a bound, and ends the thread; the owners' feeds end with
    /// it. Whether it ended well.
    pub fn stop(self) -> bool {
        self.stopping.notify_one();
        self.thread.join().is_ok()
    }
}
