//! The mandatory cases of RFC 9113 that bind a server, said to the real binary over real sockets.
//! Each test is named by its section; heads are literals (RFC 7541) made by hand.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "h2_protocol/frames.rs"]
mod frames;
#[path = "h2_protocol/full.rs"]
mod full;
#[path = "h2_protocol/requests.rs"]
mod requests;
mod server;
#[path = "h2_protocol/states.rs"]
mod states;
#[path = "h2_protocol/talk.rs"]
mod talk;
#[path = "h2_protocol/together.rs"]
mod together;

use std::sync::OnceLock;

use server::{Server, request};
use talk::Talk;

/// A record of five bytes.
pub const SMALL: &str = "/v1/records/pk/small";
/// One of 100,000.
pub const LARGE: &str = "/v1/records/pk/large";

/// Runs `test` against a server of its own, which must end well afterwards.
pub fn with_server(test: impl FnOnce(&dyn Fn() -> Talk)) {
    static LARGE_VALUE: OnceLock<String> = OnceLock::new();
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let large = LARGE_VALUE.get_or_init(|| format!("\"{}\"", "v".repeat(99_998)));
    for (target, value) in [(SMALL, "\"abc\""), (LARGE, large)] {
        assert_eq!(request(server.http, "PUT", target, &[], value.as_bytes()).status, 201);
    }
    let address = server.http;
    test(&|| Talk::open(address));
    // Whatever was said, others are served.
    let mut talk = Talk::open(address);
    talk.get(1, SMALL);
    assert_eq!(talk.reply(1), (200, 5));
    drop(talk);
    assert!(server.stop().success());
}
