//! The store against the oracle: random logs, cut into random batches, with verdicts, rows,
//! scans in both directions and state hashes compared after each.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod oracle;
mod seeds;

use std::cell::RefCell;
use std::ops::Bound;

use oracle::{Oracle, STATEMENTS};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use pumice_model::entry::{Entry, Logged, Origin};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ProducerId, ShardId, WriteId};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_shards::{Identity, Options, Range, Reader, Span, Writer, open};

const CASES: u32 = 12_000;
/// Cases that share an environment, each with two partitions of its own.
const CASES_AN_ENVIRONMENT: u32 = 500;
const PARTITIONS: u32 = 2 * CASES_AN_ENVIRONMENT;

const SKS: [&str; 8] = ["", "a", "a\0", "aa", "ab", "b/c", "\u{e9}", "\u{1F980}"];
const DATA: [&str; 9] = [
    "null",
    "{\"n\":1}",
    "{ \"n\" : 2 }",
    "{\"n\":-7}",
    "{\"s\":\"a b\\\" c\"}",
    "{\"n\":9007199254740993}",
    "{\"broken\"",
    "",
    "{\"n\":1} ",
];

/// One step of a log, free of the partition's number so that cases can be replayed elsewhere.
#[derive(Clone, Debug)]
struct Step {
    /// Which of the case's two partitions.
    place: usize,
    hole: u64,
    log_time: i64,
    time: i64,
    body: Body,
    /// Whether the batch ends here.
    cut: bool,
}

#[derive(Clone, Debug)]
enum Body {
    Garbage,
    Entry {
        /// (producer, steps forward of the last sequence)
        origin: Option<(u128, i64)>,
        write_id: Option<u128>,
        dialect: u8,
        changes: Vec<Asked>,
    },
    /// This many rows that all expire at the entry's time plus this.
    Fill(u64, u64),
}

#[derive(Clone, Debug)]
struct Asked {
    /// Which pk of the partition; past them one of another partition, none, or one too long.
    pk: usize,
    sk: usize,
    /// `None` deletes.
    put: Option<(usize, Option<u64>)>,
    statement: Option<usize>,
    expect: u64,
}

