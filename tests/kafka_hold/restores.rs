//! A partition is let go of while a snapshot of it is on its way in: nothing of that is ever made
//! live, and the next restore finds an empty place.

use std::time::Duration;

use hyper::Method;
use pumice::mesh::holds::Hold;
use pumice::settings::ObjectsSettings;
use pumice::stats::progress::Following;
use pumice_model::ids::Partition;
use pumice_shards::Position;
use tempfile::TempDir;

use crate::kafka::until;
use crate::node::{Node, Place};
use crate::s3::{Fault, S3Server};
use crate::{Puts, dirs, moment, namespace, puts_into};

/// Rows of partition 1 that hardly pack: two chunks of frames and more.
pub fn heavy() -> Puts {
    let mut seed = 7_u64;
    let mut digits = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{seed:016x}")
    };
    let mut rows = puts_into(1, 0..50);
    rows.iter_mut().for_each(|row| {
        row.2 = format!("\"{}\"", (0..5_000).map(|_| digits()).collect::<String>());
    });
    rows
}

/// A node that has it all, and whose snapshot lies in the store.
fn source(place: &Place, dir: &TempDir) -> Node {
    let mut whole = place.whole(dir.path());
    heavy().chunks(5).for_each(|rows| whole.put(rows));
    assert_eq!(whole.snapshot().failed, []);
    whole.put(&puts_into(1, 50..60));
    whole
}

#[test]
fn a_store_that_hangs_holds_no_release_up_and_no_later_restore() {
    let server = S3Server::start("backups");
    let (_mock, mut place) = namespace("hangs");
    place.objects = Some(ObjectsSettings::S3(server.settings("pumice")));
    let dirs: [TempDir; 2] = dirs();
    let whole = source(&place, &dirs[0]);
    let part = place.told(dirs[1].path());
    // More than are restored at a time, so that one that stayed would be in the way.
    for round in 1..=6 {
        server.faults().plan(1, Method::GET, "/rows", Fault::Delay(Duration::from_secs(600)));
        part.follow(1);
        until("a fetch that hangs", || (server.faults().struck() == round).then_some(()));
        assert_eq!(part.following(1), Following::Restoring);
        assert!(!part.has_state(1));
        part.release(1);
        assert_eq!(part.restored.restore_failures.get(), 0, "nothing failed");
    }
    moment();
    assert_eq!(part.position(1), Position::ZERO);
    part.follow(1);
    part.equals(&whole, 1);
    assert_eq!(part.restored.restores.get(), 1);
    part.stop();
    whole.stop();
}

#[test]
fn a_release_at_any_moment_of_a_restore_leaves_nothing() {
    let store = TempDir::new().unwrap();
    let (_mock, mut place) = namespace("moments");
    place.objects = Some(ObjectsSettings::Directory(store.path().to_owned()));
    let dirs: [TempDir; 2] = dirs();
    let whole = source(&place, &dirs[0]);
    let part = place.told(dirs[1].path());
    let (mut caught, mut micros) = (0, 0);
    for _ in 0..60 {
        part.follow(1);
        until("it begins", || (part.following(1) != Following::Absent).then_some(()));
        std::thread::sleep(Duration::from_micros(micros));
        micros = (micros + 1_700) % 60_000;
        caught += usize::from(part.following(1) == Following::Restoring);
        part.release(1);
    }
    println!("{caught} of 60 were caught while they were restored");
    // The last is followed anew before the one before it has ended.
    part.follow(1);
    part.tell(Hold::Release(Partition(1)));
    part.follow(1);
    part.equals(&whole, 1);
    part.release(1);
    moment();
    assert_eq!(part.position(1), Position::ZERO);
    part.stop();
    whole.stop();
}
