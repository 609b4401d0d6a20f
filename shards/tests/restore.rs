//! A partition taken out of one shard and put into another goes on there as the original does;
//! what is not that partition's state is never made live.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;
mod stores;

use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use pumice_model::ids::{Offset, Partition, ProducerId, WriteId};
use pumice_model::logical::Logical;
use pumice_model::row::{NEVER, Row};
use pumice_model::statehash::{Hasher, StateHash, part};
use pumice_shards::{Fault, Position, StageFault};
use seeds::Seed;
use stores::{P, Snapshot, Store};

const CASES: u32 = 150;
const MAP: usize = 64 << 20;

/// One restore: what the source and the target had applied, and what both apply after it.
#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    /// Entries of the source.
    upto: u64,
    /// The seed and the entries of the target.
    before: Option<(u64, u64)>,
    chunk: usize,
    /// Whether entries are applied to the target while it is staged.
    busy: bool,
    /// Offsets that are skipped after the restore.
    hole: u64,
    more: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let before = option::weighted(0.7, (0..3_u64, 1..900_u64));
    let hole = prop_oneof![Just(0_u64), Just(3_u64), Just(70_000_u64), Just(1_100_000_u64)];
    (0..3_u64, 0..900_u64, before, 1..400_usize, any::<bool>(), hole, 1..500_u64).prop_map(
        |(seed, upto, before, chunk, busy, hole, more)| Case {
            seed,
            upto,
            before,
            chunk,
            busy,
            hole,
            more,
        },
    )
}

fn goes_on(case: &Case) -> Result<(), TestCaseError> {
    let Case { seed, upto, before, chunk, busy, hole, more } = *case;
    let dirs = [seeds::directory(), seeds::directory()];
    let [mut source, mut target] = [0, 1].map(|at: usize| Store::open(dirs[at].path(), MAP));
    source.follow(seed, P, 0, upto);
    source.follow(seed, Partition(2), 0, 50);
    let (old, mut at) = before.unwrap_or((seed, 0));
    target.follow(old, P, 0, at);
    target.follow(9, Partition(0), 0, 80);
    target.follow(9, Partition(2), 0, 80);

    let snapshot = source.export(P);
    prop_assert_eq!(snapshot.position, source.position(P));
    let sum = snapshot.logicals.iter().fold(StateHash(0), |mut sum, logical| {
        sum.add(part(logical));
        sum
    });
    prop_assert!(snapshot.position.agrees(sum));
    target.begin(P);
    for part in snapshot.logicals.chunks(chunk) {
        target.writer.stage(P, part.iter().map(Vec::as_slice)).unwrap();
        if busy {
            target.follow(old, P, at, at + 1);
            at += 1;
        }
        target.check();
    }
    let live = target.position(P);
    prop_assert_eq!(live.next, Offset(at));
    let beside = [Partition(0), Partition(2)].map(|partition| target.export(partition));
    target.writer.install(P, &snapshot.position).unwrap();
    prop_assert_eq!(target.export(P), snapshot);
    prop_assert_eq!(target.writer.next_offset(P), Offset(upto));
    target.check();

    let from = upto + hole;
    let both = [&mut source, &mut target].map(|store| store.follow(seed, P, from, from + more));
    prop_assert_eq!(&both[0], &both[1]);
    target.sweep();
    let ends = [&mut source, &mut target].map(|store| {
        let last = from + more + 200_000;
        store.follow(seed, P, last, last + 40);
        store.export(P)
    });
    prop_assert_eq!(&ends[0], &ends[1]);
    prop_assert_eq!(ends[0].position.last, seed ^ (from + more + 200_039));
    prop_assert_eq!(beside, [Partition(0), Partition(2)].map(|p| target.export(p)));
    Ok(())
}

#[test]
fn a_restored_partition_goes_on_as_the_original() {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&case(), |case| goes_on(&case));
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A source with something of every kind, its snapshot, and a target that has a state of its own.
fn pair() -> (Snapshot, Snapshot, Store, tempfile::TempDir) {
    let (from, dir) = (seeds::directory(), seeds::directory());
    let mut source = Store::open(from.path(), MAP);
    source.follow(4, P, 0, 60);
    source.follow(4, Partition(0), 0, 60);
    let snapshot = source.export(P);
    for kind in 1..=3 {
        assert!(snapshot.logicals.iter().any(|logical| logical[0] == kind));
    }
    let mut target = Store::open(dir.path(), MAP);
    target.follow(5, P, 0, 40);
    (snapshot, source.export(Partition(0)), target, dir)
}

/// Tries to restore what is wrong: refused, and nothing has changed.
fn refuse(target: &mut Store, bad: &Snapshot, chunk: usize, words: &str) {
    let before = target.export(P);
    let fault = target.restore(bad, chunk).expect_err(words);
    let StageFault::Snapshot(why) = &fault else { panic!("{fault}") };
    assert!(why.contains(words), "no '{words}' in: {why}");
    assert_eq!(target.export(P), before);
}

