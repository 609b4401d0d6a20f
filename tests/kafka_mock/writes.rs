//! Writes through the log and what is told of them: tokens, conditions, batches, repeats.

use crate::kafka::mock::mutations;
use crate::kafka::stock::Stock;
use crate::{namespace, pks, token};

const ID: &str = "00112233445566778899aabbccddeeff";

#[test]
fn a_write_is_told_its_place_and_can_be_read_by_it() {
    let (mock, place) = namespace("tokens", 4);
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (one, two) = (place.start(dirs[0].path()).ready(), place.start(dirs[1].path()).ready());
    let pks = pks(4);

    let made = one.put(&format!("{}/a", pks[2]), &[], r#"{"n": 1}"#);
    assert_eq!((made.status, token(&made)), (201, (2, 0)), "{made:?}");
    assert_eq!(made.header("etag"), Some("\"2-0\""));
    let replaced = two.put(&format!("{}/a?wait=applied", pks[2]), &[], r#"{"n": 2}"#);
    assert_eq!((replaced.status, token(&replaced)), (200, (2, 1)), "{replaced:?}");
    let logged = one.put(&format!("{}/a?wait=log", pks[2]), &[], r#"{"n": 3}"#);
    assert_eq!(token(&logged), (2, 2), "{logged:?}");
    assert_eq!(logged.json()["outcome"], "logged");

    // Whichever node is asked, what was written elsewhere is there once it is asked for.
    let seen = [("pumice-min-offsets", "2:2"), ("pumice-timeout-ms", "30000")];
    for node in [&one, &two] {
        let read = node.get(&format!("/v1/records/{}/a", pks[2]), &seen);
        assert_eq!((read.status, read.text().as_str()), (200, r#"{"n":3}"#));
        assert_eq!(read.header("etag"), Some("\"2-2\""));
        assert_eq!(read.header("pumice-lag-ms"), None);
    }
    let beyond = [("pumice-min-offsets", "2:3"), ("pumice-timeout-ms", "50")];
    let behind = two.get(&format!("/v1/records/{}/a", pks[2]), &beyond);
    assert_eq!((behind.status, token_of_error(&behind)), (503, (2, 2)), "{behind:?}");

    // The log has exactly these, under the keys that others go by.
    let found = Stock::new(&mock.brokers()).read(&mutations("tokens"), 2);
    assert_eq!(found.len(), 3);
    assert!(found.iter().all(|record| record.key.as_deref() == Some(pks[2].as_bytes())));
    one.stop();
    two.stop();
}

#[test]
fn conditions_are_judged_in_the_order_of_the_log() {
    let (_mock, place) = namespace("conditions", 2);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    let at = "cart/1";
    let first = node.put(at, &[("if-none-match", "*")], r#"{"n":1}"#);
    assert_eq!(first.status, 201, "{first:?}");
    let etag = first.header("etag").unwrap().to_owned();

    let again = node.put(at, &[("if-none-match", "*")], r#"{"n":2}"#);
    assert_eq!((again.status, reason(&again)), (412, "expected-absent".to_owned()));
    assert_eq!(token_of_error(&again), (token(&first).0, 1), "a refusal has its place, too");
    let older = node.put(&format!("{at}?if=data.n%20%3E%201"), &[], r#"{"n":3}"#);
    assert_eq!((older.status, reason(&older)), (412, "condition-false".to_owned()));
    let same = node.put(at, &[("if-match", &etag)], r#"{"n":4}"#);
    assert_eq!(same.status, 200, "{same:?}");
    let stale = node.put(at, &[("if-match", &etag)], r#"{"n":5}"#);
    assert_eq!((stale.status, reason(&stale)), (412, "expected-offset".to_owned()));
    let unjudged = node.put(&format!("{at}?wait=log"), &[("if-match", &etag)], r#"{"n":6}"#);
    assert_eq!(unjudged.status, 400, "{unjudged:?}");
    assert_eq!(node.get("/v1/records/cart/1", &[]).text(), r#"{"n":4}"#);
    assert_eq!(node.metric("pumice_refused_total", &[]), 3.0);
    node.stop();
}

#[test]
fn a_batch_is_one_entry_and_a_repeat_gets_the_first_outcome() {
    let (mock, place) = namespace("batches", 2);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    let body = r#"{"operations":[{"put":{"pk":"p","sk":"a","data":1}},
        {"put":{"pk":"p","sk":"b","data":2}},{"delete":{"pk":"p","sk":"none"}}]}"#;
    let first = node.post("/v1/batch", &[("pumice-write-id", ID)], body);
    assert_eq!(first.status, 200, "{first:?}");
    node.put("p/a", &[], "3");
    let again = node.post("/v1/batch", &[("pumice-write-id", ID)], body);
    assert_eq!((again.status, token(&again)), (200, token(&first)), "{again:?}");
    assert_eq!(node.get("/v1/records/p/a", &[]).text(), "3");

    let refused = body.replace("\"sk\":\"b\",", "\"sk\":\"b\",\"if\":\"data == null\",");
    let refused = node.post("/v1/batch", &[], &refused.replace("\"data\":1", "\"data\":9"));
    assert_eq!((refused.status, reason(&refused)), (412, "condition-false".to_owned()));
    assert_eq!(node.get("/v1/records/p/a", &[]).text(), "3");

    // Batch, put, repeat and refused batch: an entry each.
    let (partition, offset) = token_of_error(&refused);
    assert_eq!((partition, offset), (token(&first).0, 3));
    let found = Stock::new(&mock.brokers()).read(&mutations("batches"), partition as i32);
    assert_eq!(found.len(), 4);
    node.stop();
}

#[test]
fn what_gathers_goes_into_one_produce() {
    let (mock, place) = namespace("gathering", 4);
    let dir = tempfile::tempdir().unwrap();
    let node = place.start(dir.path()).ready();
    let records: Vec<String> =
        (0..500).map(|n| format!(r#"{{"pk":"pk-{n}","sk":"s","data":{{"n":{n}}}}}"#)).collect();
    let body = format!(r#"{{"Records":[{}]}}"#, records.join(","));
    let put = node.post("/records/put?wait=applied", &[], &body);
    assert_eq!(put.status, 200, "{put:?}");
    let outcomes = put.json()["Outcomes"].as_array().unwrap().clone();
    assert_eq!(outcomes.len(), 500);
    assert!(outcomes.iter().all(|outcome| outcome["Outcome"] == "applied"), "{outcomes:?}");
    let ends = Stock::new(&mock.brokers()).ends(&mutations("gathering"), 4);
    assert_eq!(ends.iter().sum::<i64>(), 500);
    assert_eq!(node.metric("pumice_log_produced_entries_total", &[]), 500.0);
    assert!(node.metric("pumice_log_produced_batches_total", &[]) <= 8.0, "a few a partition");
    assert_eq!(node.metric("pumice_log_records_total", &["kind=\"entry\""]), 500.0);
    assert_eq!(node.metric("pumice_entries_total", &["outcome=\"applied\""]), 500.0);
    node.stop();
}

fn reason(reply: &crate::server::Reply) -> String {
    reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

fn token_of_error(reply: &crate::server::Reply) -> (u64, u64) {
    let error = &reply.json()["error"];
    (error["partition"].as_u64().unwrap(), error["offset"].as_u64().unwrap())
}
