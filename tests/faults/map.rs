//! A map that is full: deletes heal it while the server runs, and a restart with a larger one does
//! in any case.

use std::time::Duration;

use crate::server::Server;
use crate::{FLAGS, assert_checked, assert_states, assert_unavailable, delete, fill, has, pk, put};

#[test]
fn a_full_map_heals_by_deletes_and_by_a_larger_map() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[&FLAGS[..], &["--map-size", "16MiB"]].concat());
    let mut acknowledged = fill(&server, 0, 0);
    assert!(acknowledged.len() > 100, "only {} values went in", acknowledged.len());
    assert_states(&server, ["full", "serving"]);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)), "reads go on");
    let other = pk(1, 0);
    assert_eq!(put(&server, &other).status, 201, "another shard has a map of its own");

    let deleted: Vec<String> = acknowledged.drain(..20).collect();
    deleted.iter().for_each(|pk| delete_at_last(&server, pk));
    acknowledged.extend(fill(&server, 0, 10_000));
    assert!(acknowledged.iter().any(|pk| pk.starts_with("10000.")), "deletes made no room");
    assert_states(&server, ["full", "serving"]);
    assert!(server.stop().success());
    assert_checked(dir.path());

    let server = Server::start(dir.path(), &[&FLAGS[..], &["--map-size", "32MiB"]].concat());
    acknowledged.push(pk(0, 20_000));
    assert_eq!(put(&server, &pk(0, 20_000)).status, 201);
    acknowledged.push(other);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)));
    assert!(!deleted.iter().any(|pk| has(&server, pk)));
    assert_states(&server, ["serving", "serving"]);
    assert!(server.stop().success());
    assert_checked(dir.path());
}

/// A delete needs a few pages too, and may have to wait for those of the one before.
fn delete_at_last(server: &Server, pk: &str) {
    for _ in 0..1_000 {
        let reply = delete(server, pk);
        if reply.status == 200 {
            return;
        }
        assert_unavailable(&reply);
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("a full map takes no deletes");
}
