//! A partition that comes from a node which holds it: real sockets, both services, shards on both
//! sides. What is restored is what the holder has, or nothing.

use std::thread;
use std::time::Duration;

use pumice::net::Tls;
use pumice::peer::client_tls;
use pumice::rt::{self, Runtime};
use pumice::settings::{Handover, TlsSettings};
use pumice_model::ids::Offset;
use pumice_shards::Position;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::directory;
use crate::ends::{Holder, Looks, Newcomer, dead};
use crate::node::Node;
use crate::rounds::taken;
use crate::server::request;
use crate::wants::{P, ask};

/// Runs a test on every runtime that this machine has.
fn on_each(test: impl Fn(Runtime)) {
    match rt::probe() {
        Ok(()) => test(Runtime::Glommio),
        Err(missing) => println!("skipped on glommio: {missing}"),
    }
    test(Runtime::Tokio);
}

#[test]
fn what_a_holder_streams_is_what_it_has() {
    on_each(|runtime| {
        // Some frames and one; random entries with producers, write ids and rows that expired.
        for node in [Node::heavy(1, 900), Node::filled(2, 7, 80), Node::heavy(1, 1)] {
            let holder = Holder::start(runtime, node, None);
            let looks = Looks { holders: vec![(holder.door.http, "eu")], ..Looks::default() };
            let newcomer = Newcomer::start(Handover::Auto, looks);
            assert_eq!(newcomer.ask(), Ok(Some(holder.node.position(P))));
            assert_eq!(newcomer.node.position(P), holder.node.position(P));
            let stats = &newcomer.stats;
            assert_eq!((stats.streamed.get(), stats.restores.get()), (1, 0));
            assert!(stats.last_restored_bytes.get() > 0 && stats.last_restored_micros.get() > 0);
            newcomer.end();
            assert_eq!(holder.stats.given_busy.get(), 0);
            assert!(holder.stats.given_bytes.get() > 0);
            holder.end();
        }
    });
}

#[test]
fn a_holder_may_be_ahead_of_what_was_heard_of_the_log_if_the_log_bears_it_out() {
    let holder = Holder::start(Runtime::Tokio, Node::heavy(1, 40), None);
    let looks = Looks { holders: vec![(holder.door.http, "eu")], ..Looks::default() };
    let newcomer = Newcomer::start(Handover::Stream, looks);
    let position = holder.node.position(P);
    let asked = vec![(Offset(39), position.last)];
    // Of another log, wherever that ends.
    for at_most in [10, 40] {
        let (questions, answer) = ask(&newcomer.wanting, 0, at_most, false);
        assert_eq!(questions, asked);
        assert!(answer.unwrap_err().contains("another log"));
        assert_eq!(newcomer.node.position(P), Position::ZERO);
    }
    assert_eq!(newcomer.stats.bad_found.get(), 2);
    // The log begins behind its end.
    let (questions, answer) = ask(&newcomer.wanting, 41, 100, true);
    assert!(questions.is_empty() && answer.unwrap_err().contains("ends before 40"));
    assert_eq!(ask(&newcomer.wanting, 0, 10, true), (asked, Ok(Some(position))));
    newcomer.end();
    holder.end();
}

#[test]
fn a_log_without_hashes_is_asked_whether_it_has_come_so_far() {
    let holder = Holder::start(Runtime::Tokio, Node::filled(1, 3, 60), None);
    let looks = Looks { holders: vec![(holder.door.http, "eu")], ..Looks::default() };
    let newcomer = Newcomer::start(Handover::Stream, looks);
    let (questions, answer) = ask(&newcomer.wanting, 0, 59, false);
    assert_eq!(questions, [(Offset(59), 0)]);
    assert!(answer.is_err());
    assert_eq!(newcomer.node.position(P), Position::ZERO);
    let position = holder.node.position(P);
    assert_eq!(ask(&newcomer.wanting, 0, 60, false), (vec![], Ok(Some(position))));
    newcomer.end();
    holder.end();
}

