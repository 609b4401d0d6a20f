//! Requests of many keys: grouped by holder, put together in the order asked, with missing and
//! unreachable told apart; and what reads may ask of the state they get.

use pumice::clock;
use pumice::rt::Runtime;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use serde_json::Value;

use crate::node::{Node, PARTITIONS, know, on_each, partition, pks};
use crate::peers::dead;

/// Even partitions are held by `n0`, odd ones by `n1`; the last by `gone` alone, if it is given.
fn halves(runtime: Runtime, gone: bool) -> [Node; 2] {
    let nodes: [Node; 2] = Node::cluster(runtime);
    for p in 0..PARTITIONS {
        let last = gone && p == PARTITIONS - 1;
        for (nth, node) in nodes.iter().enumerate() {
            if last || p as usize % 2 != nth {
                node.hold(Partition(p), Holding::Absent);
            }
        }
    }
    let gone = gone.then(|| (Node::member("gone", dead()), Holding::Restoring));
    know(&nodes, gone.as_slice(), 2);
    nodes
}

/// One pk of each partition, in an order that changes holders often.
fn keys() -> Vec<String> {
    (0..PARTITIONS).map(|p| pks(Partition(p), 1).remove(0)).collect()
}

fn v1(keys: &[String]) -> String {
    let keys: Vec<Value> = keys.iter().map(|pk| serde_json::json!({"pk": pk, "sk": "s"})).collect();
    serde_json::json!({ "keys": keys }).to_string()
}

fn fire(keys: &[String]) -> String {
    v1(keys).replacen("keys", "Records", 1)
}

