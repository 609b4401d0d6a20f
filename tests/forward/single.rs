//! Requests of one partition that another node holds.

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::node::{Node, know, on_each, partition, pks};

/// A cluster of two: `n0` holds nothing, `n1` everything.
fn one_holder(runtime: pumice::rt::Runtime) -> [Node; 2] {
    let nodes: [Node; 2] = Node::cluster(runtime);
    (0..crate::node::PARTITIONS).for_each(|p| nodes[0].hold(Partition(p), Holding::Absent));
    know(&nodes, &[], 2);
    nodes
}

#[test]
fn a_record_is_read_and_written_wherever_one_asks() {
    on_each(|runtime| {
        let [front, holder] = one_holder(runtime);
        let put = front.put("a", "b", "{\"n\": 1}");
        assert_eq!((put.status, put.header("pumice-node")), (201, Some("n1")), "{put:?}");
        let got = front.get("/v1/records/a/b");
        assert_eq!((got.status, got.text().as_str()), (200, "{\"n\":1}"), "{got:?}");
        assert_eq!(got.header("pumice-node"), Some("n1"));
        assert_eq!(got.header("etag"), put.header("etag"));
        assert_eq!(got.header("content-type"), Some("application/json"));
        assert!(got.header("last-modified").is_some());
        let same = holder.get("/v1/records/a/b");
        assert_eq!((same.text(), same.header("pumice-node")), (got.text(), Some("n1")));

        let etag = got.header("etag").unwrap().to_owned();
        let known = front.ask("GET", "/v1/records/a/b", &[("if-none-match", &etag)], "");
        assert_eq!(known.status, 304, "{known:?}");
        let head = front.ask("HEAD", "/v1/records/a/b", &[], "");
        assert_eq!((head.status, head.header("content-length")), (200, Some("7")), "{head:?}");
        let no = front.get("/v1/records/a/none");
        assert_eq!((no.status, no.header("pumice-node")), (404, Some("n1")), "{no:?}");

        let json = ("content-type", "application/json");
        let stale = [json, ("if-none-match", "*")];
        let refused = front.ask("PUT", "/v1/records/a/b", &stale, "2");
        assert_eq!(refused.status, 412, "{refused:?}");
        let gone = front.ask("DELETE", "/v1/records/a/b", &[("if-match", &etag)], "");
        assert_eq!(gone.status, 200, "{gone:?}");
        assert_eq!(holder.get("/v1/records/a/b").status, 404);
    });
}

