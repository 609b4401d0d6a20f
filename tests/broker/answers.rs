//! What nodes answer for every key of a data set, and whether that is right: no answer may be
//! wrong, or less than all without saying so; and replicas at one offset must have one state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use flate2::read::GzDecoder;
use pumice_model::wire;
use serde_json::{Value, json};

use crate::kafka::node::Node;
use crate::kafka::until;
use crate::tell;

/// Keys of one request.
const KEYS: usize = 500;

/// Values by key.
pub type Rows = BTreeMap<(String, String), Value>;
/// State hashes by partition and offset.
pub type States = BTreeMap<(u64, u64), Value>;

/// What came of asking for every key.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub found: usize,
    pub unavailable: usize,
}

impl Asked {
    /// Every key had its value.
    pub fn whole(rows: &Rows) -> Self {
        Self { found: rows.len(), unavailable: 0 }
    }
}

/// The records of an import, the last of each key.
pub fn rows(file: &Path) -> Rows {
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
pub fn ask(node: &Node, rows: &Rows) -> Asked {
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

/// Waits until what each node holds has all entries below the partition's end.
pub fn caught_up(nodes: &[&Node], ends: &[i64]) {
    let has_all = |partition: &Value| {
        let next = partition["offset"].as_i64().map_or(0, |last| last + 1);
        next >= ends[partition["partition"].as_u64().unwrap() as usize]
    };
    for node in nodes {
        until("all entries", || node.partitions().iter().all(has_all).then_some(()));
    }
}

/// Nodes that have the same partition at the same offset, now or before, have the same hash of it.
pub fn compare(states: &mut States, nodes: &[&Node]) {
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