#[test]
fn wrong_bytes_are_never_made_live() {
    let (good, foreign, mut target, _dir) = pair();
    let mut s = Seed(1);
    for _ in 0..400 {
        let mut bad = good.clone();
        let at = s.below(bad.logicals.len() as u64) as usize;
        let byte = s.below(bad.logicals[at].len() as u64) as usize;
        bad.logicals[at][byte] ^= 1 << s.below(8);
        refuse(&mut target, &bad, 100, "");
    }
    for _ in 0..20 {
        let mut bad = good.clone();
        let at = s.below(bad.logicals.len() as u64 - 1) as usize;
        bad.logicals.swap(at, at + 1);
        refuse(&mut target, &bad, 7, "out of order");
        let mut bad = good.clone();
        bad.logicals.remove(at);
        refuse(&mut target, &bad, 100, "");
        let mut bad = good.clone();
        bad.logicals.insert(at, bad.logicals[at].clone());
        refuse(&mut target, &bad, 3, "out of order");
        let mut bad = good.clone();
        let length = bad.logicals[at].len() as u64;
        bad.logicals[at].truncate(s.below(length) as usize);
        refuse(&mut target, &bad, 100, "");
    }
    refuse(&mut target, &foreign, 100, "belongs to partition 0");
    target.writer.stage_abort(P);
    target.sweep();
    // And the good one still goes in.
    target.restore(&good, 100).unwrap();
    assert_eq!(target.export(P), good);
    target.sweep();
}

#[test]
fn another_position_is_never_made_live() {
    let (good, _, mut target, _dir) = pair();
    let is = good.position;
    let next = Offset(is.next.0 + 1);
    let wrong = [
        (Position { next, ..is }, "state hash"),
        (Position { next: Offset(is.next.0 - 1), ..is }, "it ends before"),
        (Position { log_time: is.log_time + 1, ..is }, "state hash"),
        (Position { hash: StateHash(is.hash.0 ^ 1), ..is }, "state hash"),
        (Position { rows: is.rows + 1, ..is }, "rows came"),
        (Position::ZERO, "it ends before"),
        (Position { next: Offset(0), ..is }, "no entry was applied"),
    ];
    for (position, words) in wrong {
        refuse(&mut target, &Snapshot { position, ..good.clone() }, 100, words);
    }
    let none = Snapshot { position: Position::ZERO, logicals: vec![] };
    target.restore(&none, 1).unwrap();
    assert_eq!(target.export(P), none);
    target.sweep();
    target.restore(&good, 100).unwrap();
    target.sweep();
}

/// Snapshots whose hashes agree, but which no log could have made.
#[test]
fn a_consistent_lie_is_never_made_live() {
    let (_, _, mut target, _dir) = pair();
    let pk = target.pks[1][0].clone();
    let row = |data, offset| {
        let (created_at, updated_at) = (1, 1);
        let row = Row { created_at, updated_at, expires_at: NEVER, offset, data };
        Logical::Row { pk: &pk, sk: "", row }
    };
    let write =
        |id, offset| Logical::Write { write: WriteId(id), offset: Offset(offset), outcome: 0 };
    let (producer, sequence) = (ProducerId(1), 1);
    let of_no_log = Logical::Producer { producer, sequence, offset: Offset(u64::MAX) };
    let lies = [
        (vec![row("{ }", 1)], "not compact JSON"),
        (vec![row("{", 1)], "not compact JSON"),
        (vec![row("{}", 9)], "it ends before"),
        (vec![write(1, 3), write(2, 3)], "two write ids"),
        (vec![write(1, 3), row("{}", 1)], "out of order"),
        (vec![of_no_log], "no log gives"),
    ];
    for (logicals, words) in lies {
        let lie = made(&logicals);
        refuse(&mut target, &lie, 10, words);
    }
    target.restore(&made(&[row("{}", 8), write(1, 7)]), 10).unwrap();
    target.sweep();
}

/// The snapshot of these, at offset 9, its hash right.
fn made(logicals: &[Logical<'_>]) -> Snapshot {
    let (next, log_time) = (Offset(9), 5);
    let mut hash = StateHash(Hasher::default().position(next, log_time));
    let encode = |logical: &Logical<'_>| {
        let mut bytes = vec![];
        logical.encode(&mut bytes);
        hash.add(part(&bytes));
        bytes
    };
    let bytes = logicals.iter().map(encode).collect();
    let rows = logicals.iter().filter(|logical| matches!(logical, Logical::Row { .. })).count();
    let position = Position { next, log_time, hash, rows: rows as u64, last: 0 };
    Snapshot { position, logicals: bytes }
}

