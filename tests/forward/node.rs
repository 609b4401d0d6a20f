//! A node of a cluster inside the test: one shard with an owner, and one core. Everything but the
//! cluster's thread and the shared log is the real thing.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pumice::clock;
use pumice::front::Front;
use pumice::front::context::Context;
use pumice::front::elsewhere::Elsewhere;
use pumice::mesh::home::{Home, LANE, Message};
use pumice::mesh::inbox::{Inbox, inbox};
use pumice::mesh::lane::{Receiver, lane};
use pumice::mesh::positions::Positions;
use pumice::mesh::routes::{Holder, Node as Member, Routes};
use pumice::mesh::ticket::Tickets;
use pumice::net::body::Intake;
use pumice::net::{self, Door, Drain, Limits, Tls};
use pumice::owner::{Joining, Owner, Source};
use pumice::peer::Pool;
use pumice::rt::{self, Runtime};
use pumice::settings::ClusterSettings;
use pumice::stats::core::CoreStats;
use pumice::stats::progress::{Following, Progress};
use pumice_model::hash::Hash;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition, ShardId};
use pumice_shards::{Identity, Options, Reader};
use rustls::ClientConfig;

use crate::server::{Reply, request};

/// Partitions of the namespace.
pub const PARTITIONS: u32 = 8;
/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running node.
pub struct Node {
    pub id: String,
    pub http: SocketAddr,
    pub progress: Arc<Progress>,
    pub positions: Positions,
    pub stats: Arc<CoreStats>,
    home: Home,
    core: Option<rt::Joining<()>>,
    owner: Option<Joining>,
    _dir: tempfile::TempDir,
}

/// What goes to the core's thread.
struct Seed {
    reader: Reader,
    inbox: Inbox,
    positions: Positions,
    progress: Arc<Progress>,
    stats: Arc<CoreStats>,
    lane: Receiver<Message>,
    tls: Option<Secured>,
    socket: std::net::TcpListener,
}

/// How a node speaks TLS: on its port, and to the others.
#[derive(Clone)]
pub struct Secured {
    pub port: Arc<Tls>,
    pub others: Arc<ClientConfig>,
}

/// The settings that all nodes share.
pub fn cluster() -> ClusterSettings {
    ClusterSettings { namespace: "test".to_owned(), partitions: PARTITIONS, hash: Hash::Murmur2 }
}

/// Runs a test on every runtime that this machine has.
pub fn on_each(test: impl Fn(Runtime)) {
    match rt::probe() {
        Ok(()) => test(Runtime::Glommio),
        Err(missing) => println!("skipped on glommio: {missing}"),
    }
    test(Runtime::Tokio);
}

/// The partition of a pk.
pub fn partition(pk: &str) -> Partition {
    Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS)
}

/// `count` pks of one partition.
pub fn pks(of: Partition, count: usize) -> Vec<String> {
    (0..).map(|n| format!("k{n}")).filter(|pk| partition(pk) == of).take(count).collect()
}

impl Node {
    /// Starts a node that is alone, and holds every partition.
    pub fn start(runtime: Runtime, id: &str) -> Self {
        Self::start_with(runtime, id, None)
    }

    /// The same, with TLS.
    pub fn start_with(runtime: Runtime, id: &str, tls: Option<Secured>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ClusterSettings { namespace, partitions, hash } = cluster();
        let identity = Identity { namespace, partitions, hash, shards: 1, shard: ShardId(0) };
        let options = Options { map_size: 256 << 20, readers: 64 };
        let (writer, reader) = pumice_shards::open(dir.path(), &identity, &options).unwrap();
        let (sender, lane) = lane(LANE);
        let home = Home::new(vec![sender]);
        let positions = Positions::new(PARTITIONS);
        let (inbox, outlet) = inbox(Arc::default(), None);
        let owner = Owner {
            shard: ShardId(0),
            shards: 1,
            writer,
            home: home.clone(),
            positions: positions.clone(),
            stats: Arc::default(),
            abandoned: Arc::default(),
        };
        let owner = owner.spawn(Source::Cores(outlet), &[]).unwrap();
        let progress = Arc::new(Progress::new(PARTITIONS));
        for (_, progress) in progress.all() {
            progress.set(Following::Live);
            progress.heard(Offset(0), Offset(0), clock::now());
        }
        let socket = rt::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let http = socket.local_addr().unwrap();
        let (at, known, stats) = (positions.clone(), progress.clone(), Arc::<CoreStats>::default());
        let counts = stats.clone();
        let seed = Seed {
            reader,
            inbox,
            positions: at,
            progress: known,
            stats: counts,
            lane,
            tls,
            socket,
        };
        let core = runtime.spawn(id, None, move || serve(seed)).unwrap();
        let (core, owner) = (Some(core), Some(owner));
        let id = id.to_owned();
        Self { id, http, progress, positions, stats, home, core, owner, _dir: dir }
    }

