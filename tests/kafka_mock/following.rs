//! Nodes that follow one namespace: the same entries make the same state, and a restart goes on
//! where it stood.

use crate::kafka::mock::{Mock, mutations};
use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::{namespace, pks};

const PARTITIONS: u32 = 8;

#[test]
fn two_nodes_have_the_same_state() {
    let (mock, place) = namespace("replicas", PARTITIONS);
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let one = place.start(first.path()).ready();
    write(&one, 0..200);
    let two = place.with(&["--shards", "3"]).start(second.path()).ready();
    write(&two, 100..300);
    write(&one, 250..350);
    let ends = Stock::new(&mock.brokers()).ends(&mutations("replicas"), PARTITIONS);
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");
    one.reaches(&ends);
    two.reaches(&ends);
    assert_eq!(one.states(), two.states());
    one.stop();
    two.stop();
}

#[test]
fn a_restart_goes_on_where_it_stood() {
    let (mock, place) = namespace("restarts", PARTITIONS);
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let one = place.start(dirs[0].path()).ready();
    let two = place.start(dirs[1].path()).ready();
    write(&one, 0..100);
    one.stop();
    write(&two, 50..120);

    let stock = Stock::new(&mock.brokers());
    let ends = stock.ends(&mutations("restarts"), PARTITIONS);
    let one = place.start(dirs[0].path()).ready();
    one.reaches(&ends);
    // 70 writes and no more came: whatever was applied before the stop was not fetched again.
    assert_eq!(one.metric("pumice_log_records_total", &["kind=\"entry\""]), 70.0);
    assert_eq!(one.metric("pumice_entries_total", &["outcome=\"duplicate\""]), 0.0);

    // Killed, it loses nothing that it had applied, and applies nothing twice.
    write(&one, 0..40);
    one.server.kill();
    write(&two, 30..60);
    let one = place.start(dirs[0].path()).ready();
    let ends = stock.ends(&mutations("restarts"), PARTITIONS);
    one.reaches(&ends);
    two.reaches(&ends);
    let three = place.start(dirs[2].path()).ready();
    assert_eq!(one.states(), two.states());
    assert_eq!(one.states(), three.states());
    for node in [one, two, three] {
        node.stop();
    }
}

#[test]
fn several_brokers_are_followed_and_a_new_leader_is_found() {
    let mock = Mock::start(3);
    mock.make_namespace("leaders", PARTITIONS);
    let place = Place::new(&mock.brokers(), "leaders", PARTITIONS);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    write(&node, 0..50);
    for partition in 0..PARTITIONS as i32 {
        mock.lead(&mutations("leaders"), partition, partition % 3 + 1);
    }
    for pk in pks(PARTITIONS) {
        // A leader that has just gone may cost a try; nothing was appended then.
        until("a write to the new leader", || {
            let put = node.put(&format!("{pk}/x"), &[], "1");
            assert!([200, 201, 503].contains(&put.status), "{put:?}");
            (put.status != 503).then_some(())
        });
    }
    let ends = Stock::new(&mock.brokers()).ends(&mutations("leaders"), PARTITIONS);
    node.reaches(&ends);
    node.stop();
}

/// One write a number, each an entry of its own in one of the partitions.
pub fn write(node: &Node, numbers: std::ops::Range<u32>) {
    let records: Vec<String> = numbers
        .map(|n| format!(r#"{{"pk":"pk-{}","sk":"s","data":{{"n":{n}}}}}"#, n % 60))
        .collect();
    let body = format!(r#"{{"Records":[{}]}}"#, records.join(","));
    let put = node.post("/records/put?wait=applied", &[], &body);
    assert_eq!(put.status, 200, "{put:?}");
}
