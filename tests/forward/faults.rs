//! Holders that are gone, silent, slow, or lose the connection: there is always an answer, a read
//! from whoever can give one, and a write is never made twice.

use std::thread;
use std::time::{Duration, Instant};

use pumice::rt::Runtime;
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::node::{Node, PARTITIONS, PATIENCE, know, on_each};
use crate::peers::{Script, Scripted, dead, silent};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(20);

/// `n0` holds nothing; `n1` holds all; before it `odd` is said to, which is asked first.
fn behind_an_odd_one(runtime: Runtime, odd: std::net::SocketAddr) -> [Node; 2] {
    let nodes: [Node; 2] = Node::cluster(runtime);
    nodes[1].put("a", "b", "1");
    (0..PARTITIONS).for_each(|p| nodes[0].hold(Partition(p), Holding::Absent));
    know(&nodes, &[(Node::member("odd", odd), Holding::Serving)], 2);
    nodes
}

/// `n0` holds nothing, and only `odd` is said to hold all.
fn only_an_odd_one(runtime: Runtime, odd: std::net::SocketAddr) -> [Node; 1] {
    let nodes: [Node; 1] = Node::cluster(runtime);
    (0..PARTITIONS).for_each(|p| nodes[0].hold(Partition(p), Holding::Absent));
    know(&nodes, &[(Node::member("odd", odd), Holding::Serving)], 2);
    nodes
}

#[test]
fn the_next_holder_answers_for_one_that_is_gone_or_silent() {
    on_each(|runtime| {
        let accepts = silent();
        for odd in [dead(), accepts.local_addr().unwrap()] {
            let [front, holder] = behind_an_odd_one(runtime, odd);
            for _ in 0..3 {
                let got = front.get("/v1/records/a/b");
                assert_eq!((got.status, got.header("pumice-node")), (200, Some("n1")), "{got:?}");
            }
            // Nothing was sent to the one that never showed that it lives.
            let put = front.put("a", "c", "2");
            assert_eq!((put.status, put.header("pumice-node")), (201, Some("n1")), "{put:?}");
            assert_eq!(holder.get("/v1/records/a/c").text(), "2");
            let many = front.post("/v1/records:get", r#"{"keys":[{"pk":"a","sk":"b"}]}"#);
            assert_eq!(many.status, 200, "{many:?}");
            assert_eq!(many.header("pumice-unavailable"), None);
            assert_eq!(many.json()["records"][0]["found"], true);
        }
    });
}

#[test]
fn when_nobody_answers_the_answer_says_whom_it_tried() {
    on_each(|runtime| {
        let accepts = silent();
        let never = Scripted::start(runtime, Script::Never);
        for odd in [dead(), accepts.local_addr().unwrap(), never.http] {
            let [front] = only_an_odd_one(runtime, odd);
            let soon = [("pumice-timeout-ms", "300"), ("content-type", "application/json")];
            for (method, path, body) in [
                ("GET", "/v1/records/a/b", ""),
                ("GET", "/v1/records/a", ""),
                ("POST", "/v1/records:get", r#"{"keys":[{"pk":"a","sk":"b"},{"pk":"c","sk":""}]}"#),
            ] {
                let none = front.ask(method, path, &soon, body);
                assert_eq!(none.status, 503, "{none:?}");
                let error = &none.json()["error"];
                assert_eq!(error["code"], "unavailable");
                assert!(error["message"].as_str().unwrap().contains("odd"), "{error}");
                assert!(error["partition"].is_u64(), "{error}");
                assert!(none.header("retry-after").is_some());
            }
            for (path, body) in [
                ("/records/get", r#"{"Records":[{"pk":"a","sk":"b"}]}"#),
                ("/records/list", r#"{"pk":"a"}"#),
            ] {
                let none = front.ask("POST", path, &soon, body);
                assert_eq!(none.status, 503, "{none:?}");
                assert!(none.json()["message"].as_str().unwrap().contains("odd"), "{none:?}");
            }
        }
    });
}

#[test]
fn a_holder_that_is_late_is_not_waited_for() {
    on_each(|runtime| {
        let slow = Scripted::start(runtime, Script::Slow(LONG));
        let [front, _holder] = behind_an_odd_one(runtime, slow.http);
        // On a busy machine the next is asked before the first has been.
        let until = Instant::now() + PATIENCE;
        loop {
            let got = front.get("/v1/records/a/b");
            let next = ("1", Some("n1"));
            assert_eq!((got.text().as_str(), got.header("pumice-node")), next, "{got:?}");
            if slow.asked() >= 1 {
                break;
            }
            assert!(Instant::now() < until, "the slow one was never asked");
        }
        let alone = Scripted::start(runtime, Script::Slow(Duration::from_millis(100)));
        let [front] = only_an_odd_one(runtime, alone.http);
        let got = front.get("/v1/records/a/b");
        let odd = ("\"slow\"", Some("odd"));
        assert_eq!((got.text().as_str(), got.header("pumice-node")), odd, "{got:?}");
        assert_eq!(alone.asked(), 1);
    });
}

#[test]
fn a_write_whose_holder_is_lost_is_made_by_nobody_else() {
    on_each(|runtime| {
        let lost = Scripted::start(runtime, Script::Lost);
        let [front, holder] = behind_an_odd_one(runtime, lost.http);
        let json = [("content-type", "application/json")];
        let unknown = front.ask("PUT", "/v1/records/a/new", &json, "1");
        assert_eq!(unknown.status, 504, "{unknown:?}");
        assert_eq!(unknown.json()["error"]["code"], "unknown");
        assert_eq!(unknown.header("pumice-offsets"), None);
        let put = r#"{"Records":[{"pk":"a","sk":"new","data":{}}]}"#;
        let unknown = front.post("/records/put?wait=applied", put);
        assert_eq!(unknown.status, 504, "{unknown:?}");
        assert_eq!((lost.asked(), holder.get("/v1/records/a/new").status), (2, 404));
        // A read does no harm: the next holder is asked.
        let got = front.get("/v1/records/a/b");
        assert_eq!((got.status, got.header("pumice-node")), (200, Some("n1")), "{got:?}");
    });
}

#[test]
fn a_write_that_was_certainly_not_made_goes_to_the_next() {
    on_each(|runtime| {
        let refuses = Scripted::start(runtime, Script::Refuses);
        let [front, holder] = behind_an_odd_one(runtime, refuses.http);
        front.put("a", "new", "1");
        let put = r#"{"Records":[{"pk":"a","sk":"newer","data":{}}]}"#;
        let told = front.post("/records/put?wait=applied", put).json();
        assert_eq!(told["Outcomes"][0]["Outcome"], "applied", "{told}");
        assert_eq!(refuses.asked(), 2);
        for sk in ["new", "newer"] {
            assert_eq!(holder.get(&format!("/v1/records/a/{sk}")).status, 200);
        }
    });
}

#[test]
fn a_node_that_drains_finishes_what_another_is_asked_for() {
    on_each(|runtime| {
        let slow = Scripted::start(runtime, Script::Slow(Duration::from_millis(300)));
        let [front] = only_an_odd_one(runtime, slow.http);
        thread::scope(|scope| {
            let reader = scope.spawn(|| front.get("/v1/records/a/b"));
            while slow.asked() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            front.drain();
            assert_eq!(reader.join().unwrap().text(), "\"slow\"");
        });
    });
}
