//! A whole data set through a broker: imported, followed by nodes that begin with nothing, and
//! brought back from S3 once the log no longer has its beginning.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::server::{repository, run};
use crate::services::Services;
use crate::{pk, tell};

const PARTITIONS: u32 = 8;
/// The partition whose log keeps its beginning.
const WHOLE: usize = 7;
/// An empty node must be ready by then.
const READY: Duration = Duration::from_secs(90);

/// The full set of records where it lies beside the repository, else the bundled cut of it.
fn cities() -> PathBuf {
    let full = repository("../shared/data/cities.ndjson.gz");
    if full.exists() {
        return full;
    }
    tell("the full set of cities is not there, the bundled sample is imported");
    repository("src/cli/sample/cities.ndjson.gz")
}

#[test]
fn a_data_set_survives_its_nodes_and_its_old_segments() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("cities", PARTITIONS);
    let topic = mock::mutations(&place.namespace);
    // Small segments, so that there are old ones.
    services.make(&topic, PARTITIONS, &["retention.ms=-1", "segment.bytes=1048576"]);
    let objects = services.objects(&place.namespace);
    let with_objects = place.with(&objects.each_ref().map(String::as_str));
    let dirs = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let stock = Stock::new(&services.kafka);

    let first = with_objects.start(dirs[0].path()).ready();
    import(&first);
    let ends = stock.ends(&topic, PARTITIONS);
    first.reaches(&ends);

    let began = Instant::now();
    let second = place.start(dirs[1].path());
    ready_in_time(&second, began);
    assert_eq!(second.states(), first.states(), "a replay differs");
    tell(&format!(
        "cities: a replay of {} entries: ready after {:?}",
        ends.iter().sum::<i64>(),
        began.elapsed()
    ));

    let (code, out, err) = run(&["snapshot", "create", "--admin", &first.server.admin.to_string()]);
    assert_eq!(code, 0, "{out}{err}");
    let covered = ends;
    proven(&objects, &place);
    for partition in 0..PARTITIONS {
        let pk = pk(partition, PARTITIONS, 1);
        assert_eq!(first.put(&format!("{pk}/after-the-snapshot"), &[], "1").status, 201);
    }
    let below: Vec<(usize, i64)> = covered.iter().copied().enumerate().take(WHOLE).collect();
    let before = bytes_of(&services, &topic);
    services.forget(&topic, &below);
    until("old segments deleted", || (bytes_of(&services, &topic) < before / 2).then_some(()));
    for (partition, offset) in &below {
        assert_eq!(stock.range(&topic, *partition as i32).0, *offset);
    }

    let began = Instant::now();
    let third = with_objects.start(dirs[2].path());
    ready_in_time(&third, began);
    third.reaches(&stock.ends(&topic, PARTITIONS));
    assert_eq!(third.states(), first.states(), "what was restored differs");
    assert!(third.metric("pumice_restores_total", &[]) >= below.len() as f64);
    tell(&format!("cities: a restore from S3: ready after {:?}", began.elapsed()));
    for partition in 0..PARTITIONS {
        let pk = pk(partition, PARTITIONS, 2);
        assert_eq!(third.put(&format!("{pk}/after-the-restore"), &[], "1").status, 201);
    }
    let ends = stock.ends(&topic, PARTITIONS);
    [&first, &second, &third].into_iter().for_each(|node| node.reaches(&ends));
    assert_eq!(third.states(), first.states());
    assert_eq!(second.states(), first.states());

    let fourth = place.start(dirs[3].path());
    without_snapshots(fourth, &first);
    [first, second, third].into_iter().for_each(Node::stop);
}

fn import(node: &Node) {
    let file = cities();
    let imported = run(&["import", file.to_str().unwrap(), "--url", &node.server.url(), "--json"]);
    assert_eq!(imported.0, 0, "{imported:?}");
    let summary: Value = serde_json::from_str(&imported.1).unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(summary["applied"], summary["lines"], "{summary}");
    assert_eq!((&summary["refused"], &summary["failed"]), (&0.into(), &0.into()), "{summary}");
    tell(&format!("cities: {} records applied", summary["applied"]));
}

fn ready_in_time(node: &Node, began: Instant) {
    until("ready", || (node.admin("/ready").status == 200).then_some(()));
    assert!(began.elapsed() < READY, "ready only after {:?}", began.elapsed());
}

/// The listing shows a snapshot of every partition, and all of them are whole.
fn proven(objects: &[String], place: &Place) {
    let of = |what: &str| {
        let mut line = vec!["snapshot", what, "--namespace", &place.namespace, "--json"];
        line.extend(objects.iter().map(String::as_str));
        let (code, out, err) = run(&line);
        assert_eq!(code, 0, "{line:?}: {out}{err}");
        out
    };
    let listed = of("list");
    assert_eq!(listed.matches("\"partition\":").count(), PARTITIONS as usize, "{listed}");
    of("verify");
}

/// Bytes of a topic on the broker's disk.
fn bytes_of(services: &Services, topic: &str) -> u64 {
    let said = services.tool("LogDirsCommand", &["--describe", "--topic-list", topic]);
    let json = said.lines().find(|line| line.starts_with('{')).unwrap();
    let json: Value = serde_json::from_str(json).unwrap();
    let dirs = json["brokers"][0]["logDirs"].as_array().unwrap().iter();
    let partitions = dirs.flat_map(|dir| dir["partitions"].as_array().unwrap());
    partitions.map(|partition| partition["size"].as_u64().unwrap()).sum()
}

/// Its partitions are broken where the log has no beginning; the other one serves.
fn without_snapshots(mut node: Node, whole: &Node) {
    node.server.announce("is broken");
    let broken: Vec<u64> = (0..WHOLE as u64).collect();
    until("broken partitions", || (node.broken() == broken).then_some(()));
    let node = node.ready();
    let reasons = node.admin("/ready").json()["broken_because"].to_string();
    assert!(reasons.contains("the log begins at"), "{reasons}");
    for partition in 0..PARTITIONS {
        let pk = pk(partition, PARTITIONS, 3);
        let (put, wanted) = (node.put(&format!("{pk}/x"), &[], "1").status, 503);
        let wanted = if partition as usize == WHOLE { 201 } else { wanted };
        assert_eq!(put, wanted, "partition {partition}");
    }
    until("the same state", || (node.states()[WHOLE] == whole.states()[WHOLE]).then_some(()));
    node.stop();
}
