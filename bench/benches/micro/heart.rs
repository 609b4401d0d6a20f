//! The heart: reads of a shard of 100,000 records, and entries applied to one. The shards lie in
//! memory-backed files where the system has them, so that a disk is not what is measured.

use std::hint::black_box;
use std::path::Path;

use pumice_model::entry::Logged;
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ShardId};
use pumice_shards::{Identity, Options, Reader, Rows, Writer};
use tempfile::TempDir;

use crate::words::put;

const RECORDS: u64 = 100_000;
const PARTITIONS: u32 = 16;
const BATCH: u64 = 100;

/// A shard, and its directory, which goes with it.
struct Shard {
    writer: Writer,
    reader: Reader,
    next: Vec<u64>,
    _dir: TempDir,
}

fn pk(number: u64) -> String {
    format!("customer-{number:07}")
}

/// A walk over all numbers below `RECORDS` that looks random: 70,001 has no factor in common with
/// it.
fn scattered(number: u64) -> u64 {
    number * 70_001 % RECORDS
}

impl Shard {
    fn empty() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let dir = dir.expect("a directory can be made");
        let identity = Identity {
            namespace: "bench".to_owned(),
            partitions: PARTITIONS,
            hash: Hash::Murmur2,
            shards: 1,
            shard: ShardId(0),
        };
        let options = Options { map_size: 1 << 30, ..Options::default() };
        let opened = pumice_shards::open(dir.path(), &identity, &options);
        let (writer, reader) = opened.expect("a shard can be made");
        Self { writer, reader, next: vec![0; PARTITIONS as usize], _dir: dir }
    }

    fn full() -> Self {
        let mut shard = Self::empty();
        for first in (0..RECORDS).step_by(10_000) {
            shard.apply((first..first + 10_000).map(pk));
        }
        shard
    }

    fn apply(&mut self, pks: impl Iterator<Item = String>) {
        let entries: Vec<Logged> = pks
            .map(|pk| {
                let partition = Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS);
                let next = &mut self.next[partition.0 as usize];
                let offset = Offset(*next);
                *next += 1;
                Logged { partition, offset, log_time: 1, hash: 0, entry: Ok(put(pk)) }
            })
            .collect();
        let mut verdicts = Vec::new();
        self.writer.apply(&entries, &mut verdicts).expect("it can be applied");
        assert_eq!(verdicts.len(), entries.len());
    }
}

fn partition(pk: &str) -> Partition {
    Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS)
}

/// A read transaction and one row, the least that a request can cost.
pub fn point_read() -> Box<dyn FnMut(u64)> {
    let shard = Shard::full();
    let pks: Vec<String> = (0..RECORDS).map(|n| pk(scattered(n))).collect();
    let mut asked = pks.into_iter().cycle();
    Box::new(move |times| {
        for _ in 0..times {
            let pk = asked.next().expect("it goes round");
            let read = shard.reader.read(|view| {
                let row = view.row(partition(&pk), &pk, "profile").expect("it can be read");
                black_box(row.expect("it is there").data.len())
            });
            black_box(read.expect("it can be read"));
        }
    })
}

/// A hundred rows in one read transaction, as the reads of one receive are answered.
pub fn batch_read() -> Box<dyn FnMut(u64)> {
    let shard = Shard::full();
    let pks: Vec<String> = (0..RECORDS).map(|n| pk(scattered(n))).collect();
    let (mut first, mut buffers) = (0, Rows::default());
    Box::new(move |times| {
        for _ in 0..times {
            first = (first + BATCH as usize) % RECORDS as usize;
            let asked = &pks[first..first + BATCH as usize];
            let wanted = asked.iter().map(|pk| (partition(pk), pk.as_str(), "profile"));
            let mut bytes = 0;
            let read = shard.reader.read(|view| {
                view.rows(&mut buffers, wanted, |_, row| {
                    bytes += row.expect("it can be read").expect("it is there").data.len();
                })
            });
            read.and_then(|read| read).expect("it can be read");
            black_box(bytes);
        }
    })
}

/// The same, one lookup after the other.
pub fn batch_read_apart() -> Box<dyn FnMut(u64)> {
    let shard = Shard::full();
    let pks: Vec<String> = (0..RECORDS).map(|n| pk(scattered(n))).collect();
    let mut first = 0;
    Box::new(move |times| {
        for _ in 0..times {
            first = (first + BATCH as usize) % RECORDS as usize;
            let asked = &pks[first..first + BATCH as usize];
            let read = shard.reader.read(|view| {
                let rows = asked.iter().map(|pk| view.row(partition(pk), pk, "profile"));
                rows.map(|row| row.expect("it can be read").expect("it is there").data.len()).sum()
            });
            let bytes: usize = read.expect("it can be read");
            black_box(bytes);
        }
    })
}

/// A hundred entries of one put each in one transaction, synced.
pub fn apply() -> Box<dyn FnMut(u64)> {
    let mut shard = Shard::full();
    let mut number = 0;
    Box::new(move |times| {
        for _ in 0..times {
            shard.apply((number..number + BATCH).map(|n| pk(scattered(n))));
            number += BATCH;
        }
    })
}
