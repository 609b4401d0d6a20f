//! A disk that fails under a node that follows a log: its shard is broken and says what to do, and
//! after a restart or a restore it has what the others have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::server::{Server, repository, run};
use crate::services::Services;
use crate::writers::exchange;
use crate::{pk, tell};

const PARTITIONS: u32 = 2;

#[test]
fn a_failed_sync_is_mended_by_a_restart_or_a_restore() {
    let Some(services) = Services::shared() else { return };
    let shims = tempfile::tempdir().unwrap();
    let Some(shim) = built(shims.path()) else { return };
    let place = services.place("sync", PARTITIONS);
    let objects = services.objects(&place.namespace);
    let objects = objects.each_ref().map(String::as_str);
    let place = place.with(&["--shards", "2"]).with(&objects);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let other = place.start(dirs[0].path()).ready();
    for partition in [0, 1] {
        write(&other, partition, 0..20);
    }
    let admin = other.server.admin.to_string();
    let (code, out, err) = run(&["snapshot", "create", "--admin", &admin]);
    assert_eq!(code, 0, "{out}{err}");

    for restored in [false, true] {
        breaks(&place, dirs[1].path(), &shim, &other);
        if restored {
            let dir = dirs[1].path().to_str().unwrap();
            let line = ["snapshot", "restore", "--force", "--partition", "0", "--data-dir", dir];
            let (code, out, err) = run(&[&line[..], &objects].concat());
            assert_eq!(code, 0, "{out}{err}");
        }
        let node = place.start(dirs[1].path()).ready();
        let stock = Stock::new(&services.kafka);
        let ends = stock.ends(&mock::mutations(&place.namespace), PARTITIONS);
        [&node, &other].into_iter().for_each(|node| node.reaches(&ends));
        assert_eq!(node.states(), other.states());
        write(&node, 0, 0..5);
        node.stop();
        let (code, out, err) = run(&["check", "--data-dir", dirs[1].path().to_str().unwrap()]);
        assert_eq!(code, 0, "{out}{err}");
    }
    other.stop();
}

/// Starts a node whose disk fails after a while, and ends it once it has said all of it.
fn breaks(place: &Place, dir: &Path, shim: &Path, other: &Node) {
    let mut node = start_with(place, dir, shim).ready();
    write(&node, 0, 20..30);
    let trigger = shim.with_file_name("sync");
    fs::write(&trigger, "").unwrap();
    for text in ["the shard is broken", "takes no more writes", "is broken"] {
        node.server.announce(text);
    }
    let lost = format!("/v1/records/{}/lost", pk(0, PARTITIONS, 0));
    let told = exchange(node.http(), "PUT", &lost, &[], "1").unwrap();
    fs::remove_file(&trigger).unwrap();
    assert!([503, 504].contains(&told.status), "{told:?}");
    until("a broken partition", || (node.broken() == [0]).then_some(()));
    let ready = node.admin("/ready");
    assert_eq!((ready.status, &ready.json()["broken_shards"]), (200, &serde_json::json!([0])));
    let says = |line: &String| line.contains("ERROR") && line.contains("restart or restore");
    assert!(node.server.log().iter().any(says), "no remedy: {:#?}", node.server.log());

    let of = |partition: u32| format!("{}/29", pk(partition, PARTITIONS, 0));
    assert_eq!(node.get(&format!("/v1/records/{}", of(0)), &[]).status, 200, "reads go on");
    assert_eq!(node.put(&of(0), &[], "2").status, 503);
    assert!(node.put(&of(1), &[], "2").status < 300, "the other shard serves");
    write(other, 0, 30..40);
    node.stop();
}

fn write(node: &Node, partition: u32, numbers: std::ops::Range<usize>) {
    let pk = pk(partition, PARTITIONS, 0);
    for n in numbers {
        let put = node.put(&format!("{pk}/{n}"), &[], &n.to_string());
        assert!([200, 201].contains(&put.status), "{put:?}");
    }
}

fn start_with(place: &Place, dir: &Path, shim: &Path) -> Node {
    let partitions = place.partitions.to_string();
    let mut flags = vec!["--log", "kafka", "--kafka-brokers", &place.brokers];
    flags.extend(["--namespace", &place.namespace, "--partitions", &partitions]);
    flags.extend(place.more.iter().map(String::as_str));
    let env = [
        ("LD_PRELOAD", shim.to_str().unwrap()),
        // The shim's own name for the place of its triggers.
        ("PUMICE_SHIM", shim.parent().unwrap().to_str().unwrap()),
    ];
    Node { server: Server::start_with(dir, &flags, &env) }
}

/// The shim, the same that the shards are tested with.
fn built(dir: &Path) -> Option<PathBuf> {
    let shim = dir.join("shim.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim);
    match cc.arg(repository("shards/tests/faults.c")).arg("-ldl").status() {
        Err(error) => {
            tell(&format!("skipped a failed sync: no C compiler for the shim: {error}"));
            None
        }
        Ok(status) => {
            assert!(status.success(), "the shim does not compile");
            Some(shim)
        }
    }
}
