//! A disk that is full while a node follows a log that is not: a small tmpfs, mounted where only
//! this test and its node see it. The test runs once more in a child with mount points of its own.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::kafka::node::Node;
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::services::Services;
use crate::writers::exchange;
use crate::{pk, tell};

const TEST: &str = "disk::a_full_disk_heals_while_the_log_goes_on";
const MOUNTED: &str = "FULL_DISK_TEST_AT";
const MOUNT: &str = "mount -t tmpfs -o size=24m none \"$0\"";
const PARTITIONS: u32 = 2;
/// Bytes of a value.
const VALUE: usize = 32 * 1_024;

/// Where the small disk is, in the child; `None` in the parent, after the child has passed.
fn mounted() -> Option<PathBuf> {
    if let Some(at) = env::var_os(MOUNTED) {
        return Some(at.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let shell = |flags: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", script]).arg(dir.path()).env(MOUNTED, dir.path());
        command.arg(env::current_exe().unwrap()).args([TEST, "--exact", "--nocapture"]);
        command.output()
    };
    let may = |flags: &&str| shell(flags, MOUNT).is_ok_and(|output| output.status.success());
    let Some(flags) = ["-m", "-rm"].into_iter().find(may) else {
        tell(&format!("skipped {TEST}: this process may not mount a tmpfs"));
        return None;
    };
    let output = shell(flags, &format!("{MOUNT} && exec \"$@\"")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    None
}

#[test]
fn a_full_disk_heals_while_the_log_goes_on() {
    let Some(services) = Services::shared() else { return };
    let Some(disk) = mounted() else { return };
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