#[test]
fn as_many_as_may_be_are_given_and_the_others_come_again() {
    on_each(|runtime| {
        // More than waits on its way to a peer that takes nothing.
        let holder = Holder::start(runtime, Node::heavy_in(P, 6_000), None);
        let held = [holder.begun(), holder.begun()];
        assert_eq!(holder.spooled(), 2);
        let target = format!("/v1/partitions/{P}/snapshot");
        let refused = request(holder.door.http, "GET", &target, &[], b"");
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
        assert_eq!(refused.json()["error"]["code"], "busy");
        let looks = Looks { holders: vec![(holder.door.http, "eu")], ..Looks::default() };
        let newcomer = Newcomer::start(Handover::Auto, looks);
        thread::scope(|scope| {
            let answer = scope.spawn(|| newcomer.ask());
            while holder.stats.given_busy.get() < 2 {
                assert!(!answer.is_finished(), "it does not take no for an answer");
                thread::sleep(Duration::from_millis(5));
            }
            drop(held);
            assert_eq!(answer.join().unwrap(), Ok(Some(holder.node.position(P))));
        });
        assert_eq!(newcomer.stats.restore_failures.get(), 0);
        newcomer.end();
        let stats = holder.stats.clone();
        holder.end();
        assert_eq!(stats.given.get(), 1, "who went away was given nothing whole");
    });
}

#[test]
fn what_nobody_gives_is_the_logs_to_bring_unless_it_cannot() {
    let holder = Holder::start(Runtime::Tokio, Node::empty(1), None);
    let (http, (_kept, dead)) = (holder.door.http, dead());
    let nobody = Newcomer::start(Handover::Auto, Looks::default());
    assert_eq!(nobody.ask(), Ok(None));
    // Somebody may be heard of yet.
    assert!(ask(&nobody.wanting, 5, 100, true).1.is_err());
    nobody.end();
    for handover in [Handover::Stream, Handover::Auto] {
        let looks = Looks { holders: vec![(dead, "eu"), (http, "us")], ..Looks::default() };
        let newcomer = Newcomer::start(handover, looks);
        let why = newcomer.ask().unwrap_err();
        assert!(why.contains("n2: it answered 503") && why.contains("nothing of its log"), "{why}");
        assert_eq!(
            newcomer.stats.restore_failures.get(),
            1 + u64::from(handover == Handover::Auto)
        );
        newcomer.end();
    }
    holder.end();
}

#[test]
fn the_setting_says_who_is_asked_and_what_fails_leaves_the_next_way() {
    let dir = TempDir::new().unwrap();
    let (old, new) = (Node::filled(1, 31, 30), Node::filled(1, 31, 80));
    taken(&old, &dir);
    let holder = Holder::start(Runtime::Tokio, new, None);
    let (streamed, stored) = (holder.node.position(P), old.position(P));
    assert_ne!(streamed, stored);
    let (live, (_kept, dead)) = (holder.door.http, dead());
    let table = [
        (Handover::Snapshot, vec![(live, "eu")], stored),
        (Handover::Auto, vec![(live, "eu")], streamed),
        (Handover::Auto, vec![(live, "us")], stored),
        (Handover::Auto, vec![(dead, "eu"), (live, "us")], stored),
        (Handover::Stream, vec![(live, "us")], streamed),
        (Handover::Stream, vec![(dead, "eu"), (live, "us")], streamed),
        (Handover::Stream, vec![(dead, "eu")], stored),
    ];
    for (nth, (handover, holders, position)) in table.into_iter().enumerate() {
        let looks = Looks { holders, objects: Some(directory(&dir)), tls: None };
        let newcomer = Newcomer::start(handover, looks);
        assert_eq!(newcomer.ask(), Ok(Some(position)), "row {nth}");
        assert_eq!(newcomer.node.position(P), position, "row {nth}");
        assert_eq!(newcomer.stats.streamed.get() == 1, position == streamed, "row {nth}");
        newcomer.end();
    }
    holder.end();
    old.end_and_check();
}

#[test]
fn a_holder_is_spoken_to_as_a_peer_is() {
    let (dir, ours, theirs) = (TempDir::new().unwrap(), Authority::new(), Authority::new());
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (cert, key) = ours.issues("127.0.0.1");
    let (cert, key) = (file("cert", cert), file("key", key));
    let tls = Tls::load(TlsSettings { cert, key, peer_ca: None, only: true }).unwrap();
    let holder = Holder::start(Runtime::Tokio, Node::heavy(1, 40), Some(tls.into()));
    for (trusted, is_well) in [(&ours, true), (&theirs, false)] {
        let trusted = client_tls(Some(&file("ca", trusted.pem()))).unwrap();
        let (holders, tls) = (vec![(holder.door.http, "eu")], Some(trusted));
        let newcomer = Newcomer::start(Handover::Auto, Looks { objects: None, holders, tls });
        match newcomer.ask() {
            Ok(position) => assert_eq!((is_well, position), (true, Some(holder.node.position(P)))),
            Err(why) => assert!(!is_well && why.contains("certificate"), "{why}"),
        }
        newcomer.end();
    }
    holder.end();
}
