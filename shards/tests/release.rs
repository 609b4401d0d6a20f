//! A partition that is let go is as one that never had an entry, at once and for whatever comes
//! after: replays, restores, restarts and sweeps in any order give the state that a shard has which
//! did nothing but follow.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;
mod stores;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use pumice_model::entry::{Entry, Logged};
use pumice_model::ids::{Offset, Partition};
use pumice_model::logical::Logical;
use pumice_model::mutation::Mutation;
use pumice_model::outcome::Verdict;
use pumice_model::row::{NEVER, Row};
use pumice_model::statehash::{Hasher, StateHash, part};
use pumice_shards::{Fault, Position, StageFault};
use stores::{P, Snapshot, Store, identity};

const CASES: u32 = 150;
const MAP: usize = 64 << 20;
const SEED: u64 = 5;
/// Entries of the log.
const LOG: u64 = 160;
const BESIDE: Partition = Partition(0);

#[derive(Clone, Debug)]
enum Step {
    /// So many further entries.
    Follow(u64),
    Release,
    /// A restore of the state after so many entries, of which this share in percent is staged; made
    /// live when it is all.
    Restore(u64, u64),
    Abort,
    /// One call, or until nothing is left.
    Sweep(bool),
    Reopen,
    /// Entries of another partition.
    Beside(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..60_u64).prop_map(Step::Follow),
        4 => Just(Step::Release),
        3 => (0..=LOG, prop_oneof![2 => Just(100_u64), 1 => 0..100_u64])
            .prop_map(|(to, share)| Step::Restore(to, share)),
        1 => Just(Step::Abort),
        2 => any::<bool>().prop_map(Step::Sweep),
        1 => Just(Step::Reopen),
        2 => (1..20_u64).prop_map(Step::Beside),
    ]
}

/// What a shard that only follows has after each entry, and what it says of each.
struct Truth {
    states: Vec<Snapshot>,
    verdicts: Vec<Verdict>,
}

impl Truth {
    fn of(partition: Partition) -> Self {
        let dir = seeds::directory();
        let mut store = Store::open(dir.path(), MAP);
        let (mut states, mut verdicts) = (vec![store.export(partition)], vec![]);
        for at in 0..LOG {
            verdicts.extend(store.follow(SEED, partition, at, at + 1));
            states.push(store.export(partition));
        }
        Self { states, verdicts }
    }
}

fn holds(truths: &[Truth; 2], steps: &[Step]) -> Result<(), TestCaseError> {
    let dir = seeds::directory();
    let mut store = Some(Store::open(dir.path(), MAP));
    let [truth, beside] = truths;
    let (mut at, mut neighbour) = (0_u64, 0_u64);
    for step in steps {
        let target = store.as_mut().unwrap();
        match *step {
            Step::Follow(more) => {
                let to = LOG.min(at + more);
                let verdicts = target.follow(SEED, P, at, to);
                prop_assert_eq!(&verdicts, &truth.verdicts[at as usize..to as usize]);
                at = to;
            }
            Step::Release => {
                target.writer.release(P).unwrap();
                at = 0;
            }
            Step::Restore(to, share) => {
                let snapshot = &truth.states[to as usize];
                let staged = snapshot.logicals.len() * share as usize / 100;
                target.begin(P);
                for part in snapshot.logicals[..staged].chunks(40) {
                    target.writer.stage(P, part.iter().map(Vec::as_slice)).unwrap();
                }
                if share == 100 {
                    target.writer.install(P, &snapshot.position).unwrap();
                    at = to;
                }
            }
            Step::Abort => target.writer.stage_abort(P),
            Step::Sweep(all) => while target.writer.sweep().unwrap() && all {},
            Step::Reopen => {
                drop(store.take());
                store = Some(Store::open(dir.path(), MAP));
            }
            Step::Beside(more) => {
                let to = LOG.min(neighbour + more);
                target.follow(SEED, BESIDE, neighbour, to);
                neighbour = to;
            }
        }
        let target = store.as_mut().unwrap();
        prop_assert_eq!(&target.export(P), &truth.states[at as usize]);
        prop_assert_eq!(target.writer.next_offset(P), Offset(at));
        prop_assert_eq!(&target.export(BESIDE), &beside.states[neighbour as usize]);
        let named = target.check().partitions.iter().any(|found| found.partition == P);
        prop_assert_eq!(named, at > 0, "a partition without an entry is not told of");
    }
    let mut target = store.unwrap();
    target.writer.stage_abort(P);
    target.sweep();
    target.follow(SEED, P, at, LOG);
    prop_assert_eq!(&target.export(P), &truth.states[LOG as usize]);
    Ok(())
}