#[test]
fn a_batch_goes_whole_and_a_long_list_comes_in_pieces() {
    on_each(|runtime| {
        let [front, holder] = one_holder(runtime);
        let long = "x".repeat(20_000);
        let put = |n| format!(r#"{{"put":{{"pk":"a","sk":"{n:04}","data":"{long}"}}}}"#);
        let body = |from: usize| (from..from + 40).map(put).collect::<Vec<_>>().join(",");
        for from in (0..800).step_by(40) {
            let body = format!(r#"{{"operations":[{}]}}"#, body(from));
            let done = front.post("/v1/batch", &body);
            assert_eq!((done.status, done.header("pumice-node")), (200, Some("n1")), "{done:?}");
        }
        let listed = front.get("/v1/records/a");
        assert_eq!((listed.status, listed.header("pumice-node")), (200, Some("n1")));
        let (listed, there) = (listed.json(), holder.get("/v1/records/a").json());
        assert_eq!(listed["records"].as_array().unwrap().len(), 800);
        assert_eq!(listed, there);
        let page = front.get("/v1/records/a?limit=3&after=0010&reverse=true").json();
        assert_eq!(page["records"][0]["sk"], "0799");
        let next = page["next"].as_str().unwrap();
        let page = front.get(&format!("/v1/records/a?limit=3&next={next}&reverse")).json();
        assert_eq!(page["records"][0]["sk"], "0796");

        let all = r#"{"partition":PP,"limit":0}"#.replace("PP", &partition("a").0.to_string());
        let listed = front.post("/records/list", &all);
        assert_eq!((listed.status, listed.header("pumice-node")), (200, Some("n1")));
        assert_eq!(listed.json()["Records"].as_array().unwrap().len(), 800);
        let gzip = [("content-type", "application/json"), ("accept-encoding", "gzip")];
        let packed = front.ask("POST", "/records/list", &gzip, &all);
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        assert!(packed.body.len() < listed.body.len() / 10);
    });
}

#[test]
fn what_was_sent_on_once_is_never_sent_on_again() {
    on_each(|runtime| {
        let nodes: [Node; 3] = Node::cluster(runtime);
        let at = partition("a");
        // n0 believes that n1 has it, n1 that n2 has it; only n2 does.
        nodes[2].put("a", "b", "1");
        nodes[0].hold(at, Holding::Absent);
        nodes[1].hold(at, Holding::Absent);
        know(&nodes, &[], 2);
        let sent_on = [("pumice-forwarded", "n0")];
        let moved = nodes[1].ask("GET", "/v1/records/a/b", &sent_on, "");
        assert_eq!((moved.status, moved.json()["error"]["code"].as_str()), (503, Some("moved")));
        let json = [("pumice-forwarded", "n0"), ("content-type", "application/json")];
        for (method, path, body) in [
            ("PUT", "/v1/records/a/c", "1"),
            ("GET", "/v1/records/a", ""),
            ("POST", "/v1/records:get", r#"{"keys":[{"pk":"a","sk":"b"}]}"#),
            ("POST", "/v1/batch", r#"{"operations":[{"delete":{"pk":"a","sk":"b"}}]}"#),
            ("POST", "/records/get", r#"{"Records":[{"pk":"a","sk":"b"}]}"#),
            ("POST", "/records/list", r#"{"pk":"a"}"#),
            ("POST", "/records/delete?wait=applied", r#"{"Records":[{"pk":"a","sk":"b"}]}"#),
        ] {
            let moved = nodes[1].ask(method, path, &json, body);
            assert_eq!(moved.status, 503, "{method} {path}: {moved:?}");
        }
        assert_eq!(nodes[2].get("/v1/records/a/b").status, 200);
        // Whoever asks the wrong one first asks the right one next.
        let got = nodes[0].get("/v1/records/a/b");
        assert_eq!((got.status, got.header("pumice-node")), (200, Some("n2")), "{got:?}");
    });
}

#[test]
fn a_state_that_nobody_betters_is_answered_from() {
    on_each(|runtime| {
        let nodes: [Node; 2] = Node::cluster(runtime);
        let at = partition("a");
        nodes[0].put("a", "b", "\"old\"");
        nodes[1].put("a", "b", "\"new\"");
        nodes[0].hold(at, Holding::CatchingUp);
        know(&nodes, &[], 2);
        assert_eq!(nodes[0].get("/v1/records/a/b").text(), "\"new\"");
        nodes[1].hold(at, Holding::Absent);
        // Routes are as old as the last gossip: n1 says that it has moved.
        let got = nodes[0].get("/v1/records/a/b");
        assert_eq!((got.text().as_str(), got.header("pumice-node")), ("\"old\"", Some("n0")));
        nodes[0].hold(at, Holding::Restoring);
        let none = nodes[0].get("/v1/records/a/b");
        assert_eq!(
            (none.status, none.json()["error"]["code"].as_str()),
            (503, Some("unavailable"))
        );
        let error = &none.json()["error"];
        assert_eq!(error["partition"], at.0);
        assert!(error["message"].as_str().unwrap().contains("n1"), "{error}");
        // What others hold is not touched by that.
        let other = pks(Partition((at.0 + 1) % crate::node::PARTITIONS), 1).remove(0);
        assert_eq!(nodes[0].get(&format!("/v1/records/{other}/b")).status, 404);
    });
}

#[test]
fn a_node_that_is_alone_says_so() {
    on_each(|runtime| {
        let node = Node::start(runtime, "n0");
        let routes = node.get("/v1/routes").json();
        assert_eq!((&routes["version"], &routes["partitions"]), (&0.into(), &8.into()));
        assert_eq!(routes["nodes"].as_array().unwrap().len(), 0);
        node.put("a", "b", "1");
        assert_eq!(node.get("/v1/records/a/b").header("pumice-node"), None);
        let forwarded = node.ask("GET", "/v1/records/a/b", &[("pumice-forwarded", "n9")], "");
        assert_eq!(forwarded.status, 200);
    });
}
