//! Three nodes in this process, whose picture of who has what a test draws.

use http::StatusCode;
use pumice_client::{Builder, Client};
use pumice_model::hash::Hash;
use pumice_model::wire::{GetRequest, HolderBody, NodeBody, RoutesBody};

use crate::scripted::{Reply, Seen, Server, json};

pub const NAMES: [&str; 3] = ["n0", "n1", "n2"];
pub const PARTITIONS: u32 = 4;
/// Only the last node has this partition, in every picture: once a read of it arrives there, the
/// client has learned the picture.
const TOUCHSTONE: usize = 3;

pub struct Cluster {
    pub nodes: Vec<Server>,
}

/// Who has the partitions 0, 1 and 2: nodes by number, with the word for how.
pub type Holders<'h> = [&'h [(usize, &'static str)]; TOUCHSTONE];

impl Cluster {
    /// Nodes that answer everything, unless `script` has another answer for one of them.
    pub async fn start(
        script: impl Fn(usize, &Seen) -> Option<Reply> + Clone + Send + Sync + 'static,
    ) -> Self {
        let mut nodes = Vec::new();
        for node in 0..NAMES.len() {
            let script = script.clone();
            let answer =
                move |seen: &Seen, _| script(node, seen).unwrap_or_else(|| good(node, seen));
            nodes.push(Server::start(answer).await);
        }
        Self { nodes }
    }

    /// Every node draws this picture from now on; nodes are in `eu` and stay, unless `change`
    /// says otherwise.
    pub fn draw(&self, holders: Holders<'_>, change: impl Fn(usize, &mut NodeBody<'_>)) {
        let node = |(at, server): (usize, &Server)| {
            let http = server.url.trim_start_matches("http://").to_owned().into();
            let (id, region, group) = (NAMES[at].into(), "eu".into(), "a".into());
            let mut node = NodeBody { id, http, region, group, draining: false };
            change(at, &mut node);
            node
        };
        let holder = |&(node, word): &(usize, &'static str)| HolderBody(node, word.into(), 7);
        let touchstone: &[(usize, &'static str)] = &[(NAMES.len() - 1, "serving")];
        let body = RoutesBody {
            version: 1,
            partitions: PARTITIONS,
            hash: "murmur2".into(),
            me: Some(0),
            nodes: self.nodes.iter().enumerate().map(node).collect(),
            holders: holders
                .iter()
                .chain([&touchstone])
                .map(|h| h.iter().map(holder).collect())
                .collect(),
        };
        let text = serde_json::to_string(&body).unwrap();
        self.nodes.iter().for_each(|node| node.tell_routes(text.clone()));
    }

    /// A client of the first node, not told of the others.
    pub fn builder(&self) -> Builder {
        Client::builder(&self.nodes[0].url)
    }

    /// Waits until the client goes by the picture.
    pub async fn learned(&self, client: &Client) {
        let pk = pk_of(TOUCHSTONE as u32, 0);
        while !self.nodes[NAMES.len() - 1].seen().iter().any(|seen| seen.path.contains(&pk)) {
            let _ = client.get(&pk, "learned").await;
        }
    }

    /// How many requests with this method each node got for keys of this partition.
    pub fn count(&self, method: &str, partition: u32) -> [usize; 3] {
        let ours = |seen: &&Seen| {
            let pk = seen.path.split(['/', '?']).nth(3).unwrap_or_default();
            let of_partition = partition_of(pk) == partition;
            seen.path.starts_with("/v1/records/") && seen.method == method && of_partition
        };
        std::array::from_fn(|node| self.nodes[node].seen().iter().filter(ours).count())
    }
}

/// The number `nth` of the pks of a partition.
pub fn pk_of(partition: u32, nth: usize) -> String {
    let ours = |pk: &String| partition_of(pk) == partition;
    (0..).map(|n| format!("k{n}")).filter(ours).nth(nth).unwrap()
}

fn partition_of(pk: &str) -> u32 {
    Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS).0
}

/// 503 with this code.
pub fn unavailable(code: &str) -> Reply {
    json(503, &format!(r#"{{"error":{{"code":"{code}","message":"not here"}}}}"#))
}

/// What a node answers that has everything.
pub fn good(node: usize, seen: &Seen) -> Reply {
    good_from(NAMES[node], seen)
}

/// The same, in the name of another node.
pub fn good_from(name: &'static str, seen: &Seen) -> Reply {
    let pk = seen.path.split(['/', '?']).nth(3).unwrap_or_default();
    let written = || {
        let partition = partition_of(pk);
        format!(r#"{{"outcome":"applied","partition":{partition},"offset":9}}"#)
    };
    let body = match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", "/v1/records:get") => many(&seen.body),
        ("POST", "/v1/batch") => r#"{"outcome":"applied","partition":0,"offset":9}"#.to_owned(),
        ("GET", path) if path.contains("?limit=") => r#"{"records":[]}"#.to_owned(),
        ("GET", _) => "1".to_owned(),
        _ => written(),
    };
    // One of every partition of the tests will do: only the session looks at it.
    let headers = vec![("etag", "\"0-7\""), ("pumice-node", name)];
    Reply::Answer(StatusCode::OK, headers, body)
}

fn many(body: &str) -> String {
    let request: GetRequest = serde_json::from_str(body).unwrap();
    let records = request.keys.iter().map(|key| {
        let (pk, sk) = (&key.pk, &key.sk);
        let at = partition_of(pk);
        format!(r#"{{"pk":"{pk}","sk":"{sk}","found":true,"data":1,"etag":"\"{at}-7\""}}"#)
    });
    format!(r#"{{"records":[{}]}}"#, records.collect::<Vec<_>>().join(","))
}
