//! Starts and stops the cluster's thread: one of its own, so that a log that replays costs no
//! heartbeat. Starting thread; no read and no write waits for it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::Notify;

use super::gossip::{self, Gossip, GossipFault};
use super::steering::Steering;
use crate::clock;
use crate::mesh::handover::Telling;
use crate::mesh::holds::Holds;
use crate::mesh::home::Home;
use crate::mesh::positions::Positions;
use crate::rt;
use crate::settings::{ClusterSettings, GossipSettings};
use crate::stats::cluster::ClusterStats;
use crate::stats::core::CoreStats;
use crate::stats::progress::Progress;

/// How long a node that ends goes on to serve, so that peers and clients hear that it goes: a
/// change is pushed at once and heard everywhere after two rounds of gossip, and clients ask for
/// routes once a second.
const LINGER: Duration = Duration::from_secs(2);

/// What the cluster works with.
pub struct Setup {
    /// How it meets its peers.
    pub settings: GossipSettings,
    /// What they must agree on.
    pub cluster: ClusterSettings,
    /// The public port, as taken.
    pub http: SocketAddr,
    /// The admin port, as taken.
    pub admin: SocketAddr,
    /// How partitions stand to the log.
    pub progress: Arc<Progress>,
    /// How far they are applied.
    pub positions: Positions,
    /// To the log.
    pub holds: Holds,
    /// To the cores.
    pub home: Home,
    /// To the thread that restores.
    pub telling: Telling,
    /// What is counted and shown.
    pub stats: Arc<ClusterStats>,
    /// What the cores count.
    pub cores: Vec<Arc<CoreStats>>,
    /// CPUs that the thread keeps off.
    pub serving: Vec<usize>,
}

/// The cluster's thread.
pub struct Running {
    thread: JoinHandle<()>,
    stats: Arc<ClusterStats>,
    stop: Arc<Notify>,
}

impl Running {
    /// Tells peers that this process ends, and gives them time to hear it. It serves meanwhile, and
    /// keeps its share: it may be about to start again.
    pub fn announce_end(&self) {
        self.stats.end();
        thread::sleep(LINGER);
    }

    /// Leaves the cluster and ends the thread. Whether it ended well.
    pub fn stop(self) -> bool {
        self.stop.notify_one();
        self.thread.join().is_ok()
    }
}

/// Joins the cluster over `socket`. When it returns, this node is the only one of its name, as far
/// as is heard.
///
/// # Errors
/// When it cannot gossip; the thread has ended then.
pub fn start(setup: Setup, socket: UdpSocket) -> Result<Running, GossipFault> {
    let stop = Arc::<Notify>::default();
    let (sender, started) = sync_channel(1);
    let (stats, serving, stopped) = (setup.stats.clone(), setup.serving.clone(), stop.clone());
    let run = move || run(setup, socket, &sender, &stopped);
    let fault = |why: String| GossipFault::Start(why);
    let thread = rt::thread::background("cluster", &serving, run);
    let thread = thread.map_err(|error| fault(error.to_string()))?;
    started.recv().unwrap_or_else(|_| Err(fault("its thread ended".to_owned())))?;
    Ok(Running { thread, stats, stop })
}

fn run(
    setup: Setup,
    socket: UdpSocket,
    started: &SyncSender<Result<(), GossipFault>>,
    stop: &Notify,
) {
    // Nobody waits for the answer when the node has given up its start.
    let told = |outcome| drop(started.send(outcome));
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return told(Err(GossipFault::Start(error.to_string()))),
    };
    let joining = gossip::Setup {
        settings: setup.settings.clone(),
        cluster: setup.cluster.clone(),
        http: setup.http,
        admin: setup.admin,
        incarnation: clock::now().unsigned_abs(),
        stats: setup.stats.clone(),
    };
    runtime.block_on(async {
        match Gossip::start(joining, socket).await {
            Ok(gossip) => {
                let mut steering = Steering::new(setup, gossip);
                // No core serves before it knows what is held here, and where all else is.
                steering.begin().await;
                told(Ok(()));
                steering.run(stop).await;
            }
            Err(fault) => told(Err(fault)),
        }
    });
}
