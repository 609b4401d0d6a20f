//! A store that fails on purpose: whatever it does, a snapshot that is listed as good is good, and
//! what is restored is what was taken.

use pumice::objects::{Fault, Faulty, Objects, Operation};
use pumice::snapshot::catalog::{State, list};
use pumice::snapshot::restore::Wish;
use pumice::snapshot::verify::verify;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::ids::Partition;
use tempfile::TempDir;

use crate::node::Node;
use crate::seeds::Seed;
use crate::{block_on, cluster, directory, restorer, snapshot, some_of, try_snapshot, whose, wish};

const FAULTS: [Fault; 8] = [
    Fault::Status(500),
    Fault::Status(403),
    Fault::Status(404),
    Fault::SlowDown,
    Fault::Reset,
    Fault::Truncate,
    Fault::WrongBytes,
    Fault::ErrorBody200,
];

fn faulty(dir: &TempDir) -> Objects {
    let inner = Objects::open(&directory(dir)).unwrap();
    Objects::Faulty(Box::new(Faulty::new(inner)))
}

fn plan(objects: &Objects, operation: Operation, faults: impl IntoIterator<Item = Fault>) {
    let Objects::Faulty(faulty) = objects else { panic!("it has no script") };
    faulty.plan(operation, faults);
}

fn struck(objects: &Objects, operations: &[Operation]) -> u64 {
    let Objects::Faulty(faulty) = objects else { panic!("it has no script") };
    operations.iter().map(|operation| faulty.struck(*operation)).sum()
}

/// Nothing of what was planned is left.
fn calm(dir: &TempDir) -> Objects {
    Objects::open(&directory(dir)).unwrap()
}

#[test]
fn a_failed_upload_is_never_listed_as_good_unless_it_is() {
    use Operation::{Delete, Get, GetRange, Len, Put};
    block_on(async {
        let dir = TempDir::new().unwrap();
        let node = Node::filled(1, 21, 60);
        let mut seed = Seed(5);
        let mut struck_in_all = 0;
        while struck_in_all < some_of(200) as u64 {
            let objects = faulty(&dir);
            for operation in [Put, Get, GetRange, Len, Delete] {
                let fault = FAULTS[seed.below(FAULTS.len() as u64) as usize];
                let passed = seed.below(3) as usize;
                plan(&objects, operation, vec![Fault::Pass; passed].into_iter().chain([fault]));
            }
            let partition = Partition(seed.below(4) as u32);
            let taken = try_snapshot(&node, &dir, &objects, partition).await;
            struck_in_all += struck(&objects, &[Put, Get, GetRange, Len, Delete]);
            let objects = calm(&dir);
            let mut is_there = false;
            for one in list(&objects, &whose()).await.unwrap() {
                if let State::Good(_) = one.state {
                    verify(&objects, &whose(), &one.found, |_| {}).await.unwrap();
                    is_there |= taken.as_ref() == Ok(&one.found.place);
                }
            }
            assert!(taken.is_err() || is_there, "{taken:?} is not listed");
        }
    });
}

#[test]
fn whatever_the_store_does_to_a_restore_the_state_is_a_snapshots_or_untouched() {
    use Operation::{Get, GetRange, Len, List};
    block_on(async {
        let dir = TempDir::new().unwrap();
        let (old, new) = (Node::filled(1, 31, 30), Node::filled(1, 31, 80));
        let partition = Partition(1);
        snapshot(&old, &dir, &calm(&dir), partition).await;
        snapshot(&new, &dir, &calm(&dir), partition).await;
        let (cluster, mut seed) = (cluster(), Seed(6));
        let mut struck_in_all = 0;
        while struck_in_all < some_of(200) as u64 {
            let objects = faulty(&dir);
            for operation in [Get, GetRange, Len, List] {
                let fault = FAULTS[seed.below(FAULTS.len() as u64) as usize];
                let passed = seed.below(3) as usize;
                let again = 1 + seed.below(3) as usize;
                let faults = vec![Fault::Pass; passed].into_iter().chain(vec![fault; again]);
                plan(&objects, operation, faults);
            }
            let (node, stats) = (Node::empty(1), SnapshotStats::default());
            let empty = node.position(partition);
            let restored =
                restorer(&objects, &cluster, &node, &stats).newest(&wish(partition)).await;
            struck_in_all += struck(&objects, &[Get, GetRange, Len, List]);
            let position = node.position(partition);
            match restored {
                Ok(Some(restored)) => {
                    assert_eq!(restored, position);
                    let whole = [old.position(partition), new.position(partition)];
                    assert!(whole.contains(&position), "{position:?}");
                }
                Ok(None) | Err(_) => assert_eq!(position, empty),
            }
            node.end_and_check();
        }
    });
}

#[test]
fn without_a_log_no_older_snapshot_is_taken_for_one_that_the_store_does_not_give() {
    block_on(async {
        let dir = TempDir::new().unwrap();
        let (old, new) = (Node::filled(1, 41, 30), Node::filled(1, 41, 80));
        let partition = Partition(3);
        snapshot(&old, &dir, &calm(&dir), partition).await;
        snapshot(&new, &dir, &calm(&dir), partition).await;
        let (cluster, stats) = (cluster(), SnapshotStats::default());
        let (objects, node) = (faulty(&dir), Node::empty(1));
        plan(&objects, Operation::Get, [Fault::SlowDown]);
        let restorer = restorer(&objects, &cluster, &node, &stats);
        let alone = wish(partition);
        restorer.newest(&alone).await.unwrap_err();
        assert_eq!(node.position(partition), Node::empty(1).position(partition));
        // Flipped on its way once: looked at again.
        plan(&objects, Operation::GetRange, [Fault::WrongBytes]);
        assert_eq!(restorer.newest(&alone).await.unwrap(), Some(new.position(partition)));
        // With a log behind it an older one will do.
        plan(&objects, Operation::Get, [Fault::SlowDown]);
        let followed = Wish { followed: true, ..alone };
        let restored = restorer.newest(&followed).await.unwrap();
        assert_eq!(restored, Some(old.position(partition)));
        node.end_and_check();
    });
}
