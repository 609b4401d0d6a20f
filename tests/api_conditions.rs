//! Every way a condition can go, through every door, on a row that is there and one that is not:
//! the outcomes that the design says, and a log that goes on behind each of them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use serde_json::{Value, json};
use server::keepalive::Connection;
use server::{Reply, Server};

/// What a condition must come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    True,
    False,
    Error,
}

use Judged::{Error, False, True};

/// A statement, and what it comes to on [`stored`] and on a row that is not there.
const TABLE: &[(&str, Judged, Judged)] = &[
    ("true", True, True),
    ("false", False, False),
    ("data == null", False, True),
    ("data != nil", True, False),
    ("pk == null", False, True),
    ("sk == \"row\"", True, False),
    ("_created_at > 0", True, Error),
    ("_created_at == null", False, True),
    ("_updated_at == _created_at", True, True),
    ("data.n == 1", True, False),
    ("data.n == 1.0", True, False),
    ("data.big == 9007199254740993", True, False),
    ("data.big == 9007199254740992", False, False),
    ("data.n > 0", True, Error),
    ("(data.n ?? 0) > 0", True, False),
    ("data.missing == null", True, True),
    ("data.missing > 5", Error, Error),
    ("data.missing.deeper == 1", Error, Error),
    ("data.m.k == true", True, Error),
    ("data?.m?.k == true", True, False),
    ("!data.m.k", False, Error),
    ("data.s contains \"b\"", True, Error),
    ("data.s startsWith \"b\" or data.s endsWith \"c\"", True, Error),
    ("data.s matches \"^a.c$\"", True, Error),
    ("data.n contains \"1\"", Error, Error),
    ("1 in data.a", True, False),
    ("all(data.a, {# > 0}) and len(data.a) == 3", True, Error),
    ("any(data.a, {# > data.s})", Error, Error),
    ("data.a[7] == 1", Error, Error),
    ("data.n / 0 == 1", Error, Error),
    ("data.n + 9223372036854775807 > 0", Error, Error),
    ("true && data.n", Error, Error),
    ("data.n == 1 || data.n", True, Error),
    ("all(data.many, {all(data.many, {# >= 0})})", Error, Error),
];

/// Statements that no door takes, with a part of the reason.
fn refused_at_the_door() -> Vec<(String, &'static str)> {
    let mut all: Vec<(String, &str)> = [
        ("", "condition is wrong at byte 0"),
        ("data.n ==", "condition is wrong at byte 9"),
        ("data.n", "not a bool by its shape"),
        ("pk", "not a bool by its shape"),
        ("1 + 1", "not a bool by its shape"),
        ("data.n ** 2 == 1", "condition is wrong"),
        ("data.n in 1..3", "condition is wrong"),
        ("data.s matches data.s", "condition is wrong"),
        ("data.s matches \"(\"", "condition is wrong"),
        ("\"open", "condition is wrong"),
        ("pk == \"a\" ; true", "condition is wrong"),
    ]
    .map(|(text, why)| (text.to_owned(), why))
    .to_vec();
    all.push((format!("{}true{}", "(".repeat(17), ")".repeat(17)), "nests deeper than 16 levels"));
    all.push((format!("{}true", "!".repeat(500)), "nests deeper than 16 levels"));
    all.push((["true"; 150].join("||"), "more than 256 parts"));
    all.push((format!("pk == \"{}\"", "a".repeat(1_024)), "the limit is 1024"));
    all
}

/// The row that is there.
fn stored() -> Value {
    let many: Vec<u32> = (0..200).collect();
    let big = 9_007_199_254_740_993_u64;
    json!({ "n": 1, "big": big, "s": "abc", "a": [1, 2, 3], "m": { "k": true }, "many": many })
}

/// A kept connection to one server, and how many entries its log should have.
struct Door {
    connection: Connection,
    entries: u64,
}

impl Door {
    fn ask(&mut self, method: &str, target: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.connection.request(method, target, &headers, body.as_bytes()).unwrap()
    }

    /// The word of a single FireScroll write, which is one entry more.
    fn fire(&mut self, operation: &str, record: &Value) -> String {
        let target = format!("/records/{operation}?wait=applied");
        let reply = self.ask("POST", &target, &json!({ "Records": [record] }));
        assert_eq!(reply.status, 200, "{record}: {reply:?}");
        let outcome = reply.json()["Outcomes"][0].clone();
        assert_eq!(outcome["Offset"], self.entries, "an entry was skipped");
        self.entries += 1;
        outcome["Reason"].as_str().or(outcome["Outcome"].as_str()).unwrap().to_owned()
    }

