//! Membership by chitchat's gossip: what this node says of itself, and the view of what the others
//! say. On the cluster's thread, inside its tokio runtime. It decides nothing of what is held.

use std::collections::BTreeMap;
use std::net::{self, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chitchat::transport::Transport;
use chitchat::{Chitchat, ChitchatConfig, ChitchatHandle, ChitchatId, FailureDetectorConfig};
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use tokio::time::{Instant, sleep, timeout};

use super::heard::{Heard, Rivals};
use super::said::{self, ABOUT, About, NOW, Now};
use super::transport::Udp;
use super::view::{Held, View};
use crate::clock;
use crate::settings::{ClusterSettings, GossipSettings};
use crate::stats::cluster::ClusterStats;

/// Pause between two rounds, in each of which three members and a seed are spoken to.
const ROUND: Duration = Duration::from_millis(500);
/// What changes all the time, such as offsets, is said so often.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// An unchanged clock and load are said so often.
const CLOCK_EVERY: Duration = Duration::from_secs(5);
/// A start listens for another node of its name before it says anything: it looks so often, 3 s in
/// all.
const LOOKS: usize = 30;
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long a node that stops goes on to tell that it left.
const LEAVE: Duration = Duration::from_millis(500);
/// Members that are told of a change at once, at most; the others hear it from them.
const PUSHED: usize = 8;
/// A member that was silent for half of this is spoken of no more. Longer than a network is split,
/// so that both sides find each other without a seed.
const FORGET: Duration = Duration::from_secs(6 * 3_600);
/// Names are asked for when a start needs them.
const RESOLVE: Duration = Duration::from_secs(10);

/// Why a node does not gossip.
#[derive(Debug, thiserror::Error)]
pub enum GossipFault {
    /// The host that it advertises has no address.
    #[error("cannot find the address of --advertise {advertised}: {why}")]
    Unresolved {
        /// As told.
        advertised: String,
        /// Why.
        why: String,
    },
    /// Another node has its name.
    #[error(
        "another node is called {id}: it is heard at {address}; give this one a --node-id of its \
         own"
    )]
    Taken {
        /// The name.
        id: String,
        /// Where the other hears gossip.
        address: SocketAddr,
    },
    /// The socket cannot be used.
    #[error("cannot gossip: {0}")]
    Start(String),
}

/// What a node needs to gossip.
pub struct Setup {
    /// How it meets its peers.
    pub settings: GossipSettings,
    /// What they must agree on.
    pub cluster: ClusterSettings,
    /// Where its public port listens, with the port that was really taken.
    pub http: SocketAddr,
    /// Where its admin port does, likewise.
    pub admin: SocketAddr,
    /// Which life of its id this is: the wall clock at its start, milliseconds.
    pub incarnation: u64,
    /// What is counted.
    pub stats: Arc<ClusterStats>,
}

/// What a node says of itself at one moment.
pub struct Said<'a> {
    /// What it holds; what is absent may be left out.
    pub held: &'a BTreeMap<Partition, Held>,
    /// Whether it is about to leave.
    pub draining: bool,
    /// Whether its process ends.
    pub ending: bool,
    /// Reads that it answers in a second.
    pub load: u64,
}

/// This node among its peers.
pub struct Gossip {
    chitchat: ChitchatHandle,
    about: About,
    heard: Heard,
    stats: Arc<ClusterStats>,
    said_at: Option<Instant>,
    now: Now,
    holdings: Vec<(Partition, Holding)>,
    usurped: Option<String>,
    pushes: usize,
    ended: Arc<OnceLock<String>>,
}

impl Gossip {
    /// Joins over `socket`, which [`super::transport::bind`] made. Listens for some seconds first,
    /// so that two nodes of one name are found before either is believed to hold the other's.
    ///
    /// # Errors
    /// When somebody else has this node's name, or it cannot be reached.
    pub async fn start(setup: Setup, socket: net::UdpSocket) -> Result<Self, GossipFault> {
        let bound = socket.local_addr().map_err(|error| GossipFault::Start(error.to_string()))?;
        let heard_at = reached_at(&setup, bound).await?;
        let secret = setup.settings.secret.as_ref().map(|secret| secret.reveal());
        if secret.is_none() {
            tracing::warn!(
                "gossip at {bound} has no --cluster-secret-file: who reaches it may say anything"
            );
        }
        let transport = Udp::new(socket, &cluster_of(&setup), secret, setup.stats.clone());
        Self::over(setup, heard_at, &transport).await
    }

