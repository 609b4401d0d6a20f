//! Another log under the same name: what was applied is not what stands there. The partitions that
//! see it are broken and say so; everything else serves.

use crate::kafka::mock::{Mock, mutations};
use crate::kafka::node::Place;
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::{namespace, pks};

#[test]
fn partitions_whose_log_was_replaced_are_broken() {
    let (mock, place) = namespace("replaced", 4);
    let pks = pks(4);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    for pk in &pks[..3] {
        for n in 0..3 {
            let put = node.put(&format!("{pk}/{n}"), &[], &n.to_string());
            assert_eq!(put.status, 201, "{put:?}");
        }
    }
    node.stop();
    drop(mock);

    // Partition 0 has other entries and more of them, 1 as many, 2 fewer, 3 had none and has some.
    let mock = Mock::with_namespace("replaced", 4);
    let stock = Stock::new(&mock.brokers());
    let topic = mutations("replaced");
    for (partition, count) in [(0, 5), (1, 3), (2, 1), (3, 2)] {
        for n in 0..count {
            let json = format!(
                r#"{{"pk":"{}","sk":"other-{n}","data":{{}},"ts_ms":1,"mutation":"put"}}"#,
                pks[partition as usize]
            );
            stock.send_to(&topic, partition, None, Some(json.as_bytes()));
        }
    }
    stock.flush();
    let place = Place::new(&mock.brokers(), "replaced", 4);
    let mut node = place.start(dir.path());
    node.server.announce("is broken");
    until("three broken partitions", || (node.broken() == [0, 1, 2]).then_some(()));
    let node = node.ready();
    let reasons = node.admin("/ready").json()["broken_because"].to_string();
    assert!(reasons.contains("partition 0: the record at offset 2 is not the one"), "{reasons}");
    assert!(reasons.contains("partition 1: the record at offset 2 is not the one"), "{reasons}");
    assert!(reasons.contains("partition 2: the log ends at 1, and entries up to 3"), "{reasons}");
    let following = |partition: u32| {
        node.metric("pumice_partition_following", &[&format!("partition=\"{partition}\"")])
    };
    assert_eq!([0, 1, 2, 3].map(following), [3.0, 3.0, 3.0, 1.0]);

    for pk in &pks[..3] {
        let read = node.get(&format!("/v1/records/{pk}/2"), &[]);
        assert_eq!((read.status, read.text().as_str()), (200, "2"), "reads go on");
        assert!(read.header("pumice-lag-ms").is_some(), "{read:?}");
        assert_eq!(node.get(&format!("/v1/records/{pk}/other-0"), &[]).status, 404);
        let put = node.put(&format!("{pk}/2"), &[], "9");
        assert_eq!(put.status, 503, "{put:?}");
    }
    let ends = stock.ends(&topic, 4);
    assert_eq!(ends, [5, 3, 1, 2], "nothing was written into the other log");
    assert_eq!(node.get(&format!("/v1/records/{}/other-1", pks[3]), &[]).status, 200);
    assert_eq!(node.put(&format!("{}/mine", pks[3]), &[], "1").status, 201);
    node.stop();
}

#[test]
fn a_log_that_lost_its_end_is_not_written_on() {
    // The same entries, but for the last one: as after a broker that came back without its disk.
    let (mock, place) = namespace("shorter", 1);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    for n in 0..4 {
        assert_eq!(node.put(&format!("a/{n}"), &[], "1").status, 201);
    }
    node.stop();
    let topic = mutations("shorter");
    let kept = Stock::new(&mock.brokers()).read(&topic, 0);
    drop(mock);

    let mock = Mock::with_namespace("shorter", 1);
    let stock = Stock::new(&mock.brokers());
    for record in &kept[..3] {
        stock.send_to(&topic, 0, Some("a"), record.value.as_deref());
    }
    stock.flush();
    let mut node = Place::new(&mock.brokers(), "shorter", 1).start(dir.path());
    node.server.announce("is broken");
    until("a broken partition", || (node.broken() == [0]).then_some(()));
    assert_eq!(node.get("/v1/records/a/3", &[]).text(), "1");
    assert_eq!(node.put("a/4", &[], "1").status, 503);
    assert_eq!(stock.ends(&topic, 1), [3]);
    assert_eq!(node.admin("/ready").status, 503, "nothing is left that takes entries");
    node.stop();
}
