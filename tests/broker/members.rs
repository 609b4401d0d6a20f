//! Nodes that know one another, for tests of a cluster over a real broker: each has an address of
//! its own that stays its own over restarts, as a node's does. On the test's thread.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pumice_model::placement::place;
use tempfile::TempDir;

use crate::kafka::PATIENCE;
use crate::kafka::node::{Node, Place};
use crate::server::PUMICE;

/// A cluster before its nodes are started.
pub struct Cluster {
    place: Place,
    members: Vec<Member>,
}

struct Member {
    http: String,
    admin: String,
    gossip: String,
    dir: TempDir,
}

impl Cluster {
    /// Of so many nodes at most.
    pub fn new(place: Place, nodes: u8) -> Self {
        static CLUSTERS: AtomicU8 = AtomicU8::new(1);
        let cluster = CLUSTERS.fetch_add(1, Ordering::Relaxed);
        // Nobody else asks for an address here, and nothing goes out from it: a port that is free
        // now is free whenever the node is started again.
        let [.., high, low] = process::id().to_be_bytes();
        let member = |node| {
            let address = Ipv4Addr::new(127, 64 + high % 64, low, cluster * 16 + node);
            let sockets = [(); 2].map(|()| TcpListener::bind((address, 0)).unwrap());
            let gossip = UdpSocket::bind((address, 0)).unwrap();
            let [http, admin] = sockets.map(|socket| socket.local_addr().unwrap().to_string());
            let gossip = gossip.local_addr().unwrap().to_string();
            Member { http, admin, gossip, dir: tempfile::tempdir().unwrap() }
        };
        Self { place, members: (0..nodes).map(member).collect() }
    }

    /// Starts a node in a replica group, on what it had before.
    pub fn start(&self, number: usize, group: &str) -> Node {
        self.start_by(Command::new(PUMICE), number, group)
    }

    /// The same by a command that ends as the binary under test.
    pub fn start_by(&self, command: Command, number: usize, group: &str) -> Node {
        let (id, member) = (name(number), &self.members[number]);
        let seeds: Vec<&str> = self.members.iter().map(|member| member.gossip.as_str()).collect();
        let flags = [
            ["--http", &member.http],
            ["--admin", &member.admin],
            ["--gossip", &member.gossip],
            ["--seeds", &seeds.join(",")],
            ["--node-id", &id],
            ["--replica-group", group],
        ];
        self.place.with(&flags.concat()).start_by(command, member.dir.path())
    }

    /// Waits until every group holds exactly what its plan says, as `node` sees it.
    pub fn on_plan(&self, node: &Node, groups: &[(&str, &[usize])]) {
        let mut wanted: BTreeSet<(u64, String)> = BTreeSet::new();
        for (_, numbers) in groups {
            let names: Vec<String> = numbers.iter().map(|number| name(*number)).collect();
            let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
            let holders = place(&nodes, self.place.partitions);
            wanted.extend(
                (0..).zip(holders).map(|(partition, node)| (partition, names[node].clone())),
            );
        }
        let began = Instant::now();
        loop {
            let held = held(node);
            if held == wanted {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "the plan, as {} sees it: {:?} is not there, {:?} is not planned; {}",
                node.server.http,
                wanted.difference(&held).collect::<Vec<_>>(),
                held.difference(&wanted).collect::<Vec<_>>(),
                serde_json::to_string_pretty(&node.admin("/v1/cluster").json()["members"]).unwrap()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What a node is called.
pub fn name(number: usize) -> String {
    format!("n{number}")
}

/// Who has each partition, as `node` sees it.
fn held(node: &Node) -> BTreeSet<(u64, String)> {
    let body = node.admin("/v1/cluster").json();
    let partitions = body["partitions"].as_array().unwrap().iter();
    let held = partitions.flat_map(|partition| {
        let number = partition["partition"].as_u64().unwrap();
        let holders = partition["holders"].as_array().unwrap().iter();
        let held = holders.map(move |holder| {
            let node = holder["node"].as_str().unwrap();
            let serves = holder["state"] == "serving";
            (number, if serves { node.to_owned() } else { format!("{node} on its way") })
        });
        held.collect::<Vec<_>>()
    });
    held.collect()
}
