//! A log that no longer has its beginning. The mock forgets what is beyond 5 MiB of a partition,
//! which is how it comes to that here.

use std::path::Path;

use crate::kafka::mock::{Mock, mutations};
use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::{namespace, pks, server};

const PARTITIONS: u32 = 2;

/// A namespace whose entries are in the log as large as they are.
fn plain(name: &str) -> (Mock, Place) {
    let (mock, place) = namespace(name, PARTITIONS);
    (mock, place.with(&["--kafka-compression", "none"]))
}

/// Writes values that have to be forgotten, into partition 0.
fn overflow(node: &Node, stock: &Stock, namespace: &str) {
    let pk = &pks(PARTITIONS)[0];
    let large = format!("\"{}\"", "x".repeat(900_000));
    for n in 0..8 {
        let put = node.put(&format!("{pk}/large-{}", n % 2), &[], &large);
        assert!([200, 201].contains(&put.status), "{put:?}");
    }
    let (start, _) = stock.range(&mutations(namespace), 0);
    assert!(start > 0, "the mock forgot nothing");
}

#[test]
fn a_gap_breaks_its_partition_and_no_other() {
    let (mock, place) = plain("forgotten");
    let stock = Stock::new(&mock.brokers());
    let pks = pks(PARTITIONS);
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let away = place.start(dirs[0].path()).ready();
    for pk in &pks {
        assert_eq!(away.put(&format!("{pk}/early"), &[], "1").status, 201);
    }
    away.stop();
    let node = place.start(dirs[1].path()).ready();
    overflow(&node, &stock, "forgotten");
    assert_eq!(node.put(&format!("{}/late", pks[1]), &[], "1").status, 201);

    // One that was away for too long, and one that begins with nothing.
    // The latter knows nothing of the partition, so that it cannot say that a record is not there.
    for (dir, early, large) in [(&dirs[0], 200, 404), (&dirs[2], 503, 503)] {
        let mut behind = place.start(dir.path());
        behind.server.announce("is broken");
        until("a broken partition", || (behind.broken() == [0]).then_some(()));
        let behind = behind.ready();
        let reasons = behind.admin("/ready").json()["broken_because"].to_string();
        assert!(reasons.contains("the log begins at"), "{reasons}");
        assert_eq!(behind.get(&format!("/v1/records/{}/early", pks[0]), &[]).status, early);
        assert_eq!(behind.get(&format!("/v1/records/{}/large-1", pks[0]), &[]).status, large);
        assert_eq!(behind.put(&format!("{}/x", pks[0]), &[], "1").status, 503);
        until("the other partition", || {
            let late = behind.get(&format!("/v1/records/{}/late", pks[1]), &[]);
            (late.status == 200).then_some(())
        });
        assert!(behind.put(&format!("{}/x", pks[1]), &[], "1").status < 300);
        behind.stop();
    }
    node.stop();
}

#[test]
fn a_snapshot_bridges_a_gap() {
    let (mock, place) = plain("bridged");
    let stock = Stock::new(&mock.brokers());
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let objects = format!("dir:{}", dirs[3].path().display());
    let place = place.with(&["--objects", &objects]);
    let away = place.start(dirs[0].path()).ready();
    assert_eq!(away.put(&format!("{}/early", pks(PARTITIONS)[0]), &[], "1").status, 201);
    away.stop();
    let node = place.start(dirs[1].path()).ready();
    overflow(&node, &stock, "bridged");
    let admin = node.server.admin.to_string();
    let (code, out, err) = server::run(&["snapshot", "create", "--admin", &admin]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(node.put(&format!("{}/late", pks(PARTITIONS)[0]), &[], "2").status, 201);
    let ends = stock.ends(&mutations("bridged"), PARTITIONS);
    for dir in [&dirs[0], &dirs[2]] {
        follows(&place.start(dir.path()).ready(), &node, &ends);
    }
    check(dirs[0].path());
    node.stop();
}

fn follows(behind: &Node, node: &Node, ends: &[i64]) {
    behind.reaches(ends);
    assert_eq!(behind.states(), node.states());
    let early = behind.get(&format!("/v1/records/{}/early", pks(PARTITIONS)[0]), &[]);
    assert_eq!(early.text(), "1");
}

/// Walks over what was restored and followed.
fn check(dir: &Path) {
    let (code, out, err) = server::run(&["check", "--data-dir", dir.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
}
