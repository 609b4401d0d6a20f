//! Pumice's own routes from outside, as docs and `/openapi.json` promise them: statuses, headers,
//! texts and every byte of a value, over HTTP/1.1 and HTTP/2.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

#[path = "api_v1/about.rs"]
mod about;
#[path = "api_v1/all.rs"]
mod all;
#[path = "api_v1/http2.rs"]
mod http2;
#[path = "api_v1/keys_and_values.rs"]
mod keys_and_values;
#[path = "api_v1/many.rs"]
mod many;
#[path = "api_v1/pages.rs"]
mod pages;
#[path = "api_v1/record.rs"]
mod record;
#[path = "api_v1/waits.rs"]
mod waits;

use server::{Reply, Server, request};

/// The content type that writes say.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A server on a directory of its own.
pub struct Api {
    server: Server,
    _dir: tempfile::TempDir,
}

impl Api {
    /// Starts one.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(dir.path(), &[]);
        Self { server, _dir: dir }
    }

    /// One request on a connection of its own.
    pub fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.server.http, "GET", target, headers, b"")
    }

    /// One request on a connection of its own.
    pub fn put(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        request(self.server.http, "PUT", target, &[&[JSON], headers].concat(), body.as_bytes())
    }

    /// One request on a connection of its own.
    pub fn delete(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.server.http, "DELETE", target, headers, b"")
    }

    /// One request on a connection of its own.
    pub fn post(&self, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        request(self.server.http, "POST", target, &[&[JSON], headers].concat(), body.as_bytes())
    }

    /// A number of `/metrics` that has no labels.
    pub fn metric(&self, name: &str) -> f64 {
        let page = request(self.server.admin, "GET", "/metrics", &[], b"").text();
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap().parse().unwrap()
    }

    /// Ends the server; its log must hold no error.
    pub fn stop(self) {
        assert!(self.server.stop().success());
    }
}

/// The message of an error answer, whose other parts are as they must be.
#[track_caller]
pub fn error(reply: &Reply, status: u16, code: &str) -> String {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    let body = reply.json();
    assert_eq!(body["error"]["code"], code, "{body}");
    assert_eq!(reply.header("retry-after"), (status == 503).then_some("1"), "{reply:?}");
    body["error"]["message"].as_str().unwrap().to_owned()
}

/// The partition and offset in the answer to a write.
#[track_caller]
pub fn token(reply: &Reply) -> (u64, u64) {
    let body = reply.json();
    let body = if body["error"].is_object() { &body["error"] } else { &body };
    (body["partition"].as_u64().unwrap(), body["offset"].as_u64().unwrap())
}
