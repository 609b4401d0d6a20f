//! A disk that is full while a node follows a log that is not: a small tmpfs, mounted where only
//! this test and its node see it.

use std::fs;
use std::thread;

use crate::kafka::node::Node;
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::services::Services;
use crate::small_disk;
use crate::writers::exchange;
use crate::{pk, tell};

const TEST: &str = "disk::a_full_disk_heals_while_the_log_goes_on";
const PARTITIONS: u32 = 2;
/// Bytes of a value.
const VALUE: usize = 32 * 1_024;

#[test]
fn a_full_disk_heals_while_the_log_goes_on() {
    let Some(services) = Services::shared() else { return };
    let Some(disk) = small_disk::mounted(TEST, |why| tell(&format!("skipped {TEST}: {why}")))
    else {
        return;
    };
    let place = services.place("disk", PARTITIONS).with(&["--shards", "2"]);
    let (topic, stock) = (mock::mutations(&place.namespace), Stock::new(&services.kafka));
    let roomy = tempfile::tempdir().unwrap();
    let other = place.start(roomy.path()).ready();
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let node = place.start(&disk.join("data")).ready();

    // Each ends with a put that the node has to think about for half a minute.
    let mut acknowledged = thread::scope(|scope| {
        let second = scope.spawn(|| fill(&node, 1));
        [fill(&node, 0), second.join().unwrap()].concat()
    });
    assert!(acknowledged.len() > 100, "only {} values went in", acknowledged.len());
    assert_eq!(put(&node, &pk(0, PARTITIONS, 10_000)), 503, "still full");
    let full = node.admin("/ready").json()["full_shards"].clone();
    assert_eq!(full, serde_json::json!([0, 1]));
    assert!(acknowledged.iter().all(|pk| has(&node, pk)), "reads go on");
    // The log does not wait for the one node, nor do others.
    let elsewhere = [0, 1].map(|partition| pk(partition, PARTITIONS, 30_000));
    for pk in &elsewhere {
        assert_eq!(put(&other, pk), 201);
        assert!(!has(&node, pk));
    }
    assert!(acknowledged.iter().all(|pk| has(&other, pk)));

    fs::remove_file(&ballast).unwrap();
    for partition in [0, 1] {
        let pk = pk(partition, PARTITIONS, 20_000);
        until("room again", || (put(&node, &pk) < 300).then_some(()));
        acknowledged.push(pk);
    }
    let ends = stock.ends(&topic, PARTITIONS);
    [&node, &other].into_iter().for_each(|node| node.reaches(&ends));
    assert_eq!(node.states(), other.states());
    assert!(acknowledged.iter().chain(&elsewhere).all(|pk| has(&node, pk) && has(&other, pk)));
    assert_eq!(node.admin("/ready").json()["full_shards"], serde_json::json!([]));
    let last = pk(0, PARTITIONS, 40_000);
    assert_eq!(put(&node, &last), 201);
    [node, other].into_iter().for_each(Node::stop);
}

/// The status of a large put. It waits as long as the node does.
fn put(node: &Node, pk: &str) -> u16 {
    let body = format!("\"{pk}{}\"", "x".repeat(VALUE));
    exchange(node.http(), "PUT", &format!("/v1/records/{pk}/"), &[], &body).unwrap().status
}

fn has(node: &Node, pk: &str) -> bool {
    let got = node.get(&format!("/v1/records/{pk}/"), &[]);
    let whole = got.text().starts_with(&format!("\"{pk}x")) && got.body.len() > VALUE;
    assert!(got.status == 404 || got.status == 200 && whole, "{got:?}");
    got.status == 200
}

/// Writes to a partition until nothing is taken any more; gives what was acknowledged. The entry
/// that met the full disk is in the log already: nobody can say when it will be judged.
fn fill(node: &Node, partition: u32) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let pk = pk(partition, PARTITIONS, n);
        match put(node, &pk) {
            201 => acknowledged.push(pk),
            504 => {}
            503 => break,
            other => panic!("a put on a full disk: {other}"),
        }
    }
    acknowledged
}
