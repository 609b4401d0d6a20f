//! A connection of which so much waits to be sent that the server reads no more of it.

use std::time::Duration;

use crate::server::{Server, request};
use crate::talk::*;

const RECORD: &str = "/v1/records/pk/sk";
/// More answers of this length than the sockets' buffers of both sides hold.
const LENGTH: usize = 200_000;
const REQUESTS: u32 = 100;
const LARGEST_WINDOW: u32 = 0x7fff_ffff;

/// The server cannot be told of requests that came while it did not read: it has to look for them
/// as soon as all is sent, for nothing wakes it later.
#[test]
fn what_came_while_it_was_full_is_read_when_it_is_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let value = format!("\"{}\"", "v".repeat(LENGTH - 2));
    assert_eq!(request(server.http, "PUT", RECORD, &[], value.as_bytes()).status, 201);
    let mut talk = Talk::open_with(server.http, &[(4, LARGEST_WINDOW)]);
    let more = LARGEST_WINDOW - 65_535;
    talk.frame(WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
    for nth in 0..REQUESTS {
        talk.get(1 + 2 * nth, RECORD);
        // So that it mostly reads one at a time, until it is full.
        std::thread::sleep(Duration::from_millis(2));
    }
    // When it goes on there is room for all it has, and no more to come.
    server.signal("-STOP");
    talk.receive_all();
    server.signal("-CONT");
    for nth in 0..REQUESTS {
        assert_eq!(talk.reply(1 + 2 * nth), (200, LENGTH));
    }
    drop(talk);
    assert!(server.stop().success());
}