#[test]
fn a_restore_begins_before_it_goes_on() {
    let (good, _, mut target, _dir) = pair();
    let stage = target.writer.stage(P, good.logicals.iter().map(Vec::as_slice));
    assert!(matches!(stage, Err(StageFault::Snapshot(_))), "{stage:?}");
    let install = target.writer.install(P, &good.position);
    assert!(matches!(install, Err(StageFault::Snapshot(_))), "{install:?}");
    target.begin(P);
    target.writer.stage(P, good.logicals.iter().map(Vec::as_slice)).unwrap();
    assert!(target.check().staged > 0);
    // What is being staged is not swept.
    assert_eq!(target.writer.sweep(), Ok(false));
    target.writer.install(P, &good.position).unwrap();
    let again = target.writer.install(P, &good.position);
    assert!(matches!(again, Err(StageFault::Snapshot(_))), "{again:?}");
    target.sweep();
}

#[test]
fn readers_see_one_state_or_the_other() {
    let (from, dir) = (seeds::directory(), seeds::directory());
    let mut source = Store::open(from.path(), MAP);
    source.follow(6, P, 0, 150);
    let first = source.export(P);
    source.follow(6, P, 150, 300);
    let second = source.export(P);
    let mut target = Store::open(dir.path(), MAP);
    target.restore(&first, 100).unwrap();

    let known = [first.position, second.position];
    let reader = target.reader.clone();
    let done = std::sync::atomic::AtomicBool::new(false);
    let watch = || {
        let mut seen = [0_u64; 2];
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let one = |view: &pumice_shards::View<'_>| {
                let mut export = view.export(P).unwrap();
                let mut sum = StateHash(0);
                while let Some(bytes) = export.next().unwrap() {
                    sum.add(part(bytes));
                }
                assert!(export.position().agrees(sum));
                known.iter().position(|position| *position == export.position()).unwrap()
            };
            seen[reader.read(one).unwrap()] += 1;
        }
        seen
    };
    std::thread::scope(|scope| {
        let watcher = scope.spawn(watch);
        for turn in 0..60 {
            let snapshot = [&second, &first][turn % 2];
            target.restore(snapshot, 40).unwrap();
            while target.writer.sweep().unwrap() {}
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        println!("seen: {:?}", watcher.join().unwrap());
    });
    target.sweep();
}

/// A snapshot of this many rows, each with a text of this many bytes.
fn many(store: &Store, rows: usize, bytes: usize) -> Snapshot {
    let (pk, data) = (&store.pks[1][0], format!("\"{}\"", "x".repeat(bytes)));
    let sks: Vec<_> = (0..rows).map(|row| format!("{row:06}")).collect();
    let row = |sk| {
        let (created_at, updated_at, expires_at) = (1, 1, 10_000_000_000);
        let row = Row { created_at, updated_at, expires_at, offset: 8, data: &data };
        Logical::Row { pk, sk, row }
    };
    made(&sks.iter().map(|sk| row(sk)).collect::<Vec<_>>())
}

#[test]
fn a_full_map_heals_when_the_restore_is_given_up() {
    let dir = seeds::directory();
    let mut target = Store::open(dir.path(), 512 << 10);
    target.follow(8, P, 0, 3);
    let (snapshot, before) = (many(&target, 500, 3_000), target.export(P));
    for chunk in [1, 10, 50, 500, 1] {
        let fault = target.restore(&snapshot, chunk).expect_err("the map is small");
        assert!(matches!(fault, StageFault::Shard(Fault::Full(_))), "{fault}");
        assert_eq!(target.export(P), before);
        target.check();
        target.writer.stage_abort(P);
        target.sweep();
    }
    target.follow(8, P, 3, 8);
    target.check();
    drop(target);
    let mut target = Store::open(dir.path(), MAP);
    target.restore(&snapshot, 10).unwrap();
    target.sweep();
}

#[test]
fn what_is_left_over_goes_in_bounded_parts() {
    let dir = seeds::directory();
    let mut target = Store::open(dir.path(), MAP);
    target.follow(8, P, 0, 30);
    let (snapshot, before) = (many(&target, 12_000, 10), target.export(P));
    let keys = 24_000;
    let stage = |target: &mut Store| {
        target.writer.stage(P, snapshot.logicals.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(target.check().staged, keys);
    };
    target.begin(P);
    stage(&mut target);
    // Begun again: 5,000 keys a call, and one call to see that there are no more.
    let calls = (1..).find(|_| target.writer.stage_begin(P).unwrap());
    assert_eq!(calls, Some(5));
    assert_eq!(target.check().staged, 0);
    stage(&mut target);
    drop(target);

    let mut target = Store::open(dir.path(), MAP);
    let calls = (1..).find(|_| !target.writer.sweep().unwrap());
    assert_eq!(calls, Some(5));
    target.sweep();
    assert_eq!(target.export(P), before);
    target.restore(&snapshot, 5_000).unwrap();
    let calls = (1..).find(|_| !target.writer.sweep().unwrap());
    assert_eq!(calls, Some(1));
    target.sweep();
}
