//! FireScroll's routes from outside, as its clients know them: names, texts, statuses, newlines;
//! what is new beside them; and its known bugs, which are not here.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

#[path = "api_firescroll/faults.rs"]
mod faults;
#[path = "api_firescroll/framework.rs"]
mod framework;
#[path = "api_firescroll/lists.rs"]
mod lists;
#[path = "api_firescroll/not_its_bugs.rs"]
mod not_its_bugs;
#[path = "api_firescroll/writes_and_gets.rs"]
mod writes_and_gets;

use serde_json::Value;
use server::{Reply, Server, request};

/// The content type that its clients say.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A server on a directory of its own.
pub struct Fire {
    server: Server,
    _dir: tempfile::TempDir,
}

impl Fire {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), &[]);
        Self { server, _dir: dir }
    }

    /// `POST /records/{operation}`.
    pub fn post(&self, operation: &str, body: &str) -> Reply {
        self.post_with(operation, &[JSON], body)
    }

    /// [`Fire::post`] with these headers.
    pub fn post_with(&self, operation: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let target = format!("/records/{operation}");
        request(self.server.http, "POST", &target, headers, body.as_bytes())
    }

    /// A write that is acknowledged as FireScroll does.
    #[track_caller]
    pub fn ok(&self, operation: &str, body: &str) {
        let reply = self.post(operation, body);
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{body}");
    }

    /// The words and reasons of a write with `wait=applied`.
    #[track_caller]
    pub fn outcomes(&self, operation: &str, body: &str) -> Vec<String> {
        let reply = self.post(&format!("{operation}?wait=applied"), body);
        assert_eq!(reply.status, 200, "{body}: {reply:?}");
        let json = reply.json();
        let word = |outcome: &Value| match outcome["Reason"].as_str() {
            Some(reason) => format!("{} {reason}", outcome["Outcome"].as_str().unwrap()),
            None => outcome["Outcome"].as_str().unwrap().to_owned(),
        };
        json["Outcomes"].as_array().unwrap().iter().map(word).collect()
    }

    /// The records of a get or a list.
    #[track_caller]
    pub fn records(&self, operation: &str, body: &str) -> Vec<Value> {
        let reply = self.post(operation, body);
        assert_eq!(reply.status, 200, "{body}: {reply:?}");
        assert!(reply.text().ends_with("]}\n"), "{reply:?}");
        reply.json()["Records"].as_array().unwrap().clone()
    }

    /// The sort keys of a list.
    #[track_caller]
    pub fn keys(&self, body: &str) -> Vec<String> {
        let records = self.records("list", body);
        records.iter().map(|record| record["Sk"].as_str().unwrap().to_owned()).collect()
    }

    /// The text of a 400.
    #[track_caller]
    pub fn bad(&self, operation: &str, body: &str) -> String {
        let reply = self.post(operation, body);
        assert_eq!(reply.status, 400, "{body}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert!(!reply.text().ends_with('\n'), "{reply:?}");
        reply.text()
    }

    /// Ends the server; its log must hold no error.
    pub fn stop(self) {
        assert!(self.server.stop().success());
    }
}