    /// Starts `count` nodes, `n0` and so on, which all hold every partition and know it.
    pub fn cluster<const COUNT: usize>(runtime: Runtime) -> [Self; COUNT] {
        let nodes = std::array::from_fn(|nth| Self::start(runtime, &format!("n{nth}")));
        know(&nodes, &[], 1);
        nodes
    }

    /// What it does with a partition.
    pub fn hold(&self, partition: Partition, holding: Holding) {
        self.progress.of(partition).unwrap().hold(holding);
    }

    /// A member at an address where no node of ours is.
    pub fn member(id: &str, http: SocketAddr) -> Member {
        let (id, http) = (id.to_owned(), http.to_string());
        Member { id, http, region: "here".to_owned(), group: "a".to_owned(), draining: false }
    }

    /// Makes these its routes; returns when it has them.
    pub fn route(&self, routes: Routes) {
        let version = routes.version;
        self.home.route(&Arc::new(routes));
        let until = Instant::now() + PATIENCE;
        while request(self.http, "GET", "/v1/routes", &[], b"").json()["version"] != version {
            assert!(Instant::now() < until, "{} does not learn its routes", self.id);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Tells it to drain and returns at once.
    pub fn drain(&self) {
        self.home.drain();
    }

    fn end(&mut self) {
        self.home.drain();
        if let Some(core) = self.core.take() {
            core.join().unwrap();
        }
        if let Some(owner) = self.owner.take() {
            drop(owner.join().unwrap());
        }
    }

    /// A request to it.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        request(self.http, method, path, headers, body.as_bytes())
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "")
    }

    pub fn post(&self, path: &str, body: &str) -> Reply {
        self.ask("POST", path, &[("content-type", "application/json")], body)
    }

    /// Writes a record here.
    pub fn put(&self, pk: &str, sk: &str, data: &str) -> Reply {
        let json = [("content-type", "application/json")];
        let put = self.ask("PUT", &format!("/v1/records/{pk}/{sk}"), &json, data);
        assert!(matches!(put.status, 200 | 201), "{put:?}");
        put
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
        }
    }
}

/// Tells every node who the others are and what each holds; `more` are members that are no nodes
/// of ours, with what is said of each of their partitions.
pub fn know(nodes: &[Node], more: &[(Member, Holding)], version: u64) {
    let ours = nodes.iter().map(|node| Node::member(&node.id, node.http));
    let members: Vec<Member> = ours.chain(more.iter().map(|(member, _)| member.clone())).collect();
    let holders = (0..PARTITIONS).map(Partition).map(|partition| {
        let ours = nodes.iter().enumerate().map(|(node, at)| Holder {
            node,
            holding: at.progress.of(partition).unwrap().holding(),
            next: at.positions.next(partition).unwrap(),
        });
        let more = more.iter().enumerate().map(|(nth, (_, holding))| Holder {
            node: nodes.len() + nth,
            holding: *holding,
            // Who is the furthest is asked first.
            next: Offset(1_000_000),
        });
        ours.chain(more).filter(|holder| holder.holding != Holding::Absent).collect()
    });
    let holders: Vec<Vec<Holder>> = holders.collect();
    for (me, node) in nodes.iter().enumerate() {
        let (nodes, holders) = (members.clone(), holders.clone());
        node.route(Routes { version, nodes, me, holders });
    }
}

async fn serve(seed: Seed) {
    let listener = rt::Listener::new(seed.socket).unwrap();
    let (tls, others) = seed.tls.map(|tls| (tls.port, tls.others)).unzip();
    let context = Context {
        cluster: cluster(),
        readers: vec![seed.reader],
        inboxes: vec![seed.inbox],
        tickets: Tickets::new(0),
        positions: seed.positions,
        progress: Some(seed.progress),
        stats: seed.stats,
        access_log: false,
        intake: Intake::default(),
        draining: Rc::default(),
        routes: Rc::default(),
        elsewhere: Elsewhere::new(Pool::new(others)),
        looks: Default::default(),
        listing: Default::default(),
        handover: None,
    };
    let drain = Drain::new();
    let (tickets, routes, start) = (context.tickets.clone(), context.routes.clone(), drain.clone());
    let mut lane = seed.lane;
    rt::spawn_local(async move {
        let mut messages = Vec::new();
        while lane.recv_many(&mut messages, 64).await > 0 {
            for message in messages.drain(..) {
                match message {
                    Message::Told(all) => all.into_iter().for_each(|told| tickets.tell(told)),
                    Message::Routes(new) => drop(routes.replace(Some(new))),
                    Message::Drain => start.start(),
                }
            }
        }
    });
    let front = Rc::new(Front::new(context));
    net::serve(Door { listener, tls }, front, Limits::default(), drain, Arc::default()).await;
}
