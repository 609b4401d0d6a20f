//! Logs that others write, with the tools that come with Kafka: FireScroll's JSON, keyed by pk, and
//! topics that were there before any node of ours.

use std::time::{Duration, Instant};

use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::{mock, until};
use crate::services::Services;
use crate::{pk, tell};

const PARTITIONS: u32 = 4;
const RECORDS: usize = 1_000;

/// A line for the console producer.
fn line(key: &str, pk: &str, n: usize) -> String {
    format!(
        "{key}\t{{\"pk\":\"{pk}\",\"sk\":\"sk\",\"data\":{{\"n\":{n}}},\"ts_ms\":1683460800123,\
         \"mutation\":\"put\",\"if\":null}}\n"
    )
}

/// Writes lines as Java's own producer does, with its default partitioner.
fn produce(services: &Services, topic: &str, lines: &str) {
    let arguments = ["--topic", topic, "--reader-property", "parse.key=true"];
    services.tool_fed("ConsoleProducer", &arguments, lines);
}

/// Reads with FireScroll's own route.
fn get(node: &Node, pk: &str) -> serde_json::Value {
    let body = format!(r#"{{"Records":[{{"pk":"{pk}","sk":"sk"}}]}}"#);
    let got = node.post("/records/get", &[], &body);
    assert_eq!(got.status, 200, "{got:?}");
    got.json()["Records"].clone()
}

#[test]
fn mutations_of_a_stock_client_are_served() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("foreign", PARTITIONS);
    let topic = mock::mutations(&place.namespace);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();

    let mut lines: String = (0..RECORDS)
        .map(|n| format!("pk-{n}"))
        .enumerate()
        .map(|(n, pk)| line(&pk, &pk, n))
        .collect();
    // Keyed by something else, each lands in a partition that its pk does not belong to.
    let misplaced = [0, 1, 2].map(|partition| {
        line(&pk(partition + 1, PARTITIONS, 0), &pk(partition, PARTITIONS, 70_000), 1)
    });
    lines.extend(misplaced.iter().map(String::as_str));
    let malformed = ["{", "{\"pk\":\"a\"", "no JSON at all", "[1,2]", "{}"];
    malformed.iter().for_each(|value| lines.push_str(&format!("key\t{value}\n")));
    lines.push_str(&line("pk-7", "pk-7", 777));
    produce(&services, &topic, &lines);

    let ends = Stock::new(&services.kafka).ends(&topic, PARTITIONS);
    let all = RECORDS + misplaced.len() + malformed.len() + 1;
    assert_eq!(ends.iter().sum::<i64>(), all as i64);
    node.reaches(&ends);
    for n in 0..RECORDS {
        let wanted = if n == 7 { 777 } else { n };
        let records = get(&node, &format!("pk-{n}"));
        assert_eq!(records[0]["Data"]["n"], wanted, "{records}");
    }
    for partition in [0, 1, 2] {
        let pk = pk(partition, PARTITIONS, 70_000);
        assert_eq!(node.get(&format!("/v1/records/{pk}/sk"), &[]).status, 404);
    }
    let refused =
        |reason: &str| node.metric("pumice_refused_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!(refused("misplaced"), misplaced.len() as f64);
    assert_eq!(refused("undecodable"), malformed.len() as f64);
    let garbage = node.metric("pumice_log_records_total", &["kind=\"garbage\""]);
    assert_eq!(garbage, malformed.len() as f64);
    assert_eq!(node.metric("pumice_entries_total", &["outcome=\"applied\""]), RECORDS as f64 + 1.0);
    assert!(node.broken().is_empty());
    assert_eq!(node.put("pk-7/sk", &[], "1").status, 200, "it goes on");
    tell(&format!("foreign: {RECORDS} records of the console producer are served"));
    node.stop();
}

#[test]
fn topics_of_firescroll_are_served_as_they_are() {
    let Some(services) = Services::shared() else { return };
    let place = services.place("firescroll", PARTITIONS);
    let named = |kind: &str| format!("firescroll_{}_{kind}", place.namespace);
    let (mutations, partitions) = (named("mutations"), named("partitions"));
    services.make(&mutations, PARTITIONS, &[]);
    services.make(&partitions, 1, &[]);
    // FireScroll's record knows no hash: Java's is meant.
    produce(&services, &partitions, "numPartitions\t{\"NumPartitions\":4}\n");
    let lines: Vec<String> =
        (0..100).map(|n| line(&format!("old-{n}"), &format!("old-{n}"), n)).collect();
    produce(&services, &mutations, &lines.concat());

    let place = place.with(&["--kafka-topic", &mutations, "--kafka-partitions-topic", &partitions]);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let wrong = Place { partitions: 8, ..place.clone() };
    let began = Instant::now();
    let refused = wrong.refused(dirs[0].path());
    assert!(began.elapsed() < Duration::from_secs(60), "after {:?}", began.elapsed());
    assert_eq!(refused.code, 73, "{}", refused.log);
    let said = format!(
        "partitions: topic {mutations} has 4, the data directory 8, the topic {partitions}'s first \
         record says 4"
    );
    assert!(refused.log.contains(&said), "{}", refused.log);

    // The directory of the refused start takes the right settings.
    let node = place.start(dirs[0].path()).ready();
    until("what was there", || {
        get(&node, "old-99").as_array().is_some_and(|all| !all.is_empty()).then_some(())
    });
    for n in 0..100 {
        assert_eq!(get(&node, &format!("old-{n}"))[0]["Data"]["n"], n);
    }
    let ours = node.put("ours/sk", &[], r#"{"n":1}"#);
    assert_eq!(ours.status, 201, "{ours:?}");
    produce(&services, &mutations, &line("ours", "ours", 2));
    let ends = Stock::new(&services.kafka).ends(&mutations, PARTITIONS);
    node.reaches(&ends);
    assert_eq!(get(&node, "ours")[0]["Data"]["n"], 2);
    let replay = place.start(dirs[1].path()).ready();
    replay.reaches(&ends);
    assert_eq!(replay.states(), node.states());
    replay.stop();
    node.stop();
}