fn asked() -> impl Strategy<Value = Asked> {
    let pk = prop_oneof![300 => 0..3_usize, 1 => 3..6_usize];
    let ttl = option::weighted(
        0.4,
        prop_oneof![
            100 => 1..5_000_u64, 20 => 1..10_000_000_u64, 1 => Just(0), 1 => Just(u64::MAX),
            1 => Just(pumice_model::limits::TTL_MAX_MS),
        ],
    );
    let data = prop_oneof![40 => 0..6_usize, 1 => 6..DATA.len()];
    let put = option::weighted(0.8, (data, ttl));
    let statement = option::weighted(0.2, prop_oneof![9 => 0..7_usize, 1 => 7..STATEMENTS.len()]);
    let expect = prop_oneof![8 => Just(0_u64), 1 => Just(1_u64), 1 => Just(2_u64), 1 => 3..12_u64];
    let sk = 0..SKS.len();
    (pk, sk, put, statement, expect).prop_map(|(pk, sk, put, statement, expect)| Asked {
        pk,
        sk,
        put,
        statement,
        expect,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let changes = prop_oneof![8 => vec(asked(), 1), 3 => vec(asked(), 0..6)];
    let origin = option::weighted(0.4, (0..3_u128, prop_oneof![4 => Just(1_i64), 2 => -2..3_i64]));
    let dialect = prop_oneof![30 => Just(1_u8), 1 => Just(9_u8)];
    let write_id = option::weighted(0.3, 0..4_u128);
    let entry =
        (origin, write_id, dialect, changes).prop_map(|(origin, write_id, dialect, changes)| {
            Body::Entry { origin, write_id, dialect, changes }
        });
    let fill = (60..90_u64, 1..50_u64).prop_map(|(rows, ttl)| Body::Fill(rows, ttl));
    let body = prop_oneof![40 => entry, 1 => Just(Body::Garbage), 1 => fill];
    let hole = prop_oneof![
        30 => Just(0_u64), 3 => 1..4_u64, 1 => 60_000..70_000_u64, 1 => 400_000..1_200_000_u64,
    ];
    let log_time = prop_oneof![20 => -100..2_000_i64, 2 => 7_000_000..7_400_000_i64];
    let time = prop_oneof![20 => -200..1_500_i64, 1 => -20_000_000..20_000_000_i64];
    (0..2_usize, hole, log_time, time, body, any::<bool>()).prop_map(
        |(place, hole, log_time, time, body, cut)| Step { place, hole, log_time, time, body, cut },
    )
}

/// An environment, used by many cases.
struct Store {
    _dir: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    used: u32,
}

fn identity() -> Identity {
    let (namespace, hash) = ("model".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: PARTITIONS, hash, shards: 1, shard: ShardId(0) }
}

impl Store {
    fn new() -> Self {
        let dir = seeds::directory();
        let options = Options { map_size: 256 << 20, readers: 8 };
        let (writer, reader) = open(dir.path(), &identity(), &options).unwrap();
        Self { _dir: dir, writer, reader, used: 0 }
    }

    fn proven(&self) {
        let report = self.reader.read(|view| view.check(&identity())).unwrap().unwrap();
        assert!(report.clean(), "{:#?}", report.faults);
    }
}

/// Makes the steps the log of two partitions.
fn log(steps: &[Step], places: [Partition; 2], pks: &[Vec<String>]) -> Vec<Logged> {
    let mut next = [0_u64; 2];
    let mut clock = [0_i64; 2];
    let mut sequences = std::collections::BTreeMap::<(usize, u128), i64>::new();
    let made = steps.iter().map(|step| {
        let Step { place, hole, log_time, time, .. } = *step;
        let partition = places[place];
        let offset = next[place] + hole;
        next[place] = offset + 1;
        clock[place] += log_time;
        let time = clock[place] + time;
        let (own, foreign) =
            (&pks[partition.0 as usize], &pks[(partition.0 as usize + 1) % pks.len()]);
        let entry = match &step.body {
            Body::Garbage => Entry::decode(&[pumice_model::entry::MARKER, 1, 2]),
            Body::Fill(rows, ttl_ms) => {
                let change = Change::Put { data: "1".to_owned(), ttl_ms: Some(*ttl_ms) };
                let put = |i| Mutation {
                    change: change.clone(),
                    ..Mutation::put(&own[0], format!("fill {i}"), "1")
                };
                let mutations = (0..*rows).map(put).collect();
                Ok(Entry { origin: None, time, write_id: None, dialect: 1, mutations })
            }
            Body::Entry { origin, write_id, dialect, changes } => {
                let origin = origin.map(|(producer, forward)| {
                    let last = sequences.entry((place, producer)).or_insert(3);
                    *last = (*last + forward).max(0);
                    Origin { producer: ProducerId(producer), sequence: last.unsigned_abs() }
                });
                let ask = |asked: &Asked| mutation(asked, own, &foreign[0], offset);
                let mutations = changes.iter().map(ask).collect();
                let write_id = write_id.map(WriteId);
                Ok(Entry { origin, time, write_id, dialect: *dialect, mutations })
            }
        };
        Logged { partition, offset: Offset(offset), log_time: clock[place], hash: 0, entry }
    });
    made.collect()
}

fn mutation(asked: &Asked, own: &[String], foreign: &str, offset: u64) -> Mutation {
    let pk = match asked.pk {
        3 => foreign.to_owned(),
        4 => String::new(),
        5 => "x".repeat(513),
        own_one => own[own_one].clone(),
    };
    let change = asked.put.map_or(Change::Delete, |(data, ttl_ms)| Change::Put {
        data: DATA[data].to_owned(),
        ttl_ms,
    });
    let condition = asked.statement.map(|statement| STATEMENTS[statement].to_owned());
    let expect = match asked.expect {
        0 => Expect::Any,
        1 => Expect::Absent,
        2 => Expect::Exists,
        back => Expect::Offset(Offset(offset.saturating_sub(back - 2))),
    };
    Mutation { pk, sk: SKS[asked.sk].to_owned(), change, condition, expect }
}

type Cuts = Vec<(usize, usize, usize, bool)>;

fn case(
    store: &RefCell<Store>,
    pks: &[Vec<String>],
    steps: &[Step],
    cuts: &Cuts,
) -> Result<(), TestCaseError> {
    let store = &mut *store.borrow_mut();
    if store.used == CASES_AN_ENVIRONMENT {
        store.proven();
        *store = Store::new();
    }
    let places = [Partition(2 * store.used), Partition(2 * store.used + 1)];
    store.used += 1;
    let entries = log(steps, places, pks);
    let mut oracle = Oracle::new(Hash::Murmur2, PARTITIONS);
    let (mut verdicts, mut from) = (vec![], 0);
    for (at, step) in steps.iter().enumerate() {
        if !step.cut && at + 1 < steps.len() {
            continue;
        }
        let batch = &entries[from..=at];
        from = at + 1;
        store.writer.apply(batch, &mut verdicts).unwrap();
        let expected: Vec<_> = batch.iter().map(|logged| oracle.apply(logged)).collect();
        prop_assert_eq!(&verdicts, &expected);
        for place in places {
            compare(&oracle, &store.reader, place)?;
            let next = oracle.slices.get(&place).map_or(0, |slice| slice.next);
            prop_assert_eq!(store.writer.next_offset(place), Offset(next));
        }
    }
    for place in places {
        for cut in cuts {
            scan(&oracle, &store.reader, place, &pks[place.0 as usize], *cut)?;
        }
    }
    Ok(())
}

/// Position, hash and every row of a partition.
fn compare(oracle: &Oracle, reader: &Reader, partition: Partition) -> Result<(), TestCaseError> {
    let empty = oracle::Slice::default();
    let slice = oracle.slices.get(&partition).unwrap_or(&empty);
    reader
        .read(|view| {
            let position = view.position(partition).unwrap();
            prop_assert_eq!(position.next, Offset(slice.next));
            prop_assert_eq!(position.log_time, slice.log_time);
            prop_assert_eq!(position.rows, slice.rows.len() as u64);
            prop_assert_eq!(position.hash, oracle.state_hash(partition));
            let range = Range { partition, span: Span::all(), reverse: false };
            let mut expected = slice.rows.iter();
            for found in view.scan(&range).unwrap() {
                let (key, row) = found.unwrap();
                let ((pk, sk), stored) = expected.next().expect("a row too many");
                prop_assert_eq!((&key.pk, key.sk), (pk, sk.as_str()));
                prop_assert_eq!(row, stored.row());
                prop_assert_eq!(view.row(partition, pk, sk).unwrap(), Some(row));
            }
            prop_assert_eq!(expected.next(), None);
            Ok(())
        })
        .unwrap()
}

/// One cut of a partition, compared with the same cut of the map.
fn scan(
    oracle: &Oracle,
    reader: &Reader,
    partition: Partition,
    pks: &[String],
    (kind, low, high, reverse): (usize, usize, usize, bool),
) -> Result<(), TestCaseError> {
    let Some(slice) = oracle.slices.get(&partition) else { return Ok(()) };
    let bound = |kind: usize, sk| match kind % 3 {
        0 => Bound::Unbounded,
        1 => Bound::Included(sk),
        _ => Bound::Excluded(sk),
    };
    let (pk, prefix) = (pks[kind % 3].as_str(), ["", "a", "fill 1", "\u{e9}"][low % 4]);
    let (lower, upper) = (bound(kind, SKS[low]), bound(kind / 3, SKS[high]));
    let (span, mut expected) = if kind % 2 == 0 {
        let kept =
            |k: &str, sk: &str| k == pk && sk.starts_with(prefix) && inside(sk, lower, upper);
        (Span::Pk { pk, prefix, lower, upper }, keys(slice, kept))
    } else {
        let (lower, upper) = (lower.map(|sk| (pk, sk)), upper.map(|sk| (pk, sk)));
        let kept = |k: &str, sk: &str| inside((k, sk), lower, upper);
        (Span::Partition { lower, upper }, keys(slice, kept))
    };
    if reverse {
        expected.reverse();
    }
    let found = reader.read(|view| {
        let walk = view.scan(&Range { partition, span, reverse }).unwrap();
        let keys = walk.map(|item| item.map(|(key, _)| (key.pk, key.sk.to_owned())));
        keys.collect::<Result<Vec<_>, _>>()
    });
    prop_assert_eq!(found.unwrap().unwrap(), expected);
    Ok(())
}

fn keys(slice: &oracle::Slice, kept: impl Fn(&str, &str) -> bool) -> Vec<oracle::Key> {
    slice.rows.keys().filter(|(pk, sk)| kept(pk, sk)).cloned().collect()
}

fn inside<T: PartialOrd>(value: T, lower: Bound<T>, upper: Bound<T>) -> bool {
    let above = match lower {
        Bound::Unbounded => true,
        Bound::Included(low) => value >= low,
        Bound::Excluded(low) => value > low,
    };
    let below = match upper {
        Bound::Unbounded => true,
        Bound::Included(high) => value <= high,
        Bound::Excluded(high) => value < high,
    };
    above && below
}

#[test]
fn the_store_agrees_with_ordered_maps() {
    let pks = seeds::pks(Hash::Murmur2, PARTITIONS, 3);
    let store = RefCell::new(Store::new());
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let cuts = vec((0..18_usize, 0..SKS.len(), 0..SKS.len(), any::<bool>()), 6);
    let strategy = (vec(step(), 1..24), cuts);
    let mut runner = TestRunner::new(config);
    let result = runner.run(&strategy, |(steps, cuts)| case(&store, &pks, &steps, &cuts));
    if let Err(error) = result {
        panic!("{error}");
    }
    store.borrow().proven();
}