#[test]
fn whatever_was_before_it_a_release_leaves_nothing_that_counts() {
    let truths = [P, BESIDE].map(Truth::of);
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(step(), 1..40), |steps| holds(&truths, &steps));
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn a_restore_that_was_under_way_is_never_made_live() {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), MAP);
    let truth = Truth::of(P);
    let snapshot = &truth.states[90];
    store.follow(SEED, P, 0, 30);
    store.begin(P);
    store.writer.stage(P, snapshot.logicals.iter().map(Vec::as_slice)).unwrap();
    store.writer.release(P).unwrap();
    let late = store.writer.stage(P, snapshot.logicals.iter().map(Vec::as_slice));
    assert!(matches!(late, Err(StageFault::Snapshot(_))), "{late:?}");
    let late = store.writer.install(P, &snapshot.position);
    assert!(matches!(late, Err(StageFault::Snapshot(_))), "{late:?}");
    assert_eq!(store.position(P), Position::ZERO);
    assert!(store.check().staged > 0, "it goes in bounded pieces, afterwards");
    store.sweep();
    // A partition that has nothing is released as well, at no cost.
    let before = store.reader.usage().unwrap().transactions;
    store.writer.release(P).unwrap();
    store.writer.release(Partition(2)).unwrap();
    assert_eq!(store.reader.usage().unwrap().transactions, before);
    store.restore(snapshot, 50).unwrap();
    assert_eq!(store.export(P), *snapshot);
    store.sweep();
}

#[test]
fn a_partition_of_another_shard_is_none_of_its_business() {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), MAP);
    let fault = store.writer.release(Partition(identity().partitions)).unwrap_err();
    assert!(matches!(fault, Fault::Broken(_)), "{fault}");
}

#[test]
fn a_large_one_goes_at_once_and_is_dropped_in_bounded_pieces() {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), MAP);
    store.follow(SEED, BESIDE, 0, 30);
    let (large, beside) = (many(&store, 12_000), store.export(BESIDE));
    store.restore(&large, 5_000).unwrap();
    store.sweep();
    store.writer.release(P).unwrap();
    assert_eq!(store.export(P), Snapshot { position: Position::ZERO, logicals: vec![] });
    assert_eq!(store.check().staged, 24_000, "rows and when they expire");
    // 5,000 keys a call, and one call to see that there are no more; entries go between.
    let mut at = 0;
    let calls = (1..).find(|_| {
        store.follow(SEED, P, at, at + 1);
        at += 1;
        !store.writer.sweep().unwrap()
    });
    assert_eq!(calls, Some(5));
    assert_eq!(store.export(P), Truth::of(P).states[at as usize]);
    assert_eq!(store.export(BESIDE), beside);
    store.sweep();
}

#[test]
fn a_full_map_lets_go_and_has_room_again() {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), 1 << 20);
    let (pk, data) = (store.pks[1][0].clone(), format!("\"{}\"", "x".repeat(3_000)));
    let full = (0..1_000_u64).find_map(|at| {
        let mutations = vec![Mutation::put(&pk, at.to_string(), &data)];
        let entry = Entry { origin: None, time: 1, write_id: None, dialect: 1, mutations };
        let (offset, entry) = (Offset(at), Ok(entry));
        let logged = Logged { partition: P, offset, log_time: 1, hash: 0, entry };
        store.writer.apply(&[logged], &mut vec![]).err()
    });
    assert!(matches!(full, Some(Fault::Full(_))), "{full:?}");
    // Two pages are to be had once what the last commit freed is old enough.
    let mut tries = 0..10;
    assert!(tries.any(|_| match store.writer.release(P) {
        Ok(()) => true,
        Err(Fault::Full(_)) => false,
        Err(fault) => panic!("{fault}"),
    }));
    assert_eq!(store.position(P), Position::ZERO);
    store.sweep();
    store.follow(SEED, P, 0, 40);
    store.check();
}

/// A snapshot of this many rows that will expire, at offset 9.
fn many(store: &Store, rows: usize) -> Snapshot {
    let (next, log_time, pk) = (Offset(9), 5, &store.pks[1][0]);
    let mut hash = StateHash(Hasher::default().position(next, log_time));
    let logicals: Vec<Vec<u8>> = (0..rows)
        .map(|row| {
            let (created_at, updated_at, expires_at) = (1, 1, 10_000_000_000);
            assert_ne!(expires_at, NEVER);
            let row_of = Row { created_at, updated_at, expires_at, offset: 8, data: "1" };
            let mut bytes = vec![];
            Logical::Row { pk, sk: &format!("{row:06}"), row: row_of }.encode(&mut bytes);
            hash.add(part(&bytes));
            bytes
        })
        .collect();
    let position = Position { next, log_time, hash, rows: rows as u64, last: 0 };
    Snapshot { position, logicals }
}
