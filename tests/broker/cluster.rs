//! A cluster over a real broker: it grows, loses a node without a word and one that says goodbye,
//! and no read is ever wrong or silently less than all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;

use flate2::read::GzDecoder;
use pumice_model::placement::place;
use pumice_model::wire;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::kafka::node::{Node, Place};
use crate::kafka::until;
use crate::server::{repository, run};
use crate::services::Services;
use crate::tell;

const PARTITIONS: u32 = 64;
/// Keys of one request.
const KEYS: usize = 500;

type Rows = BTreeMap<(String, String), Value>;
/// State hashes by partition and offset.
type States = BTreeMap<(u64, u64), Value>;

/// Nodes that know one another.
struct Cluster {
    place: Place,
    /// Where each node may gossip, by number.
    gossip: Vec<String>,
    dirs: Vec<TempDir>,
}

/// What came of asking for every key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    found: usize,
    unavailable: usize,
}

impl Cluster {
    fn new(place: Place, nodes: usize) -> Self {
        // Given back before a node takes it: nobody else asks for one by its number meanwhile.
        let sockets: Vec<UdpSocket> =
            (0..nodes).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let gossip = sockets.iter().map(|s| s.local_addr().unwrap().to_string()).collect();
        let dirs = (0..nodes).map(|_| tempfile::tempdir().unwrap()).collect();
        Self { place, gossip, dirs }
    }

    /// Starts node `number` of a replica group.
    fn start(&self, number: usize, group: &str) -> Node {
        let (id, seeds) = (name(number), self.gossip.join(","));
        let flags = [
            ["--gossip", &self.gossip[number]],
            ["--seeds", &seeds],
            ["--node-id", &id],
            ["--replica-group", group],
        ];
        self.place.with(&flags.concat()).start(self.dirs[number].path())
    }
}

fn name(number: usize) -> String {
    format!("n{number}")
}

#[test]
fn a_cluster_grows_and_loses_nodes_and_reads_go_on() {
    let Some(services) = Services::shared() else { return };
    let bare = services.place("cluster", PARTITIONS);
    let objects = services.objects(&bare.namespace);
    let cluster = Cluster::new(bare.with(&objects.each_ref().map(String::as_str)), 4);
    let file = repository("src/cli/sample/cities.ndjson.gz");
    let rows = rows(&file);

    let first = cluster.start(0, "a");
    let second = cluster.start(1, "b");
    let third = cluster.start(2, "a");
    let (first, second, third) = (first.ready(), second.ready(), third.ready());
    on_plan(&first, &[("a", &[0, 2]), ("b", &[1])]);
    let imported = run(&["import", file.to_str().unwrap(), "--url", &third.server.url(), "--json"]);
    assert_eq!(imported.0, 0, "{imported:?}");
    let whole = Asked { found: rows.len(), unavailable: 0 };
    for node in [&first, &second, &third] {
        until("every key", || (ask(node, &rows) == whole).then_some(()));
    }
    let mut states = States::new();
    compare(&mut states, &[&first, &second, &third]);

    // The only node of its group, without a word: the other group answers at once.
    second.server.kill();
    for node in [&first, &third] {
        assert_eq!(ask(node, &rows), whole, "with n1 dead");
    }

    // One more: what moves is what the plan says.
    let fourth = cluster.start(3, "a").ready();
    on_plan(&first, &[("a", &[0, 2, 3])]);
    assert_eq!(ask(&fourth, &rows), whole, "from the newcomer");
    compare(&mut states, &[&first, &third, &fourth]);

    // The last group loses a node: what it held comes from the objects or the log again, and until
    // then it is said what cannot be had.
    third.server.kill();
    let mut gaps = 0;
    until("every key again", || {
        let asked = ask(&first, &rows);
        gaps += usize::from(asked.unavailable > 0);
        assert_eq!(asked.found + asked.unavailable, rows.len(), "less than all, and not said so");
        (asked == whole).then_some(())
    });
    tell(&format!("cluster: {gaps} readings had gaps, all of them told"));
    on_plan(&first, &[("a", &[0, 3])]);

    // One whose peers take over before it goes: nobody notices.
    let admin = format!("http://{}", fourth.server.admin);
    let (code, out, err) = run(&["drain", "--admin", &admin]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("others serve all"), "{out}");
    assert_eq!(ask(&fourth, &rows), whole, "it serves until it is stopped");
    fourth.stop();
    assert_eq!(ask(&first, &rows), whole, "after the drain");
    on_plan(&first, &[("a", &[0])]);
    first.stop();
}