    /// Joins over another transport, at which this node is heard at `heard_at`.
    ///
    /// # Errors
    /// As [`Gossip::start`].
    pub async fn over(
        setup: Setup,
        heard_at: SocketAddr,
        transport: &dyn Transport,
    ) -> Result<Self, GossipFault> {
        let id = setup.settings.id(setup.http);
        let config = ChitchatConfig {
            chitchat_id: ChitchatId::new(id.as_str(), setup.incarnation, heard_at),
            cluster_id: cluster_of(&setup),
            gossip_interval: ROUND,
            listen_addr: heard_at,
            seed_nodes: setup.settings.seeds.clone(),
            failure_detector_config: failure_detector(),
            marked_for_deletion_grace_period: FORGET,
            catchup_callback: None,
            extra_liveness_predicate: None,
        };
        let chitchat = chitchat::spawn_chitchat(config, Vec::new(), transport).await;
        let chitchat = chitchat.map_err(|error| GossipFault::Start(format!("{error:#}")))?;
        if let Some(rival) = rival(&chitchat).await {
            chitchat.abort();
            return Err(GossipFault::Taken { id, address: rival.gossip_advertise_addr });
        }
        let about = about(&setup);
        let text = about.write();
        chitchat.with_chitchat(|chitchat| chitchat.self_node_state().set(ABOUT, &text)).await;
        tracing::info!("gossip as {id} in {}, heard at {heard_at}", cluster_of(&setup));
        Ok(Self {
            ended: watched(&chitchat),
            chitchat,
            heard: Heard::new(about.clone()),
            about,
            stats: setup.stats,
            said_at: None,
            now: Now::default(),
            holdings: Vec::new(),
            usurped: None,
            pushes: 0,
        })
    }

    /// Says how this node is. Peers are told at once what they must act on; the rest, offsets for
    /// the most part, once a second, however often this is called.
    pub async fn say(&mut self, said: &Said<'_>) {
        let held = said.held.iter().filter(|(_, held)| held.holding != Holding::Absent);
        let holdings = held.clone().map(|(partition, held)| (*partition, held.holding));
        let same = (said.draining, said.ending) == (self.now.draining, self.now.ending)
            && holdings.clone().eq(self.holdings.iter().copied());
        if same && self.said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        self.holdings = holdings.collect();
        self.said_at = Some(Instant::now());
        let held = held.map(|(partition, held)| (*partition, *held)).collect();
        let mut values = said::write_held(&held, self.about.partitions);
        let at = clock::now();
        let is_old = (at - self.now.at).unsigned_abs() >= CLOCK_EVERY.as_millis() as u64;
        if !same || is_old {
            let Said { draining, ending, load, .. } = *said;
            self.now = Now { at, draining, ending, load };
            values.push((NOW.to_owned(), self.now.write()));
        }
        let set = |chitchat: &mut Chitchat| {
            // One that stays as it was costs nothing: chitchat compares.
            let mine = chitchat.self_node_state();
            values.iter().for_each(|(key, value)| mine.set(key, value));
        };
        self.chitchat.with_chitchat(set).await;
        if !same {
            self.push().await;
        }
    }

    /// The members as they are heard now, this node too.
    pub async fn view(&mut self) -> View {
        let heard = &mut self.heard;
        let listened = self.chitchat.with_chitchat(|chitchat| heard.listen(chitchat)).await;
        let alive = listened.view.values().filter(|member| member.alive).count();
        self.stats.members.set(listened.view.len() as u64);
        self.stats.alive.set(alive as u64);
        self.stats.ignored.set(listened.ignored);
        if self.usurped != listened.usurped {
            let id = &self.chitchat.chitchat_id().node_id;
            match &listened.usurped {
                Some(address) => tracing::error!(
                    "a later node is called {id} as this one is: it is heard at {address}, and \
                     peers believe it; stop one of them"
                ),
                None => tracing::info!("no other node is called {id} any more"),
            }
            self.usurped = listened.usurped;
        }
        listened.view
    }

    /// This node's id.
    pub fn id(&self) -> &str {
        &self.chitchat.chitchat_id().node_id
    }

