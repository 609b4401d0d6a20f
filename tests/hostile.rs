//! Peers that mean harm or do not know better: half requests, endless ones, floods, crowds. Every
//! one of them gets its answer or its end, and meanwhile others are served within a second.
//! Bodies and keys that are wrong in themselves are tested where their routes are.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

#[path = "hostile/bodies.rs"]
mod bodies;
#[path = "hostile/bystander.rs"]
mod bystander;
#[path = "hostile/crowd.rs"]
mod crowd;
#[path = "hostile/floods.rs"]
mod floods;
#[path = "hostile/frames.rs"]
mod frames;
#[path = "hostile/heads.rs"]
mod heads;
#[path = "hostile/memory.rs"]
mod memory;

use std::sync::{Mutex, PoisonError};
use std::thread;

use bystander::Bystander;
use server::{Server, request};

/// The record that bystanders read.
pub const RECORD: &str = "/v1/records/pk/sk";

/// Tests that say how long a read took have the machine to themselves, as far as this file goes.
static ALONE: Mutex<()> = Mutex::new(());

/// A server with one record, whose only core serves attackers and bystanders alike.
pub fn start(dir: &tempfile::TempDir) -> Server {
    crowd::files();
    let server = Server::start(dir.path(), &["--cores", "1"]);
    let put = request(server.http, "PUT", RECORD, &[], b"\"here\"");
    assert_eq!(put.status, 201);
    server
}

#[test]
fn attacks_disturb_nobody_and_leave_nothing_behind() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir);
    bodies::fill(server.http);
    floods::all(server.http, 200);
    let before = memory::anonymous(&server);
    let bystander = Bystander::watch(server.http);
    thread::scope(|scope| {
        // These wait for the server's patience to end, all at once.
        let slow: [fn(std::net::SocketAddr); 6] = [
            heads::never_sent,
            heads::byte_by_byte,
            bodies::declared_and_not_sent,
            bodies::endless_drip,
            bodies::answers_not_taken_http1,
            bodies::answers_not_taken_http2,
        ];
        let address = server.http;
        let slow: Vec<_> = slow.map(|attack| scope.spawn(move || attack(address))).into();
        bodies::endless_gush(address);
        bodies::of_many_parts(address);
        floods::all(address, 20_000);
        crowd::idle(address);
        slow.into_iter().for_each(|attack| attack.join().unwrap());
    });
    bystander.had_answers_in_time();
    memory::is_back(&server, before);
    assert_eq!(request(server.http, "GET", RECORD, &[], b"").text(), "\"here\"");
    assert!(server.stop().success());
}

#[test]
fn hard_work_for_one_holds_up_no_other() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir);
    let bystander = Bystander::watch(server.http);
    bodies::laborious(server.http);
    bystander.had_answers_in_time();
    assert!(server.stop().success());
}
