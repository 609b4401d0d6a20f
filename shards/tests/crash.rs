//! A child process applies to two shards at once and is killed at a random moment, again and
//! again: what it acknowledged is there, whole, and nothing that its log does not hold.
//! 100 cycles, and 1,000 with PUMICE_SOAK=1.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod oracle;
mod seeds;

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use oracle::Oracle;
use pumice_model::hash::Hash;
use pumice_model::ids::{Partition, ShardId};
use pumice_shards::{Identity, Options, Reader, Writer, open};
use seeds::Seed;

const PARTITIONS: u32 = 6;
const SHARDS: u16 = 2;
/// Cycles that go on in one directory.
const CYCLES_A_DIRECTORY: u64 = 10;
const DIR: &str = "PUMICE_CRASH_DIR";
const SEED: &str = "PUMICE_CRASH_SEED";

fn open_shard(dir: &Path, shard: u16) -> (Writer, Reader, Identity) {
    let (namespace, shard) = ("crash".to_owned(), ShardId(shard));
    let identity =
        Identity { namespace, partitions: PARTITIONS, hash: Hash::Xxh64, shards: SHARDS, shard };
    let options = Options { map_size: 256 << 20, readers: 16 };
    let (writer, reader) = open(&dir.join(shard.to_string()), &identity, &options).unwrap();
    (writer, reader, identity)
}

/// Not a test of its own: what the child process runs, until it is killed.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let seed = env::var(SEED).unwrap().parse().unwrap();
    let run = |shard| apply_for_ever(Path::new(&dir), shard, seed);
    thread::scope(|scope| (0..SHARDS).for_each(|shard| drop(scope.spawn(move || run(shard)))));
}

fn apply_for_ever(dir: &Path, shard: u16, seed: u64) {
    let pks = seeds::pks(Hash::Xxh64, PARTITIONS, 3);
    let (mut writer, _reader, _) = open_shard(dir, shard);
    let mut s = Seed(seed ^ u64::from(std::process::id()) ^ u64::from(shard) << 32);
    let mut verdicts = vec![];
    loop {
        let mut next = BTreeMap::new();
        let batch: Vec<_> = (0..=s.below(100))
            .map(|_| {
                let turn = s.below(u64::from(PARTITIONS / u32::from(SHARDS))) as u32;
                let partition = Partition(turn * u32::from(SHARDS) + u32::from(shard));
                let next = next.entry(partition).or_insert(writer.next_offset(partition).0);
                *next += 1;
                seeds::entry_at(seed, partition, *next - 1, &pks[partition.0 as usize])
            })
            .collect();
        writer.apply(&batch, &mut verdicts).unwrap();
        assert_eq!(verdicts.len(), batch.len());
        let mut acks = String::new();
        for (partition, next) in next {
            acks.push_str(&format!("ack {partition} {next}\n"));
        }
        // One write: it arrives whole or, when the parent has gone, not at all.
        if std::io::stdout().lock().write_all(acks.as_bytes()).is_err() {
            return;
        }
    }
}

/// Starts the child, kills it after a while and gives the highest offsets that it acknowledged.
fn kill_after(delay: Duration, dir: &Path, seed: u64) -> BTreeMap<u32, u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let acks = thread::spawn(move || {
        let mut acked = BTreeMap::new();
        for line in out.lines().map_while(Result::ok) {
            let words: Vec<_> = line.split(' ').collect();
            if let ["ack", partition, next] = words[..] {
                acked.insert(partition.parse().unwrap(), next.parse().unwrap());
            }
        }
        acked
    });
    thread::sleep(delay);
    child.kill().unwrap();
    let acked = acks.join().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!said.contains("panicked"), "the child failed by itself: {said}");
    child.wait().unwrap();
    acked
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if env::var_os(DIR).is_some() {
        return;
    }
    let cycles = if env::var_os("PUMICE_SOAK").is_some() { 1_000 } else { 100 };
    let pks = seeds::pks(Hash::Xxh64, PARTITIONS, 3);
    let mut s = Seed(3);
    let mut busy = 0;
    for directory in 0..cycles / CYCLES_A_DIRECTORY {
        let dir = seeds::directory();
        let mut oracle = Oracle::new(Hash::Xxh64, PARTITIONS);
        for cycle in 1..=CYCLES_A_DIRECTORY {
            let delay = Duration::from_micros(2_000 + s.below(30_000));
            let acked = kill_after(delay, dir.path(), directory);
            busy += usize::from(!acked.is_empty());
            prove(dir.path(), directory, &acked, &mut oracle, &pks, cycle == CYCLES_A_DIRECTORY);
        }
    }
    assert!(busy > 0, "no child ever came to a commit");
    println!("{cycles} kills, {busy} of them after an acknowledged commit");
}

/// Reopens both shards and compares them with the oracle, which catches up by the seed alone.
fn prove(
    dir: &Path,
    seed: u64,
    acked: &BTreeMap<u32, u64>,
    oracle: &mut Oracle,
    pks: &[Vec<String>],
    walk: bool,
) {
    for shard in 0..SHARDS {
        let (writer, reader, identity) = open_shard(dir, shard);
        for p in (u32::from(shard)..PARTITIONS).step_by(usize::from(SHARDS)) {
            let partition = Partition(p);
            let next = writer.next_offset(partition).0;
            let least = acked.get(&p).copied().unwrap_or(0);
            assert!(next >= least, "partition {p} lost {least}, has {next}");
            let known = oracle.slices.get(&partition).map_or(0, |slice| slice.next);
            assert!(next >= known, "partition {p} went back from {known} to {next}");
            for offset in known..next {
                oracle.apply(&seeds::entry_at(seed, partition, offset, &pks[p as usize]));
            }
            let position = reader.read(|view| view.position(partition)).unwrap().unwrap();
            assert_eq!(position.hash, oracle.state_hash(partition), "partition {p} at {next}");
        }
        if walk {
            let report = reader.read(|view| view.check(&identity)).unwrap().unwrap();
            assert!(report.clean(), "{:#?}", report.faults);
        }
    }
}
