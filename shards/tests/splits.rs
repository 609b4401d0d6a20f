//! How entries are cut into batches must not show: not in a verdict, not in a state hash.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod oracle;
mod seeds;

use pumice_model::entry::Logged;
use pumice_model::hash::Hash;
use pumice_model::ids::{Partition, ShardId};
use pumice_model::outcome::Verdict;
use pumice_model::statehash::StateHash;
use pumice_shards::{Identity, Options, open};

const PARTITIONS: u32 = 5;
const ENTRIES: u64 = 3_000;

fn identity() -> Identity {
    let (namespace, hash) = ("splits".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: PARTITIONS, hash, shards: 1, shard: ShardId(0) }
}

/// The entries of all partitions, mixed as a log's consumer would get them.
fn entries(seed: u64) -> Vec<Logged> {
    let pks = seeds::pks(Hash::Murmur2, PARTITIONS, 4);
    let mut s = seeds::Seed(seed);
    let mut next = [0; PARTITIONS as usize];
    let mixed = (0..ENTRIES).map(|_| {
        let p = s.below(u64::from(PARTITIONS)) as usize;
        let offset = next[p] + u64::from(s.one_in(30)) * s.below(700_000);
        next[p] = offset + 1;
        seeds::entry_at(seed, Partition(p as u32), offset, &pks[p])
    });
    mixed.collect()
}

/// Applies in batches of the sizes that `size` gives.
fn run(entries: &[Logged], mut size: impl FnMut() -> usize) -> (Vec<Verdict>, Vec<StateHash>) {
    let dir = seeds::directory();
    let options = Options { map_size: 256 << 20, readers: 8 };
    let (mut writer, reader) = open(dir.path(), &identity(), &options).unwrap();
    let (mut all, mut verdicts, mut rest) = (vec![], vec![], entries);
    while !rest.is_empty() {
        let (batch, tail) = rest.split_at(size().clamp(1, rest.len()));
        writer.apply(batch, &mut verdicts).unwrap();
        all.append(&mut verdicts);
        rest = tail;
    }
    let report = reader.read(|view| view.check(&identity())).unwrap().unwrap();
    assert!(report.clean(), "{:#?}", report.faults);
    let hashes = report.partitions.iter().map(|found| {
        assert_eq!(found.hash, found.position.hash);
        found.hash
    });
    (all, hashes.collect())
}

#[test]
fn any_split_gives_the_same_verdicts_and_hashes() {
    let entries = entries(7);
    let mut oracle = oracle::Oracle::new(Hash::Murmur2, PARTITIONS);
    let verdicts: Vec<_> = entries.iter().map(|logged| oracle.apply(logged)).collect();
    let hashes: Vec<_> = (0..PARTITIONS).map(|p| oracle.state_hash(Partition(p))).collect();
    let kinds: std::collections::BTreeSet<_> =
        verdicts.iter().map(|v| v.outcome.to_byte()).collect();
    assert!(kinds.len() >= 6, "the entries do too little: {kinds:?}");
    let expected = (verdicts, hashes);

    assert!(run(&entries, || usize::MAX) == expected, "all at once");
    assert!(run(&entries, || 1) == expected, "one by one");
    for seed in 0..4 {
        let mut s = seeds::Seed(seed);
        let most = [3, 17, 200, 1_500][seed as usize];
        assert!(run(&entries, || s.below(most) as usize) == expected, "random, at most {most}");
    }
}
