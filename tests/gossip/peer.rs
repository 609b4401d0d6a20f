//! A node of gossip on loopback that a test starts, lets say things and asks what it sees.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use pumice::cluster::gossip::{Gossip, GossipFault, Said, Setup};
use pumice::cluster::transport;
use pumice::cluster::view::{Held, View};
use pumice::settings::{ClusterSettings, GossipSettings, Handover, Secret};
use pumice::stats::cluster::ClusterStats;
use pumice_model::hash::Hash;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use tokio::time::{Instant, sleep};

/// Far longer than anything here takes on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(90);

/// A node before its start.
pub struct Peer {
    pub id: &'static str,
    pub incarnation: u64,
    pub region: &'static str,
    pub group: &'static str,
    pub namespace: &'static str,
    pub partitions: u32,
    pub secret: Option<&'static str>,
    pub seeds: Vec<String>,
    pub socket: UdpSocket,
}

/// A node that gossips.
pub struct Node {
    pub gossip: Gossip,
    pub stats: Arc<ClusterStats>,
    pub draining: bool,
    held: BTreeMap<Partition, Held>,
}

impl Peer {
    pub fn new(id: &'static str) -> Self {
        let socket = transport::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self {
            id,
            incarnation: 1_763_000_000_000,
            region: "eu",
            group: "one",
            namespace: "n",
            partitions: 64,
            secret: None,
            seeds: Vec::new(),
            socket,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// With `other` and itself as seeds.
    pub fn after(self, other: &Peer) -> Self {
        let seeds = [other, &self].map(|peer| peer.address().to_string()).to_vec();
        Self { seeds, ..self }
    }

    pub async fn start(self) -> Result<Node, GossipFault> {
        let stats = Arc::<ClusterStats>::default();
        let setup = Setup {
            settings: GossipSettings {
                listen: self.address(),
                seeds: self.seeds,
                node_id: Some(self.id.to_owned()),
                region: self.region.to_owned(),
                group: self.group.to_owned(),
                advertise: None,
                secret: self.secret.map(Secret::new),
                handover: Handover::Auto,
            },
            cluster: ClusterSettings {
                namespace: self.namespace.to_owned(),
                partitions: self.partitions,
                hash: Hash::Murmur2,
            },
            http: "127.0.0.1:8190".parse().unwrap(),
            admin: "127.0.0.1:8191".parse().unwrap(),
            incarnation: self.incarnation,
            stats: stats.clone(),
        };
        let gossip = Gossip::start(setup, self.socket).await?;
        Ok(Node { gossip, stats, draining: false, held: BTreeMap::new() })
    }
}

impl Node {
    pub fn hold(&mut self, held: &[(u32, Holding, u64)]) {
        let held = held.iter().map(|(partition, holding, next)| {
            (Partition(*partition), Held { holding: *holding, next: Offset(*next) })
        });
        self.held = held.collect();
    }

    /// Says how it is, as the cluster's thread does again and again, and looks.
    pub async fn view(&mut self) -> View {
        let draining = self.draining;
        let said = Said { held: &self.held, draining, ending: false, load: 0 };
        self.gossip.say(&said).await;
        self.gossip.view().await
    }

    pub async fn leave(self) {
        self.gossip.leave().await;
    }

    /// Ends as a process does that is killed.
    pub fn fall_silent(self) {
        self.gossip.abort();
    }
}

/// Waits until every node's view is as `wanted`.
pub async fn until(what: &str, nodes: &mut [Node], wanted: impl Fn(&View) -> bool) {
    let start = Instant::now();
    loop {
        let mut views = Vec::new();
        for node in &mut *nodes {
            views.push(node.view().await);
        }
        if views.iter().all(&wanted) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "never so: {what}: {views:#?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Goes on for a while, in which something that must not happen would.
pub async fn meanwhile(nodes: &mut [Node], wanted: impl Fn(&View) -> bool) {
    for _ in 0..60 {
        for node in &mut *nodes {
            let view = node.view().await;
            assert!(wanted(&view), "{view:#?}");
        }
        sleep(Duration::from_millis(50)).await;
    }
}
