//! A disk that is full, a disk that fails and a map that is full, met by a whole server: what it
//! answers, what it says of itself, what heals and what was kept.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/map.rs"]
mod map;
mod server;
#[path = "server/small_disk.rs"]
mod small_disk;
#[path = "faults/sync.rs"]
mod sync;

use std::io::Write;
use std::path::Path;

use pumice_model::hash::Hash;
use pumice_model::ids::Partition;
use server::{Reply, Server, request, run};

const PARTITIONS: u32 = 2;
/// One shard a partition.
const FLAGS: [&str; 4] = ["--partitions", "2", "--shards", "2"];
/// Bytes of a value.
const VALUE: usize = 32 * 1_024;

/// A name of this shard's, the more the higher `n`.
fn pk(shard: u32, n: usize) -> String {
    let names = (0..).map(|suffix| format!("{n}.{suffix}"));
    let mut own =
        names.filter(|pk| Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS) == Partition(shard));
    own.next().unwrap()
}

fn put(server: &Server, pk: &str) -> Reply {
    let body = format!("\"{pk}{}\"", "x".repeat(VALUE));
    let json = [("content-type", "application/json")];
    request(server.http, "PUT", &format!("/v1/records/{pk}/"), &json, body.as_bytes())
}

fn delete(server: &Server, pk: &str) -> Reply {
    request(server.http, "DELETE", &format!("/v1/records/{pk}/"), &[], b"")
}

fn has(server: &Server, pk: &str) -> bool {
    let got = request(server.http, "GET", &format!("/v1/records/{pk}/"), &[], b"");
    let whole = got.text().starts_with(&format!("\"{pk}x")) && got.body.len() > VALUE;
    assert!(got.status == 404 || got.status == 200 && whole, "{got:?}");
    got.status == 200
}

/// Certain that nothing was appended, and when to come again.
fn assert_unavailable(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.json()["error"]["code"], "unavailable", "{reply:?}");
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
}

/// Writes to a shard until it is full; gives the names that were acknowledged.
fn fill(server: &Server, shard: u32, from: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in from.. {
        let pk = pk(shard, n);
        let reply = put(server, &pk);
        if reply.status != 201 {
            assert_unavailable(&reply);
            return acknowledged;
        }
        acknowledged.push(pk);
    }
    unreachable!("names do not end")
}

/// Checks what the admin port says of both shards.
fn assert_states(server: &Server, states: [&str; 2]) {
    let ready = request(server.admin, "GET", "/ready", &[], b"");
    assert_eq!(ready.status, 200, "{ready:?}");
    let (ready, status) =
        (ready.json(), request(server.admin, "GET", "/v1/status", &[], b"").json());
    let metrics = request(server.admin, "GET", "/metrics", &[], b"").text();
    for (shard, state) in states.into_iter().enumerate() {
        let listed = |name: &str| ready[name].as_array().unwrap().contains(&shard.into());
        assert_eq!(listed("full_shards"), state == "full", "{ready}");
        assert_eq!(listed("broken_shards"), state == "broken", "{ready}");
        assert_eq!(listed("broken_partitions"), state == "broken", "{ready}");
        assert_eq!(status["shards"][shard]["state"], state, "{status}");
        assert_eq!(status["shards"][shard]["reason"].is_string(), state == "broken", "{status}");
        let number = ["serving", "full", "broken"].iter().position(|name| *name == state).unwrap();
        let sample = format!("pumice_shard_state{{shard=\"{shard}\"}} {number}\n");
        assert!(metrics.contains(&sample), "{sample}{metrics}");
    }
}

fn assert_checked(dir: &Path) {
    let checked = run(&["check", "--data-dir", dir.to_str().unwrap()]);
    assert_eq!(checked.0, 0, "{checked:?}");
}

/// Says past the capture of a passing test's output what was skipped and why.
fn skipped(test: &str, why: &str) {
    std::io::stderr().write_all(format!("skipped {test}: {why}\n").as_bytes()).unwrap();
}
