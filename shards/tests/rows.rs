//! Many rows read at once are the rows read one by one: whatever their sizes, however deep the
//! tree, whether they are there, and while a writer changes the pages under other transactions.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(dead_code, reason = "of the seeds only their numbers and the directory are used")]

mod seeds;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pumice_model::condition::DIALECT;
use pumice_model::entry::{Entry, Logged};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ShardId};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_shards::{Identity, Options, Reader, Rows, Writer, open};
use seeds::Seed;

/// More than the generations that a read of many rows remembers at once.
const PARTITIONS: u32 = 200;
const KEYS: u64 = 20_000;

fn identity() -> Identity {
    let (namespace, hash) = ("rows".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: PARTITIONS, hash, shards: 1, shard: ShardId(0) }
}

fn key(number: u64) -> (Partition, String, String) {
    // Some keys are long, so that branches of the tree hold few of them.
    let (pk, long) = (format!("pk-{}", number / 3), usize::from(number.is_multiple_of(50)) * 900);
    let partition = Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS);
    (partition, pk, format!("{}sk-{number}", "k".repeat(long)))
}

/// Mostly small; some on a page of their own, and a few on many.
fn data(number: u64, version: u64) -> String {
    let length = match number % 97 {
        0 => 60_000,
        1..5 => 3_000,
        _ => number as usize % 300,
    };
    format!("\"{version}.{}\"", "d".repeat(length))
}

struct Log {
    writer: Writer,
    next: Vec<u64>,
}

impl Log {
    /// Restores a partition to the state it has: the same rows, under another generation.
    fn restore(&mut self, reader: &Reader, partition: Partition) {
        while !self.writer.stage_begin(partition).unwrap() {}
        let (position, logicals) = reader
            .read(|view| {
                let mut export = view.export(partition).unwrap();
                let mut logicals = vec![];
                while let Some(bytes) = export.next().unwrap() {
                    logicals.push(bytes.to_vec());
                }
                (export.position(), logicals)
            })
            .unwrap();
        self.writer.stage(partition, logicals.iter().map(Vec::as_slice)).unwrap();
        self.writer.install(partition, &position).unwrap();
    }

    fn write(&mut self, changes: impl Iterator<Item = (u64, Change)>) {
        let entries: Vec<Logged> = changes
            .map(|(number, change)| {
                let (partition, pk, sk) = key(number);
                let next = &mut self.next[partition.0 as usize];
                let offset = Offset(*next);
                *next += 1;
                let (condition, expect) = (None, Expect::Any);
                let mutations = vec![Mutation { pk, sk, change, condition, expect }];
                let (origin, time, write_id, dialect) = (None, 1, None, DIALECT);
                let entry = Ok(Entry { origin, time, write_id, dialect, mutations });
                Logged { partition, offset, log_time: 1, hash: 0, entry }
            })
            .collect();
        self.writer.apply(&entries, &mut Vec::new()).unwrap();
    }
}

fn put(number: u64, version: u64) -> (u64, Change) {
    (number, Change::Put { data: data(number, version), ttl_ms: None })
}

/// Reads a batch of keys both ways in one view, and tells how many rows were there.
fn compare(reader: &Reader, buffers: &mut Rows, numbers: &[u64]) -> usize {
    let keys: Vec<_> = numbers.iter().map(|&number| key(number)).collect();
    let wanted = keys.iter().map(|(partition, pk, sk)| (*partition, pk.as_str(), sk.as_str()));
    let read = reader.read(|view| {
        let (mut told, mut there) = (0, 0);
        view.rows(buffers, wanted, |number, row| {
            let (partition, pk, sk) = &keys[number];
            let row = row.unwrap();
            assert_eq!(number, told);
            assert_eq!(row, view.row(*partition, pk, sk).unwrap(), "{pk} {sk}");
            told += 1;
            there += usize::from(row.is_some());
        })
        .unwrap();
        assert_eq!(told, keys.len());
        there
    });
    read.unwrap()
}

#[test]
fn buffers_may_go_from_one_environment_to_another() {
    let dirs = [seeds::directory(), seeds::directory()];
    let options = Options { map_size: 1 << 30, readers: 8 };
    let mut buffers = Rows::default();
    // As many transactions in each, and never the same rows; the second time at another place.
    for round in 0..4 {
        let mut readers = vec![];
        for (nth, dir) in dirs.iter().enumerate() {
            let (writer, reader) = open(dir.path(), &identity(), &options).unwrap();
            let mut log = Log { writer, next: vec![round * 100; PARTITIONS as usize] };
            log.write((0..50).map(|number| put(2 * number + nth as u64, round)));
            readers.push(reader);
        }
        let numbers: Vec<u64> = (0..100).collect();
        for reader in [&readers[0], &readers[1], &readers[0]] {
            assert_eq!(compare(reader, &mut buffers, &numbers), 50);
        }
    }
}

#[test]
fn rows_at_once_are_the_rows_one_by_one() {
    let dir = seeds::directory();
    let options = Options { map_size: 1 << 30, readers: 8 };
    let (writer, reader) = open(dir.path(), &identity(), &options).unwrap();
    let mut log = Log { writer, next: vec![0; PARTITIONS as usize] };
    let (mut seed, mut buffers) = (Seed(11), Rows::default());
    // Nothing is there, and then a tree of one page.
    assert_eq!(compare(&reader, &mut buffers, &[1, 2, 3, 4, 5, 6, 7, 8]), 0);
    log.write((0..8).map(|number| put(number, 0)));
    assert_eq!(compare(&reader, &mut buffers, &[7, 2, 3, 4, 99, 6, 1, 7]), 7);

    for first in (0..KEYS).step_by(2_000) {
        log.write((first..first + 2_000).filter(|n| n % 7 != 6).map(|number| put(number, 1)));
        for size in [1, 3, 4, 100, 1_000] {
            let numbers: Vec<u64> = (0..size).map(|_| seed.below(KEYS)).collect();
            compare(&reader, &mut buffers, &numbers);
        }
    }
    let all: Vec<u64> = (0..KEYS).collect();
    let there = all.iter().filter(|&&number| number % 7 != 6 || number == 6).count();
    assert_eq!(compare(&reader, &mut buffers, &all), there);

    // Partitions under other generations, some of them more than once, and what they had swept.
    for partition in (0..PARTITIONS).step_by(3).chain((0..PARTITIONS).step_by(7)) {
        log.restore(&reader, Partition(partition));
        let numbers: Vec<u64> = (0..50).map(|_| seed.below(KEYS)).collect();
        compare(&reader, &mut buffers, &numbers);
    }
    while log.writer.sweep().unwrap() {}
    assert_eq!(compare(&reader, &mut buffers, &all), there);

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = Seed(12);
            for version in 0..60 {
                log.write((0..200).map(|_| {
                    let number = seed.below(KEYS);
                    if seed.one_in(3) { (number, Change::Delete) } else { put(number, version) }
                }));
            }
            over.store(true, Ordering::Release);
        });
        let mut rounds = 0;
        while !over.load(Ordering::Acquire) || rounds < 20 {
            let numbers: Vec<u64> = (0..100).map(|_| seed.below(KEYS)).collect();
            compare(&reader, &mut buffers, &numbers);
            rounds += 1;
        }
    });
}
