//! Seeded bytes against every route that takes a body, over kept connections: whatever comes, the
//! answer is the client's fault and never the server's, and the next request is served.
//! 6,000 cases, and 300,000 with PUMICE_SOAK=1.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::env;

use pumice_model::wire::ListResponse;
use server::keepalive::Connection;
use server::{Reply, Server};

/// Routes with bodies that they take.
const ROUTES: &[(&str, &str, &str)] = &[
    (
        "POST",
        "/records/put",
        r#"{"Records":[
            {"pk":"a","sk":"b","data":{"n":1,"t":"é\u0000\n"},"if":"data.n == 1","ttl":9000}]}"#,
    ),
    (
        "POST",
        "/records/put?wait=applied",
        r#"{"records":[{"PK":"a"},{"pk":"b","data":null,"if":null},{"pk":"\ud83e\udea8"}]} rest"#,
    ),
    (
        "POST",
        "/records/delete?wait=applied",
        r#"{"Records":[{"pk":"a","sk":"b","if":"data.a[0] in [1, 2.5]"},{"pk":"c"}]}"#,
    ),
    ("POST", "/records/get", r#"{"Records":[{"pk":"a","sk":"b"},{"pk":"none"},null]}"#),
    (
        "POST",
        "/records/list",
        r#"{"pk":"a","sk_prefix":"b","limit":3,"if":"(data.n ?? 0) > 0","if_stop":true,
            "reverse":false}"#,
    ),
    (
        "POST",
        "/records/list",
        r#"{"pk":"a","starts_after":"a","ends_before":"c","sk":{"gte":"b","lt":"c"}}"#,
    ),
    ("POST", "/records/list", r#"{"partition":3,"continuation":"","limit":10}"#),
    (
        "POST",
        "/records/batch",
        r#"{"Operations":[{"Put":{"pk":"a","sk":"x","data":{}}},{"Delete":{"pk":"a","sk":"y"}}]}"#,
    ),
    ("POST", "/v1/records:get", r#"{"keys":[{"pk":"a","sk":"b"},{"pk":"a","sk":""}]}"#),
    (
        "POST",
        "/v1/batch",
        r#"{"operations":[
            {"put":{"pk":"a","sk":"b","data":[1.0],"ttl":5,"if":"true","expect":{"offset":1}}},
            {"delete":{"pk":"a","sk":"c","expect":"absent"}}]}"#,
    ),
    ("PUT", "/v1/records/a/b", r#"{"n": 1, "deep": [[[[{"x": "\"}"}]]]], "f": -1.5e3}"#),
    ("PUT", "/v1/records/a/c?ttl=60000&if=data==null&wait=applied", "[1, 2, 3]"),
];

/// What mutations put in.
const PIECES: &[&str] = &[
    "null",
    "true",
    "{}",
    "[]",
    "\"\"",
    "{\"",
    "\":",
    "}}",
    "]]",
    ",",
    ",,",
    "\\",
    "\\u0000",
    "\\ud800",
    "\0",
    "\u{feff}",
    "é",
    "1e999",
    "-0",
    "99999999999999999999",
    "0.1",
    "-1",
    "\"pk\"",
    "\"if\":\"\"",
    "\"if\":\"data\"",
    "\"ttl\":0",
    "\"expect\":\"any\"",
    "\"limit\":-1",
    "\"Records\":",
    "\"pk\":[",
    "//",
    "NaN",
    " \t\r\n",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// splitmix64.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Two places in `bytes`, in order and not far apart.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.below(bytes.len() + 1);
        let length = self.below(20).min(bytes.len() - from);
        from..from + length
    }

    /// A body that is nearly right, or no body at all.
    fn body(&mut self, valid: &str) -> Vec<u8> {
        let mut bytes = valid.as_bytes().to_vec();
        if self.below(20) == 0 {
            return (0..self.below(200)).map(|_| self.next() as u8).collect();
        }
        for _ in 0..self.below(4) {
            let range = self.range(&bytes);
            match self.below(6) {
                0 => bytes.truncate(range.start),
                1 => drop(bytes.drain(range)),
                2 => {
                    let again = bytes[range.clone()].to_vec();
                    bytes.splice(range.end..range.end, again);
                }
                3 => {
                    let other = ROUTES[self.below(ROUTES.len())].2.as_bytes();
                    let piece = self.range(other);
                    bytes.splice(range, other[piece].iter().copied());
                }
                4 if !range.is_empty() => bytes[range.start] = self.next() as u8,
                _ => {
                    let piece = PIECES[self.below(PIECES.len())];
                    bytes.splice(range.start..range.start, piece.bytes());
                }
            }
        }
        bytes
    }
}

/// A list whose `if` fails for a row is a 500 as FireScroll has it; nothing else is one.
fn is_clients_fault(reply: &Reply) -> bool {
    reply.status < 500 || reply.text().contains("`if` could not be judged")
}

#[test]
fn no_body_is_too_odd() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut connections = [Connection::open(server.http), Connection::open(server.http)];
    let mut seed = Seed(0x70_75_6d_69_63_65);
    let cases = if env::var_os("PUMICE_SOAK").is_some() { 300_000 } else { 6_000 };
    let json = [("content-type", "application/json")];
    let mut good = 0;
    for case in 0..cases {
        let (method, target, valid) = ROUTES[seed.below(ROUTES.len())];
        let body = seed.body(valid);
        let which = seed.below(connections.len());
        let context =
            || format!("case {case}: {method} {target} {:?}", String::from_utf8_lossy(&body));
        let reply = connections[which].request(method, target, &json, &body);
        let reply = reply.unwrap_or_else(|fault| panic!("{}: {fault}", context()));
        assert!(is_clients_fault(&reply), "{}: {reply:?}", context());
        good += usize::from(reply.status < 300);
        // Whatever is stored was JSON, or it would break every list that it stands in.
        if case % 500 == 0 {
            for pk in ["a", "b", "c"] {
                let target = format!("/v1/records/{pk}?limit=10000");
                let list = connections[which].request("GET", &target, &[], b"").unwrap();
                let read = serde_json::from_slice::<ListResponse<'_>>(&list.body);
                assert!(read.is_ok(), "{}: {read:?} of {list:?}", context());
            }
        }
    }
    assert!(good > cases / 20 && good < cases / 2, "{good} of {cases} bodies were good");
    assert!(server.stop().success());
}
