//! Nodes that join a cluster: what they take over comes from a node that serves it, or from the log
//! where that is what they were told.

use std::net::UdpSocket;

use tempfile::TempDir;

use crate::following::write;
use crate::kafka::mock::mutations;
use crate::kafka::node::{Node, Place};
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::namespace;

const PARTITIONS: u32 = 8;

fn gossip() -> String {
    // Given back before a node takes it: nobody else asks for one by its number meanwhile.
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Starts a node that is a replica group of its own, at the first address with the second as seed.
fn start(place: &Place, dir: &TempDir, gossip: [&str; 2], id: &str, handover: &str) -> Node {
    let [gossip, seed] = gossip;
    let flags = [
        ["--gossip", gossip],
        ["--seeds", seed],
        ["--node-id", id],
        ["--replica-group", id],
        ["--handover", handover],
    ];
    place.with(&flags.concat()).start(dir.path()).ready()
}

#[test]
fn a_node_that_joins_is_given_what_another_serves() {
    let (mock, place) = namespace("joins", PARTITIONS);
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [seed, second, third] = [gossip(), gossip(), gossip()];
    let first = start(&place, &dirs[0], [&seed, &seed], "first", "auto");
    write(&first, 0..200);
    let ends = Stock::new(&mock.brokers()).ends(&mutations("joins"), PARTITIONS);
    first.reaches(&ends);

    let came = |node: &Node| node.metric("pumice_log_records_total", &["kind=\"entry\""]);
    let given = start(&place, &dirs[1], [&second, &seed], "given", "auto");
    given.reaches(&ends);
    assert_eq!(given.states(), first.states());
    let streamed = given.metric("pumice_restores_total", &["source=\"holder\""]);
    assert!(streamed > 0.0 && came(&given) < 200.0, "{streamed} streamed, {} came", came(&given));
    assert_eq!(given.metric("pumice_restores_total", &["source=\"objects\""]), 0.0);
    assert!(given.metric("pumice_restore_last_bytes", &[]) > 0.0);
    assert!(given.metric("pumice_restore_last_seconds", &[]) > 0.0);
    until("the count of what was given", || {
        (first.metric("pumice_handovers_given_total", &[]) >= streamed).then_some(())
    });

    // There are no objects, and it may ask nobody.
    let replayed = start(&place, &dirs[2], [&third, &seed], "replayed", "snapshot");
    replayed.reaches(&ends);
    assert_eq!(replayed.states(), first.states());
    assert_eq!(replayed.metric("pumice_restores_total", &[]), 0.0);
    assert_eq!(came(&replayed), 200.0);

    // Both have what was written before they were there, and what is written now.
    write(&given, 200..220);
    let ends = Stock::new(&mock.brokers()).ends(&mutations("joins"), PARTITIONS);
    for node in [&first, &given, &replayed] {
        node.reaches(&ends);
        assert_eq!(node.states(), first.states());
    }
    for node in [replayed, given, first] {
        node.stop();
    }
}
