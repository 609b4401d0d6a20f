//! What the log wants restored: only what fits it, and only what is of it.

use std::thread;
use std::time::Duration;

use pumice::mesh::feed::{Fed, Job};
use pumice::mesh::wants::{Question, Want, Wanting, wants};
use pumice_model::ids::{Offset, Partition};
use pumice_shards::{Position, Writer};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use crate::node::Node;
use crate::rounds::{service, taken};

pub const P: Partition = Partition(1);

/// The records that the log was asked for, by offset and hash, and what it got.
pub type Answer = (Vec<(Offset, u64)>, Result<Option<Position>, String>);

/// Asks as a log that begins at `covers`, ends at `at_most`, and says of every record that is asked
/// for whether it has it.
pub fn ask(wanting: &Wanting, covers: u64, at_most: u64, is_ours: bool) -> Answer {
    let (reply, answer) = oneshot::channel();
    let (proofs, mut questions) = mpsc::channel(1);
    let (covers, at_most) = (Offset(covers), Offset(at_most));
    wanting.blocking_send(Want { partition: P, covers, at_most, proofs, reply }).unwrap();
    let mut asked = Vec::new();
    while let Some(Question { at, hash, reply }) = questions.blocking_recv() {
        asked.push((at, hash));
        reply.send(is_ours).unwrap();
    }
    (asked, answer.blocking_recv().unwrap())
}

#[test]
fn the_log_gets_what_covers_its_start_and_not_what_lies_beyond_its_end() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 4, 60);
    taken(&node, &dir);

    let other = Node::empty(2);
    let (wanting, wanted) = wants();
    let (running, stats) = service(&other, &dir, None, Some(wanted));
    // These entries have no record hash to ask for.
    let nothing = (vec![], Ok(None));
    assert_eq!(ask(&wanting, 61, 100, false), nothing);
    assert_eq!(ask(&wanting, 0, 59, false), nothing);
    assert_eq!(other.position(P).next, Offset(0));
    assert_eq!(ask(&wanting, 60, 60, false), (vec![], Ok(Some(node.position(P)))));
    assert_eq!(other.position(P), node.position(P));
    assert_eq!(stats.restores.get(), 1);
    assert!(running.stop());
    other.end_and_check();
}

#[test]
fn a_snapshot_of_another_log_is_not_restored() {
    let dir = TempDir::new().unwrap();
    let node = Node::heavy(1, 40);
    taken(&node, &dir);

    let other = Node::empty(1);
    let (wanting, wanted) = wants();
    let (running, stats) = service(&other, &dir, None, Some(wanted));
    let last = node.position(P).last;
    assert_ne!(last, 0);
    // What seems bad is looked at twice.
    assert_eq!(ask(&wanting, 0, 100, false), (vec![(Offset(39), last); 2], Ok(None)));
    assert_eq!(other.position(P).next, Offset(0));
    let asked = vec![(Offset(39), last)];
    assert_eq!(ask(&wanting, 0, 100, true), (asked, Ok(Some(node.position(P)))));
    assert_eq!(stats.restores.get(), 1);
    assert!(running.stop());
    other.end_and_check();
}

#[test]
fn who_wants_no_longer_gets_nothing_however_late() {
    let dir = TempDir::new().unwrap();
    let node = Node::heavy(1, 40);
    taken(&node, &dir);

    let other = Node::empty(1);
    let (wanting, wanted) = wants();
    let (running, stats) = service(&other, &dir, None, Some(wanted));
    for pause in 0..40_u64 {
        let (reply, answer) = oneshot::channel();
        let (proofs, mut questions) = mpsc::channel(1);
        let (covers, at_most) = (Offset(0), Offset(100));
        let want = Want { partition: P, covers, at_most, proofs, reply };
        wanting.blocking_send(want).unwrap();
        questions.blocking_recv().unwrap().reply.send(true).unwrap();
        // Any moment between the answer and the last frame, or after it.
        thread::sleep(Duration::from_micros(pause * 300));
        drop((questions, answer));
        let (reply, released) = oneshot::channel();
        let release = Box::new(move |writer: &mut Writer| reply.send(writer.release(P)).unwrap());
        let job = Fed::Job(Job { partition: P, run: release });
        assert!(other.feeders()[0].blocking_send(job).is_ok());
        released.blocking_recv().unwrap().unwrap();
        assert_eq!(other.position(P), Position::ZERO);
    }
    // The service is free for the next one, and nothing of those before comes after all.
    assert_eq!(ask(&wanting, 0, 100, true).1, Ok(Some(node.position(P))));
    assert_eq!(stats.restore_failures.get(), 0, "nothing failed");
    assert!(running.stop());
    other.end_and_check();
}
