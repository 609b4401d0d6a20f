//! What operators do to topics under a running node: old records go, the topic is deleted and made
//! anew, partitions are added. Nothing is ever skipped, and no other log is followed.

use std::ops::Range;

use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::pk;
use crate::server::run;
use crate::services::Services;

const PARTITIONS: u32 = 3;

/// Writes a record of each number into each partition.
fn write(node: &Node, numbers: Range<usize>) {
    for partition in 0..PARTITIONS {
        let pk = pk(partition, PARTITIONS, 0);
        for n in numbers.clone() {
            let put = node.put(&format!("{pk}/{n}"), &[], &format!("{{\"n\":{n}}}"));
            assert_eq!(put.status, 201, "{put:?}");
        }
    }
}

/// Waits until these partitions and no others are broken, for this reason.
fn breaks(node: &mut Node, partitions: &[u64], because: &str) {
    for text in ["is broken", "follows the log any more"] {
        node.server.announce(text);
    }
    until("broken partitions", || (node.broken() == partitions).then_some(()));
    let reasons = node.admin("/ready").json()["broken_because"].to_string();
    assert!(reasons.contains(because), "{reasons}");
    for partition in partitions {
        let pk = pk(*partition as u32, PARTITIONS, 0);
        assert_eq!(node.get(&format!("/v1/records/{pk}/0"), &[]).status, 200, "reads go on");
        assert_eq!(node.put(&format!("{pk}/late"), &[], "1").status, 503);
    }
}

#[test]
fn records_that_go_while_a_node_stands_still_are_not_skipped() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("retention", PARTITIONS);
    let topic = mock::mutations(&place.namespace);
    let objects = services.objects(&place.namespace);
    let with_objects = place.with(&objects.each_ref().map(String::as_str));
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let stock = Stock::new(&services.kafka);
    let node = with_objects.start(dirs[0].path()).ready();
    let restored = with_objects.start(dirs[1].path()).ready();
    let mut lost = place.start(dirs[2].path()).ready();
    write(&node, 0..20);
    let ends = stock.ends(&topic, PARTITIONS);
    [&restored, &lost].into_iter().for_each(|node| node.reaches(&ends));

    [&restored, &lost].into_iter().for_each(|node| node.server.signal("-STOP"));
    write(&node, 20..60);
    let (code, out, err) = run(&["snapshot", "create", "--admin", &node.server.admin.to_string()]);
    assert_eq!(code, 0, "{out}{err}");
    let ends = stock.ends(&topic, PARTITIONS);
    // The last partition keeps its beginning.
    services.forget(&topic, &[(0, ends[0]), (1, ends[1] - 5)]);
    write(&node, 60..70);
    [&restored, &lost].into_iter().for_each(|node| node.server.signal("-CONT"));

    restored.reaches(&stock.ends(&topic, PARTITIONS));
    assert_eq!(restored.states(), node.states());
    assert_eq!(restored.metric("pumice_restores_total", &[]), 2.0);
    assert!(restored.broken().is_empty());
    assert_eq!(restored.put("a/b", &[], "1").status, 201);

    breaks(&mut lost, &[0, 1], "the log begins at");
    // What had been sent to it by then is applied: a row an entry, so that none was skipped.
    let stands = &lost.partitions()[0];
    let (last, rows) = (stands["offset"].as_u64().unwrap(), stands["rows"].as_u64().unwrap());
    assert!(last + 1 == rows && rows < 60, "{stands}");
    let whole = pk(2, PARTITIONS, 1);
    assert_eq!(lost.put(&format!("{whole}/x"), &[], "1").status, 201, "the rest serves");
    let ends = stock.ends(&topic, PARTITIONS);
    until("the same state", || (lost.states()[2] == node.states()[2]).then_some(()));
    restored.reaches(&ends);
    [node, restored, lost].into_iter().for_each(Node::stop);
}

#[test]
fn a_topic_that_was_made_anew_is_not_followed() {
    // Shorter than what was applied, and longer.
    [0, 50].into_iter().for_each(|count| made_anew(&format!("anew{count}"), count, false));
}

#[test]
fn a_topic_that_was_made_anew_unseen_is_not_followed() {
    made_anew("unseen", 50, true);
}

/// A node of whose topic another is made, with so many records in each partition; if it stands
/// still meanwhile, it cannot see that for a while there was none.
fn made_anew(test: &str, count: i64, still: bool) {
    let Some(services) = Services::shared() else { return };
    let place = services.place(test, PARTITIONS);
    let (dir, mut node) = written(&place);
    let before = node.states();
    let topic = mock::mutations(&place.namespace);
    if still {
        node.server.signal("-STOP");
    }
    services.tool("TopicCommand", &["--delete", "--topic", &topic]);
    services.make(&topic, PARTITIONS, &[]);
    let stock = Stock::new(&services.kafka);
    for partition in 0..PARTITIONS {
        let pk = pk(partition, PARTITIONS, 0);
        for n in 0..count {
            let json = format!(
                r#"{{"pk":"{pk}","sk":"other-{n}","data":{{}},"ts_ms":1,"mutation":"put"}}"#
            );
            stock.send_to(&topic, partition as i32, Some(&pk), Some(json.as_bytes()));
        }
    }
    stock.flush();
    if still {
        node.server.signal("-CONT");
    }
    breaks(&mut node, &[0, 1, 2], "");
    assert_eq!(node.states(), before, "something of the other log was applied");
    assert_eq!(stock.ends(&topic, PARTITIONS), [count; 3], "something was written into it");
    node.stop();
    // A restart sees it too.
    let mut node = place.start(dir.path());
    breaks(&mut node, &[0, 1, 2], "");
    node.stop();
}

#[test]
fn partitions_that_are_added_are_noticed() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("added", PARTITIONS);
    let (dir, mut node) = written(&place);
    let topic = mock::mutations(&place.namespace);
    services.tool("TopicCommand", &["--alter", "--topic", &topic, "--partitions", "5"]);
    let because = format!("partitions: topic {topic} has 5, the data directory 3");
    breaks(&mut node, &[0, 1, 2], &because);
    node.stop();
    let refused = place.refused(dir.path());
    assert_eq!(refused.code, 73, "{}", refused.log);
    assert!(refused.log.contains(&because), "{}", refused.log);
    let (code, out, err) = run(&["check", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
}

/// A node of a new namespace with twenty records in each partition.
fn written(place: &Place) -> (tempfile::TempDir, Node) {
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    write(&node, 0..20);
    (dir, node)
}