#[test]
fn keys_of_two_holders_come_back_in_the_order_asked() {
    on_each(|runtime| {
        let nodes = halves(runtime, false);
        let mut keys = keys();
        for (nth, pk) in keys.iter().enumerate().filter(|(nth, _)| *nth != 2 && *nth != 3) {
            nodes[nth % 2].put(pk, "s", &format!("{nth}"));
        }
        // Some twice, and the holders in no order.
        keys.extend(keys.clone().into_iter().rev());
        for node in &nodes {
            let got = node.post("/v1/records:get", &v1(&keys));
            assert_eq!((got.status, got.header("pumice-missing")), (200, Some("4")), "{got:?}");
            assert_eq!(got.header("pumice-unavailable"), None);
            assert_eq!(got.header("pumice-node"), Some(node.id.as_str()));
            let got = got.json();
            let records = got["records"].as_array().unwrap();
            assert_eq!(records.len(), keys.len());
            for (nth, (pk, record)) in keys.iter().zip(records).enumerate() {
                let number = if nth < 8 { nth } else { 15 - nth };
                let found = number != 2 && number != 3;
                assert_eq!(
                    (&record["pk"], &record["found"]),
                    (&Value::from(pk.as_str()), &found.into())
                );
                if found {
                    assert_eq!(record["data"], number);
                    assert!(record["etag"].is_string());
                }
            }
            let got = node.post("/records/get", &fire(&keys));
            assert_eq!((got.status, got.header("pumice-missing")), (200, Some("4")), "{got:?}");
            let got = got.json();
            let data: Vec<i64> = got["Records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["Data"].as_i64().unwrap())
                .collect();
            assert_eq!(data, [0, 1, 4, 5, 6, 7, 7, 6, 5, 4, 1, 0]);
            assert!(got["Records"][0]["CreatedAt"].is_string());
        }
    });
}

#[test]
fn what_cannot_be_reached_is_named_and_never_called_missing() {
    on_each(|runtime| {
        let nodes = halves(runtime, true);
        let keys = keys();
        for (nth, pk) in keys.iter().enumerate().take(4) {
            nodes[nth % 2].put(pk, "s", &format!("{nth}"));
        }
        let got = nodes[0].post("/v1/records:get", &v1(&keys));
        assert_eq!((got.status, got.header("pumice-missing")), (200, Some("3")), "{got:?}");
        assert_eq!(got.header("pumice-unavailable"), Some("7"));
        let body = got.json();
        assert_eq!(
            (&body["records"][3]["data"], &body["records"][4]["found"]),
            (&3.into(), &false.into())
        );
        let lost = &body["records"][7];
        assert_eq!((lost.get("found"), &lost["unavailable"]), (None, &true.into()), "{lost}");

        let got = nodes[1].post("/records/get", &fire(&keys));
        assert_eq!((got.status, got.header("pumice-missing")), (200, Some("3")), "{got:?}");
        assert_eq!(got.header("pumice-unavailable"), Some("7"));
        assert_eq!(got.json()["Records"].as_array().unwrap().len(), 4);

        for (path, body) in
            [("/v1/records:get", v1(&keys[7..])), ("/records/get", fire(&keys[7..]))]
        {
            let none = nodes[0].post(path, &body);
            assert_eq!(none.status, 503, "{none:?}");
        }
    });
}

#[test]
fn a_holder_that_has_let_go_of_some_is_asked_for_the_rest() {
    on_each(|runtime| {
        let nodes: [Node; 3] = Node::cluster(runtime);
        let keys = keys();
        for (nth, pk) in keys.iter().enumerate() {
            nodes[1].put(pk, "s", &format!("{nth}"));
            nodes[2].put(pk, "s", &format!("{nth}"));
            nodes[0].hold(partition(pk), Holding::Absent);
        }
        know(&nodes, &[], 2);
        // Nobody else knows yet: each says so when it is asked.
        nodes[1].hold(partition(&keys[5]), Holding::Absent);
        nodes[2].hold(partition(&keys[5]), Holding::Absent);
        nodes[1].hold(partition(&keys[6]), Holding::Absent);
        let got = nodes[0].post("/v1/records:get", &v1(&keys));
        assert_eq!((got.status, got.header("pumice-unavailable")), (200, Some("5")), "{got:?}");
        assert_eq!(got.json()["records"][6]["data"], 6);
        let got = nodes[0].post("/records/get", &fire(&keys));
        assert_eq!((got.status, got.header("pumice-unavailable")), (200, Some("5")), "{got:?}");
        assert_eq!(got.json()["Records"].as_array().unwrap().len(), 7);
    });
}

#[test]
fn writes_are_split_by_holder_and_their_outcomes_keep_their_order() {
    on_each(|runtime| {
        let nodes = halves(runtime, false);
        let keys = keys();
        let record = |pk: &String| {
            let data = serde_json::json!({"n": 1});
            serde_json::json!({"pk": pk, "sk": "s", "data": data, "if": "data == null"})
        };
        let body = |keys: &[String]| {
            serde_json::json!({"Records": keys.iter().map(record).collect::<Vec<_>>()}).to_string()
        };
        let first = nodes[0].post("/records/put?wait=applied", &body(&keys[..6]));
        assert_eq!(first.status, 200, "{first:?}");
        let told = nodes[1].post("/records/put?wait=applied", &body(&keys));
        let outcomes = told.json()["Outcomes"].as_array().unwrap().clone();
        for (nth, outcome) in outcomes.iter().enumerate() {
            let wanted = if nth < 6 { "refused" } else { "applied" };
            assert_eq!((&outcome["Outcome"], &outcome["Partition"]), (&wanted.into(), &nth.into()));
        }
        assert_eq!(outcomes[0]["Reason"], "condition-false");
        let offsets = told.header("pumice-offsets").unwrap();
        assert_eq!(offsets.split(',').count(), keys.len(), "{offsets}");
        for (nth, pk) in keys.iter().enumerate() {
            assert_eq!(nodes[nth % 2].get(&format!("/v1/records/{pk}/s")).text(), "{\"n\":1}");
        }
        let gone = nodes[0].post("/records/delete?wait=applied", &fire(&keys));
        assert_eq!(gone.status, 200, "{gone:?}");
        let none = nodes[1].post("/records/get", &fire(&keys));
        assert_eq!(none.header("pumice-missing"), Some("8"), "{none:?}");
    });
}

#[test]
fn a_batch_of_firescroll_goes_whole() {
    on_each(|runtime| {
        let nodes = halves(runtime, false);
        let pk = &keys()[1];
        let put = serde_json::json!({"Put": {"pk": pk, "sk": "s", "data": {"a": 1}}});
        let delete = serde_json::json!({"Delete": {"pk": pk, "sk": "t"}});
        let body = serde_json::json!({ "Operations": [put, delete] }).to_string();
        let told = nodes[0].post("/records/batch?wait=applied", &body);
        assert_eq!((told.status, told.header("pumice-node")), (200, Some("n1")), "{told:?}");
        assert_eq!(nodes[0].get(&format!("/v1/records/{pk}/s")).text(), "{\"a\":1}");
    });
}

#[test]
fn a_read_gets_what_it_has_seen_from_whoever_has_it() {
    on_each(|runtime| {
        let nodes: [Node; 2] = Node::cluster(runtime);
        nodes[1].put("a", "b", "1");
        let put = nodes[1].put("a", "b", "2");
        know(&nodes, &[], 2);
        let seen = put.header("pumice-offsets").unwrap().to_owned();
        assert_eq!(nodes[0].get("/v1/records/a/b").status, 404);
        let wanted = [("pumice-min-offsets", seen.as_str())];
        let got = nodes[0].ask("GET", "/v1/records/a/b", &wanted, "");
        assert_eq!((got.text().as_str(), got.header("pumice-node")), ("2", Some("n1")), "{got:?}");
        let got = nodes[0].ask("GET", "/v1/records/a", &wanted, "");
        assert_eq!(got.json()["records"][0]["data"], 2);
        let json = [("content-type", "application/json"), wanted[0]];
        let body = r#"{"keys":[{"pk":"a","sk":"b"}]}"#;
        let got = nodes[0].ask("POST", "/v1/records:get", &json, body);
        assert_eq!(got.json()["records"][0]["data"], 2);
        // Nobody has the next one.
        let (partition, offset) = seen.split_once(':').unwrap();
        let next = format!("{partition}:{}", offset.parse::<u64>().unwrap() + 1);
        let late = [("pumice-min-offsets", next.as_str()), ("pumice-timeout-ms", "50")];
        let behind = nodes[0].ask("GET", "/v1/records/a/b", &late, "");
        let error = &behind.json()["error"];
        assert_eq!((behind.status, &error["code"]), (503, &"behind".into()), "{behind:?}");
    });
}

#[test]
fn a_read_gets_a_state_as_young_as_it_asks() {
    on_each(|runtime| {
        let nodes: [Node; 2] = Node::cluster(runtime);
        let at = partition("a");
        nodes[0].put("a", "b", "\"old\"");
        nodes[1].put("a", "b", "\"new\"");
        let hear = |node: &Node, missing: u64| {
            let next = node.positions.next(at).unwrap();
            let end = Offset(next.0 + missing);
            node.progress.of(at).unwrap().heard(end, next, clock::now());
        };
        hear(&nodes[0], 5);
        hear(&nodes[1], 0);
        know(&nodes, &[], 2);
        std::thread::sleep(std::time::Duration::from_millis(5));
        let old = nodes[0].get("/v1/records/a/b");
        assert_eq!(old.text(), "\"old\"");
        assert!(old.header("pumice-lag-ms").is_some());
        let young = [("pumice-max-lag-ms", "0")];
        hear(&nodes[1], 0);
        let got = nodes[0].ask("GET", "/v1/records/a/b", &young, "");
        assert_eq!(
            (got.text().as_str(), got.header("pumice-node")),
            ("\"new\"", Some("n1")),
            "{got:?}"
        );
        let patient = [("pumice-max-lag-ms", "3600000")];
        assert_eq!(nodes[0].ask("GET", "/v1/records/a/b", &patient, "").text(), "\"old\"");
        hear(&nodes[1], 5);
        std::thread::sleep(std::time::Duration::from_millis(5));
        let behind = nodes[0].ask("GET", "/v1/records/a/b", &young, "");
        assert_eq!((behind.status, &behind.json()["error"]["code"]), (503, &"behind".into()));
        assert!(behind.header("pumice-lag-ms").unwrap().parse::<u64>().unwrap() > 0);
        let bad = nodes[0].ask("GET", "/v1/records/a/b", &[("pumice-max-lag-ms", "soon")], "");
        assert_eq!(bad.status, 400);
    });
}

#[test]
fn a_list_of_all_partitions_is_whole_or_an_error() {
    on_each(|runtime| {
        let nodes: [Node; 3] = Node::cluster(runtime);
        let mut keys: Vec<String> = (0..200).map(|n| format!("k{n}")).collect();
        for pk in &keys {
            let at = partition(pk).0 as usize;
            // A third of the partitions each; n0 lets go of those that are not its own.
            nodes[at % 3].put(pk, "s", "1");
        }
        for (n, node) in nodes.iter().enumerate() {
            let others = (0..PARTITIONS).filter(|at| *at as usize % 3 != n);
            others.for_each(|at| node.hold(Partition(at), Holding::Absent));
        }
        know(&nodes, &[], 2);
        keys.sort();
        for node in &nodes {
            for limit in [7, 64, 1_000] {
                let (mut all, mut next) = (Vec::new(), String::new());
                loop {
                    let page = node.get(&format!("/v1/records?limit={limit}{next}"));
                    assert_eq!(page.status, 200, "{page:?}");
                    let page = page.json();
                    let rows = page["records"].as_array().unwrap().iter();
                    all.extend(rows.map(|row| row["pk"].as_str().unwrap().to_owned()));
                    let Some(token) = page["next"].as_str() else { break };
                    next = format!("&next={token}");
                }
                assert_eq!(all, keys, "{limit} at {}", node.id);
            }
        }
        // Another holder is asked when one has let go; with none there is no page.
        nodes[2].hold(Partition(2), Holding::Absent);
        let none = nodes[0].get("/v1/records");
        assert_eq!(none.status, 503, "{none:?}");
        assert_eq!(none.json()["error"]["partition"], 2);
        assert_eq!(nodes[0].get("/v1/records?partitions=0,1,3,4").status, 200);
        nodes[1].hold(Partition(2), Holding::Serving);
        know(&nodes[..2], &[(Node::member("gone", dead()), Holding::Serving)], 3);
        let rest = nodes[0].get("/v1/records?partitions=0,1,2");
        assert_eq!(rest.status, 200, "{rest:?}");
    });
}