    /// Where a later node of this node's id was heard, by the last view: peers believe that one.
    pub fn usurped(&self) -> Option<&str> {
        self.usurped.as_deref()
    }

    /// Why gossip ended by itself, when it did. Peers will take this node for dead.
    pub fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// Leaves: peers that hear it in time know this node no more, and wait for no silence.
    pub async fn leave(mut self) {
        self.chitchat.with_chitchat(|chitchat| chitchat.self_node_state().delete(ABOUT)).await;
        self.push().await;
        sleep(LEAVE).await;
        // It ends either way.
        let _ = self.chitchat.shutdown().await;
    }

    /// Ends without a word. Peers hear its silence.
    pub fn abort(&self) {
        self.chitchat.abort();
    }

    /// Speaks to some members now, in turn.
    async fn push(&mut self) {
        let live = |chitchat: &mut Chitchat| -> Vec<SocketAddr> {
            let me = chitchat.self_chitchat_id();
            let others = chitchat.live_nodes().filter(|id| *id != me);
            others.map(|id| id.gossip_advertise_addr).collect()
        };
        let mut live = self.chitchat.with_chitchat(live).await;
        live.sort_unstable();
        let from = self.pushes % live.len().max(1);
        self.pushes = self.pushes.wrapping_add(PUSHED);
        for address in live.iter().cycle().skip(from).take(live.len().min(PUSHED)) {
            // Only one that ended takes no command.
            let _ = self.chitchat.gossip(*address);
        }
    }
}

fn cluster_of(setup: &Setup) -> String {
    format!("pumice/{}", setup.cluster.namespace)
}

fn about(setup: &Setup) -> About {
    let Setup { settings, cluster, http, admin, .. } = setup;
    About {
        format: said::FORMAT,
        partitions: cluster.partitions,
        hash: cluster.hash.to_string(),
        region: settings.region.clone(),
        group: settings.group.clone(),
        http: settings.advertised(*http),
        admin: settings.advertised_admin(*http, *admin),
    }
}

/// Phi is the time since the last heartbeat by the mean pause between two. With a single pause in
/// the mean, and the assumed one of 2 s five times, the mean is 1.7 to 2.2 s however often a member
/// is heard: after some 10 s of silence it is dead, in a cluster of two as in one of hundreds.
fn failure_detector() -> FailureDetectorConfig {
    FailureDetectorConfig {
        phi_threshold: 5.8,
        sampling_window_size: 1,
        max_interval: Duration::from_secs(5),
        initial_interval: Duration::from_secs(2),
        dead_node_grace_period: FORGET,
    }
}

/// Where peers reach gossip that is bound to `bound`.
async fn reached_at(setup: &Setup, bound: SocketAddr) -> Result<SocketAddr, GossipFault> {
    if !bound.ip().is_unspecified() {
        return Ok(bound);
    }
    let advertised = setup.settings.advertised(setup.http);
    let fault = |why: String| GossipFault::Unresolved { advertised: advertised.clone(), why };
    let found = timeout(RESOLVE, tokio::net::lookup_host(&advertised)).await;
    let found = found.map_err(|_| fault("no answer".to_owned()))?;
    let mut found = found.map_err(|error| fault(error.to_string()))?;
    let address = found.find(|address| address.is_ipv4() == bound.is_ipv4());
    let address = address.ok_or_else(|| fault(format!("no address of the kind of {bound}")))?;
    Ok(SocketAddr::new(address.ip(), bound.port()))
}

async fn rival(chitchat: &ChitchatHandle) -> Option<ChitchatId> {
    let mut rivals = Rivals::new();
    // By looks and not by the clock, so that a machine that is held up listens no less.
    for _ in 0..LOOKS {
        sleep(LOOK).await;
        let rival = chitchat.with_chitchat(|chitchat| rivals.listen(chitchat)).await;
        if rival.is_some() {
            return rival;
        }
    }
    None
}

fn watched(chitchat: &ChitchatHandle) -> Arc<OnceLock<String>> {
    let ended = Arc::<OnceLock<String>>::default();
    let (watcher, told) = (chitchat.termination_watcher(), ended.clone());
    tokio::spawn(async move {
        let why = match watcher.await {
            Ok(()) => "stopped".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        // There is one end.
        let _ = told.set(why);
    });
    ended
}