/// The records of an import, the last of each key.
fn rows(file: &Path) -> Rows {
    let lines = BufReader::new(GzDecoder::new(File::open(file).unwrap())).lines();
    let row = |line: Result<String, _>| {
        let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        ((text("pk"), text("sk")), row["data"].clone())
    };
    lines.map(row).collect()
}

/// Asks a node for every key. Fails when an answer is wrong, or a key is missing and was not said
/// to be unavailable.
fn ask(node: &Node, rows: &Rows) -> Asked {
    let mut asked = Asked::default();
    let all: Vec<_> = rows.iter().collect();
    for part in all.chunks(KEYS) {
        let keys: Vec<Value> =
            part.iter().map(|((pk, sk), _)| json!({ "pk": pk, "sk": sk })).collect();
        let reply = node.post("/v1/records:get", &[], &json!({ "keys": keys }).to_string());
        if reply.status == 503 {
            asked.unavailable += part.len();
            continue;
        }
        assert_eq!(reply.status, 200, "{}", reply.text());
        let unavailable: BTreeSet<usize> = reply
            .header(wire::UNAVAILABLE)
            .map(|indexes| wire::parse_indexes(indexes, KEYS).unwrap().into_iter().collect())
            .unwrap_or_default();
        let body = reply.json();
        let got = body["records"].as_array().unwrap();
        assert_eq!(got.len(), part.len());
        for (index, ((key, data), got)) in part.iter().zip(got).enumerate() {
            if unavailable.contains(&index) {
                asked.unavailable += 1;
                continue;
            }
            assert_eq!(got["found"], true, "{key:?} is not there, by a node that answers for it");
            assert_eq!(&got["data"], *data, "{key:?}");
            asked.found += 1;
        }
    }
    asked
}

/// Waits until every group holds exactly what its plan says, as `node` sees it.
fn on_plan(node: &Node, groups: &[(&str, &[usize])]) {
    let mut wanted: BTreeSet<(u64, String)> = BTreeSet::new();
    for (_, numbers) in groups {
        let names: Vec<String> = numbers.iter().map(|number| name(*number)).collect();
        let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
        let holders = place(&nodes, PARTITIONS);
        wanted.extend((0..).zip(holders).map(|(partition, node)| (partition, names[node].clone())));
    }
    until("the plan", || {
        let body = node.admin("/v1/cluster").json();
        let partitions = body["partitions"].as_array().unwrap();
        let held: BTreeSet<(u64, String)> = partitions
            .iter()
            .flat_map(|partition| {
                let number = partition["partition"].as_u64().unwrap();
                let holders = partition["holders"].as_array().unwrap();
                holders.iter().map(move |holder| {
                    let serves = holder["state"] == "serving";
                    let node = holder["node"].as_str().unwrap();
                    (number, if serves { node.to_owned() } else { format!("{node} on its way") })
                })
            })
            .collect();
        (held == wanted).then_some(())
    });
}

/// Nodes that have the same partition at the same offset, now or before, have the same hash of it.
fn compare(states: &mut States, nodes: &[&Node]) {
    let mut compared = 0;
    for partition in nodes.iter().flat_map(|node| node.partitions()) {
        let Some(offset) = partition["offset"].as_u64() else { continue };
        let at = (partition["partition"].as_u64().unwrap(), offset);
        let hash = partition["hash"].clone();
        if let Some(before) = states.insert(at, hash.clone()) {
            assert_eq!(before, hash, "partition {} at offset {}", at.0, at.1);
            compared += 1;
        }
    }
    assert!(compared > 0, "nothing to compare");
    tell(&format!("cluster: {compared} states compared"));
}
