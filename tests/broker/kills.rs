//! A node that is killed at random moments while it writes to the log and follows it: whatever it
//! had done by then, afterwards it holds what a node holds that replays the log from its start.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::kafka::mock;
use crate::kafka::node::Place;
use crate::kafka::stock::Stock;
use crate::server::run;
use crate::services::Services;
use crate::writers::{self, Told, Writer, exchange};
use crate::{soak, tell};

const PARTITIONS: u32 = 4;
const WRITERS: usize = 8;
/// Kills between two comparisons.
const COMPARE: u64 = 50;

#[test]
fn a_killed_node_holds_what_a_replay_holds() {
    let Some(services) = Services::shared() else { return };
    let cycles = if soak() { 1_000 } else { 100 };
    let place = services.place("kills", PARTITIONS);
    let dir = tempfile::tempdir().unwrap();
    let writers = Writer::all(WRITERS, PARTITIONS);
    for cycle in 1..=cycles {
        let node = place.start(dir.path());
        let address = node.http();
        thread::scope(|scope| {
            for (name, writer) in writers.iter().enumerate() {
                scope.spawn(move || write(writer, name, address));
            }
            thread::sleep(Duration::from_millis(5 + random(cycle) % 300));
            node.server.kill();
        });
        if cycle % COMPARE == 0 {
            let entries = compare(&place, dir.path(), &writers);
            tell(&format!("kills: {cycle} of {cycles}, {entries} entries: same as a replay"));
        }
    }
    let sum = writers::prove(&writers, &place);
    tell(&format!("kills: {cycles} kills, {sum:?}"));
    assert!(sum.acknowledged > 0 && sum.unknown > 0, "{sum:?}");
}

/// Writes until the node is gone: its number, and things that others write too.
fn write(writer: &Writer, name: usize, address: SocketAddr) {
    for n in name as u64.. {
        if writer.put(address) == Told::Gone {
            return;
        }
        let shared = format!("/v1/records/shared-{}/{}", n % 5, n % 3);
        let absent = [("If-None-Match", "*")];
        let told = match n % 4 {
            0 => exchange(address, "PUT", &shared, &absent, "{\"a\":1}"),
            1 => exchange(address, "DELETE", &shared, &[], ""),
            2 => exchange(address, "POST", "/v1/batch", &[], &batch(n % 5)),
            _ => exchange(address, "PUT", &format!("{shared}?if=data.a%20%3D%3D%201"), &[], "2"),
        };
        match told {
            Ok(told) => assert!([200, 201, 412, 503, 504].contains(&told.status), "{told:?}"),
            Err(_) => return,
        }
    }
}

fn batch(shared: u64) -> String {
    let pk = format!("shared-{shared}");
    let put = format!(r#"{{"put":{{"pk":"{pk}","sk":"0","data":{{"a":1}}}}}}"#);
    let delete = format!(r#"{{"delete":{{"pk":"{pk}","sk":"1"}}}}"#);
    format!(r#"{{"operations":[{put},{delete}]}}"#)
}

/// Holds the node against one that begins with nothing. Gives the number of entries in the log.
fn compare(place: &Place, dir: &Path, writers: &[Writer]) -> i64 {
    let fresh = tempfile::tempdir().unwrap();
    let node = place.start(dir).ready();
    let replay = place.start(fresh.path()).ready();
    let topic = mock::mutations(&place.namespace);
    let ends = Stock::new(&place.brokers).ends(&topic, PARTITIONS);
    node.reaches(&ends);
    replay.reaches(&ends);
    assert_eq!(node.states(), replay.states());
    for writer in writers {
        writer.look(node.http());
        writer.look(replay.http());
    }
    node.stop();
    replay.stop();
    for dir in [dir, fresh.path()] {
        let (code, out, err) = run(&["check", "--data-dir", dir.to_str().unwrap()]);
        assert_eq!(code, 0, "{out}{err}");
    }
    ends.iter().sum()
}

/// splitmix64.
fn random(seed: u64) -> u64 {
    let z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
