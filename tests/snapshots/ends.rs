//! Both ends of a handover: a node that gives over real sockets, and one that takes over. What is
//! restored goes into real shards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pumice::mesh::handover::{Asking, Piece, Taking, asks, known};
use pumice::mesh::positions::Positions;
use pumice::mesh::routes::{Holder as At, Node as Member, Routes};
use pumice::mesh::wants::{Wanting, wants};
use pumice::net::Tls;
use pumice::rt::Runtime;
use pumice::settings::{Handover, ObjectsSettings, SnapshotSettings};
use pumice::snapshot::bring::Peers;
use pumice::snapshot::service::{Running, Setup, start};
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::holding::Holding;
use pumice_model::ids::Offset;
use pumice_shards::Position;
use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::door::{Behind, Door};
use crate::node::Node;
use crate::wants::{P, ask};
use crate::{PARTITIONS, block_on, cluster};

/// A node that gives.
pub struct Holder {
    pub node: Node,
    pub asking: Asking,
    pub door: Door,
    running: Running,
    pub stats: Arc<SnapshotStats>,
    dir: TempDir,
}

/// A node that takes over.
pub struct Newcomer {
    pub node: Node,
    pub wanting: Wanting,
    pub stats: Arc<SnapshotStats>,
    running: Running,
    _dir: TempDir,
}

/// Where it looks.
#[derive(Default)]
pub struct Looks {
    pub objects: Option<ObjectsSettings>,
    /// Those that hold everything: the port and the region of each, `eu` being its own.
    pub holders: Vec<(SocketAddr, &'static str)>,
    pub tls: Option<Arc<ClientConfig>>,
}

/// The port of a node that gives as `handover` says.
pub fn door(runtime: Runtime, node: &Node, handover: Asking, tls: Option<Arc<Tls>>) -> Door {
    let (cluster, readers, positions) = (cluster(), node.readers(), Positions::new(PARTITIONS));
    let (progress, handover) = (None, Some(handover));
    Door::open(runtime, Behind { cluster, readers, positions, progress, handover, tls })
}

fn setup(node: &Node, dir: &TempDir, stats: &Arc<SnapshotStats>) -> Setup {
    let (interval, keep_for, spool_dir) = (None, Duration::ZERO, dir.path().join("spool"));
    Setup {
        objects: None,
        snapshots: SnapshotSettings { interval, keep: 1, keep_for, spool_dir },
        cluster: cluster(),
        shards: node.shards(),
        readers: node.readers(),
        feeders: node.feeders().to_vec(),
        wanted: None,
        peers: None,
        asked: None,
        progress: None,
        stats: stats.clone(),
        serving: vec![],
    }
}

impl Holder {
    pub fn start(runtime: Runtime, node: Node, tls: Option<Arc<Tls>>) -> Self {
        let (dir, stats) = (TempDir::new().unwrap(), Arc::<SnapshotStats>::default());
        let (asking, asked) = asks();
        let running = start(Setup { asked: Some(asked), ..setup(&node, &dir, &stats) }).unwrap();
        let door = door(runtime, &node, asking.clone(), tls);
        Self { node, door, asking, running, stats, dir }
    }

    /// Files of its spool.
    pub fn spooled(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("spool")).unwrap().count()
    }

    /// A partition that is asked for and begun, and not taken.
    pub fn begun(&self) -> Taking {
        let mut taking = self.asking.ask(P).unwrap();
        assert!(matches!(block_on(taking.next()), Some(Piece::Begins(_))));
        taking
    }

    pub fn end(self) {
        drop((self.door, self.asking));
        assert!(self.running.stop());
        assert_eq!(std::fs::read_dir(self.dir.path().join("spool")).unwrap().count(), 0);
        self.node.end_and_check();
    }
}

impl Newcomer {
    pub fn start(handover: Handover, looks: Looks) -> Self {
        let (node, dir) = (Node::empty(2), TempDir::new().unwrap());
        let stats = Arc::<SnapshotStats>::default();
        let (telling, known) = known();
        telling.send_replace(Arc::new(routes(&looks.holders)));
        let (wanting, wanted) = wants();
        let peers = Some(Peers { handover, known, tls: looks.tls });
        let setup = setup(&node, &dir, &stats);
        let setup = Setup { objects: looks.objects, wanted: Some(wanted), peers, ..setup };
        let running = start(setup).unwrap();
        Self { node, wanting, stats, running, _dir: dir }
    }

    /// Asks as a log does that is whole and has everything.
    pub fn ask(&self) -> Result<Option<Position>, String> {
        ask(&self.wanting, 0, u64::MAX, true).1
    }

    pub fn end(self) {
        drop(self.wanting);
        assert!(self.running.stop());
        self.node.end_and_check();
    }
}

/// This node, and so many others that hold every partition, the first the furthest.
fn routes(holders: &[(SocketAddr, &str)]) -> Routes {
    let member = |(nth, (http, region)): (usize, (String, &str))| Member {
        id: format!("n{nth}"),
        region: region.to_owned(),
        group: "a".to_owned(),
        http,
        draining: false,
    };
    let others = holders.iter().map(|(http, region)| (http.to_string(), *region));
    let nodes = std::iter::once((String::new(), "eu")).chain(others).enumerate().map(member);
    let held = (1..=holders.len()).map(|node| {
        let next = Offset(100 - node as u64);
        At { node, holding: Holding::Serving, next }
    });
    let held: Vec<At> = held.collect();
    Routes { version: 1, nodes: nodes.collect(), me: 0, holders: vec![held; PARTITIONS as usize] }
}

/// An address where nobody listens, and nobody will while the socket is kept.
pub fn dead() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
