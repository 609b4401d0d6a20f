//! A log that others write: FireScroll's JSON is served, and whatever else stands there is counted,
//! refused and passed.

use std::path::Path;

use crate::kafka::mock::{Mock, mutations};
use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::{namespace, pks};

const TOPIC: &str = "firescroll_shop_mutations";
const PARTITIONS_TOPIC: &str = "firescroll_shop_partitions";

/// A put as FireScroll writes it.
fn put(pk: &str, sk: &str, data: &str) -> String {
    let fields = format!(r#""pk":"{pk}","sk":"{sk}","data":{data},"ts_ms":1683460800123"#);
    format!(r#"{{{fields},"mutation":"put","if":null}}"#)
}

#[test]
fn a_topic_of_firescroll_is_served() {
    let mock = Mock::start(1);
    mock.make(TOPIC, 4);
    mock.make(PARTITIONS_TOPIC, 1);
    Stock::new(&mock.brokers()).send_to(PARTITIONS_TOPIC, 0, None, Some(br#"{"NumPartitions":4}"#));
    // Keyed by pk: the producer's own hash chooses the partition. In every codec that it has.
    for (codec, from) in [("none", 0), ("lz4", 100), ("snappy", 200)] {
        let stock = Stock::with(&mock.brokers(), codec);
        for n in from..from + 100 {
            let data = format!(r#"{{"n":{n},"big":9007199254740993}}"#);
            stock.send(TOPIC, &format!("pk-{n}"), &put(&format!("pk-{n}"), "sk", &data));
        }
        let delete =
            r#"{"pk":"pk-7","sk":"sk","data":null,"ts_ms":1,"mutation":"delete","if":null}"#;
        stock.send(TOPIC, "pk-7", delete);
        stock.flush();
    }
    let place = Place::new(&mock.brokers(), "shop", 4).with(&[
        "--kafka-topic",
        TOPIC,
        "--kafka-partitions-topic",
        PARTITIONS_TOPIC,
    ]);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    let ends = Stock::new(&mock.brokers()).ends(TOPIC, 4);
    node.reaches(&ends);
    assert!(ends.iter().all(|end| *end > 0), "{ends:?}");

    let got = node.post("/records/get", &[], r#"{"Records":[{"pk":"pk-250","sk":"sk"}]}"#);
    let record = got.json()["Records"][0].clone();
    assert_eq!((&record["Pk"], &record["Sk"]), (&"pk-250".into(), &"sk".into()), "{got:?}");
    assert_eq!(record["Data"]["n"], 250);
    assert_eq!(record["CreatedAt"], "2023-05-07T12:00:00.123Z");
    let got = node.get("/v1/records/pk-250/sk", &[]);
    assert_eq!(got.text(), r#"{"n":250,"big":9007199254740993}"#, "to the last digit");
    assert_eq!(node.get("/v1/records/pk-7/sk", &[]).status, 404);
    assert_eq!(node.metric("pumice_log_records_total", &["kind=\"foreign\""]), 303.0);
    assert_eq!(node.metric("pumice_refused_total", &[]), 0.0);

    // Both write the same log; each sees what the other did.
    let ours = node.put("pk-250/sk?if=data.n%20%3D%3D%20250", &[], r#"{"n":251}"#);
    assert_eq!(ours.status, 200, "{ours:?}");
    let stock = Stock::new(&mock.brokers());
    let guarded =
        put("pk-250", "sk", r#"{"n":252}"#).replace(r#""if":null"#, r#""if":"data.n == 251""#);
    stock.send(TOPIC, "pk-250", &guarded);
    stock.flush();
    node.reaches(&stock.ends(TOPIC, 4));
    assert_eq!(node.get("/v1/records/pk-250/sk", &[]).text(), r#"{"n":252}"#);
    node.stop();
}

/// What is no mutation, or none that can be made, with the kind that it counts as.
fn litter(pk: &str) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let good = put(pk, "litter", r#"{"n":1}"#);
    let deep = put(pk, "deep", &format!("{}1{}", r#"{"a":"#.repeat(80), "}".repeat(80)));
    let invalid = good.replace(r#""if":null"#, r#""if":"data ==""#);
    let long_key = put(pk, &"k".repeat(2_000), "{}");
    let unknown_format: &[u8] = &[0xE1, 99, 1, 0, 0, 0, 0, 0];
    let wrong_checksum = [&[0xE1, 1, 1, 0][..], &[0; 24]].concat();
    let all: [(_, Option<&[u8]>); 16] = [
        ("tombstone", None),
        ("garbage", Some(b"")),
        ("garbage", Some(b"not an entry")),
        ("garbage", Some(b"[1]")),
        ("garbage", Some(b"{")),
        ("garbage", Some(b"{}")),
        ("garbage", Some(&good.as_bytes()[..30])),
        ("garbage", Some(&[0x7b, 0xff, 0xfe])),
        ("garbage", Some(&[0xE1])),
        ("garbage", Some(unknown_format)),
        ("garbage", Some(&wrong_checksum)),
        ("garbage", Some(br#"{"pk":"a","sk":"b","mutation":"upsert"}"#)),
        ("garbage", Some(br#"{"pk":"a","sk":"b","mutation":"put","data":[1]}"#)),
        ("foreign", Some(deep.as_bytes())),
        ("foreign", Some(invalid.as_bytes())),
        ("foreign", Some(long_key.as_bytes())),
    ];
    all.into_iter().map(|(kind, value)| (kind, value.map(<[u8]>::to_vec))).collect()
}

#[test]
fn nothing_in_a_log_stops_a_node() {
    let (mock, place) = namespace("litter", 4);
    let topic = mutations("litter");
    let stock = Stock::new(&mock.brokers());
    let pks = pks(4);
    let good = |partition: usize| put(&pks[partition], "good", r#"{"n":1}"#);
    let litter = litter(&pks[0]);
    for (_, value) in &litter {
        stock.send_to(&topic, 0, Some("key"), value.as_deref());
    }
    stock.send_to(&topic, 0, None, Some(good(0).as_bytes()));
    // A good mutation in a partition that its pk does not belong to.
    stock.send_to(&topic, 1, Some(&pks[1]), Some(good(2).as_bytes()));
    stock.send_to(&topic, 1, Some("another"), Some(good(1).as_bytes()));
    stock.flush();

    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let started = |dir: &Path| -> Node {
        let node = place.start(dir).ready();
        node.reaches(&[17, 2, 0, 0]);
        node
    };
    let node = started(dirs[0].path());
    let of_kind = |node: &Node, kind: &str| {
        node.metric("pumice_log_records_total", &[&format!("kind=\"{kind}\"")])
    };
    let wanted = |kind: &str| litter.iter().filter(|(of, _)| *of == kind).count() as f64;
    assert_eq!(of_kind(&node, "tombstone"), wanted("tombstone"));
    assert_eq!(of_kind(&node, "garbage"), wanted("garbage"));
    assert_eq!(of_kind(&node, "foreign"), wanted("foreign") + 3.0);
    assert_eq!(of_kind(&node, "entry"), 0.0);
    let refused =
        |reason: &str| node.metric("pumice_refused_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!(refused("misplaced"), 1.0);
    assert_eq!(refused("condition-invalid"), 1.0);
    assert_eq!(refused("malformed"), 2.0);
    assert_eq!(refused("undecodable"), wanted("tombstone") + wanted("garbage"));
    assert_eq!(node.metric("pumice_entries_total", &["outcome=\"applied\""]), 2.0);

    assert_eq!(node.get(&format!("/v1/records/{}/good", pks[0]), &[]).status, 200);
    assert_eq!(node.get(&format!("/v1/records/{}/good", pks[1]), &[]).status, 200);
    assert_eq!(node.get(&format!("/v1/records/{}/good", pks[2]), &[]).status, 404);
    let put = node.put(&format!("{}/after", pks[0]), &[], "1");
    assert_eq!((put.status, crate::token(&put)), (201, (0, 17)), "{put:?}");
    assert!(node.broken().is_empty());
    let other = started(dirs[1].path());
    other.reaches(&[18, 2, 0, 0]);
    assert_eq!(node.states(), other.states());
    node.stop();
    other.stop();
}