    /// The word of a batch, which is one entry more.
    fn batch(&mut self, operations: &Value) -> String {
        let reply = self.ask("POST", "/v1/batch", &json!({ "operations": operations }));
        let body = reply.json();
        let told = if reply.status == 412 { &body["error"] } else { &body };
        assert_eq!(told["offset"], self.entries, "an entry was skipped: {body}");
        self.entries += 1;
        told["message"].as_str().or(told["outcome"].as_str()).unwrap().to_owned()
    }

    fn exists(&mut self, sk: &str) -> bool {
        self.ask("GET", &format!("/v1/records/pk/{sk}"), &Value::Null).status == 200
    }

    /// Puts the row that is there, and removes the one that is not.
    fn reset(&mut self) {
        let operations = json!([
            { "put": { "pk": "pk", "sk": "row", "data": stored() } },
            { "delete": { "pk": "pk", "sk": "none" } },
            { "delete": { "pk": "pk", "sk": "beside" } },
        ]);
        // What was replaced keeps the time it was made at, so it goes first.
        assert_eq!(self.batch(&json!([{ "delete": { "pk": "pk", "sk": "row" } }])), "applied");
        assert_eq!(self.batch(&operations), "applied");
    }
}

fn word(judged: Judged) -> &'static str {
    match judged {
        True => "applied",
        False => "condition-false",
        Error => "condition-error",
    }
}

fn open(server: &Server) -> Door {
    let mut door = Door { connection: Connection::open(server.http), entries: 0 };
    door.reset();
    door
}

#[test]
fn every_condition_comes_to_what_the_design_says() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut door = open(&server);
    for (statement, on_row, on_none) in TABLE {
        for (sk, judged) in [("row", *on_row), ("none", *on_none)] {
            let context = format!("{statement} on {sk}");
            let made = judged == True;
            let record = json!({ "pk": "pk", "sk": sk, "data": { "new": 1 }, "if": statement });
            assert_eq!(door.fire("put", &record), word(judged), "{context}");
            assert_eq!(door.exists(sk), sk == "row" || made, "{context}");
            door.reset();
            assert_eq!(door.fire("delete", &record), word(judged), "{context}");
            assert_eq!(door.exists(sk), sk == "row" && !made, "{context}");
            door.reset();
            let put = json!({ "put": record });
            let beside = json!({ "put": { "pk": "pk", "sk": "beside", "data": 1 } });
            assert_eq!(door.batch(&json!([beside, put])), word(judged), "{context}");
            assert_eq!(door.exists("beside"), made, "{context}");
            door.reset();
        }
        let list = door.ask("POST", "/records/list", &json!({ "pk": "pk", "if": statement }));
        assert_eq!(list.status, if *on_row == Error { 500 } else { 200 }, "{statement}: {list:?}");
        if list.status == 200 {
            let given = list.json()["Records"].as_array().unwrap().len();
            assert_eq!(given, usize::from(*on_row == True), "{statement}");
        }
        let nobody = door.ask("POST", "/records/list", &json!({ "pk": "nobody", "if": statement }));
        assert_eq!(nobody.status, 200, "{statement}: nothing is there to be judged");
    }
    assert!(server.stop().success());
}

#[test]
fn what_is_no_condition_comes_through_no_door() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut door = open(&server);
    let before = door.entries;
    for (statement, why) in refused_at_the_door() {
        let record = json!({ "pk": "pk", "sk": "row", "data": {}, "if": statement });
        let many = json!({ "Records": [{ "pk": "pk", "sk": "x" }, record] });
        let fire = format!("error compiling `if` statement `{statement}`: ");
        for (target, body) in [
            ("/records/put", &many),
            ("/records/delete", &many),
            ("/records/batch", &json!({ "Operations": [{ "Put": record }] })),
            ("/records/list", &json!({ "pk": "pk", "if": statement })),
            ("/v1/batch", &json!({ "operations": [{ "put": record }] })),
        ] {
            let reply = door.ask("POST", target, body);
            assert_eq!(reply.status, 400, "{target} {statement}: {reply:?}");
            assert!(reply.text().contains(why), "{target} {statement}: {reply:?}");
            let v1 = target.starts_with("/v1");
            assert!(v1 || reply.text().starts_with(&fire), "{statement}: {reply:?}");
            assert!(!v1 || reply.json()["error"]["code"] == "condition", "{statement}");
        }
        let encoded: String = statement.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let target = format!("/v1/records/pk/row?if={encoded}");
        assert_eq!(door.ask("DELETE", &target, &Value::Null).status, 400, "{statement}");
    }
    assert!(door.exists("row"));
    assert_eq!(door.entries, before);
    // None of them came into the log: the next write stands right behind the last one.
    assert_eq!(door.fire("put", &json!({ "pk": "pk", "sk": "row" })), "applied");
    assert!(server.stop().success());
}
