//! Seeded numbers and entries for the tests: one seed, one sequence, on every machine.
#![allow(dead_code, reason = "each test uses its part")]

use pumice_model::entry::{Entry, Logged, Origin};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ProducerId, WriteId};
use pumice_model::mutation::{Change, Expect, Mutation};

/// An empty directory, in memory where there is such a place: for tests that commit often and
/// need nothing to survive the machine.
pub fn directory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a directory for temporary files")
}

/// splitmix64.
#[derive(Clone, Debug)]
pub struct Seed(pub u64);

impl Seed {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Some pks of every partition, found by trying.
pub fn pks(hash: Hash, partitions: u32, each: usize) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new(); partitions as usize];
    let mut missing = found.len();
    let names = (0_u64..).map(|n| match n % 3 {
        0 => format!("{n:x}"),
        1 => format!("{n}\0"),
        _ => format!("pk/{n}/long enough for groups"),
    });
    for pk in names {
        let Partition(p) = hash.partition(pk.as_bytes(), partitions);
        let place = &mut found[p as usize];
        if place.len() < each {
            place.push(pk);
            missing -= usize::from(place.len() == each);
        }
        if missing == 0 {
            return found;
        }
    }
    unreachable!("names do not end")
}

/// The entry that a partition's log has at an offset, made from (seed, partition, offset) alone,
/// so that any process can make it again. Batches, conditions, expiry, producers, write ids.
pub fn entry_at(seed: u64, partition: Partition, offset: u64, pks: &[String]) -> Logged {
    let mut s = Seed(seed ^ u64::from(partition.0) << 48 ^ offset.wrapping_mul(0x5851_f42d));
    let time = 1_000_000 + offset as i64 * 20_000 - s.below(100_000) as i64;
    let count = if s.one_in(4) { 2 + s.below(30) } else { 1 };
    let mutations = (0..count).map(|i| mutation(&mut s, pks, offset, i)).collect();
    let origin = s.one_in(2).then(|| Origin {
        producer: ProducerId(u128::from(1 + s.below(2))),
        // Steps back now and then: a duplicate.
        sequence: offset + 1 - u64::from(s.one_in(8)) * s.below(3).min(offset),
    });
    let write_id = s.one_in(4).then(|| WriteId(u128::from(s.below(40))));
    let entry = Entry { origin, time, write_id, dialect: 1, mutations };
    let entry = if s.one_in(50) { Entry::decode(b"{}") } else { Ok(entry) };
    Logged { partition, offset: Offset(offset), log_time: time + 5_000, hash: 0, entry }
}

fn mutation(s: &mut Seed, pks: &[String], offset: u64, i: u64) -> Mutation {
    let pk = pks[s.below(pks.len() as u64) as usize].clone();
    let sk = format!("{}", s.below(50));
    if s.one_in(6) {
        return Mutation::delete(pk, sk);
    }
    let padding = "x".repeat(s.below(300) as usize);
    let data = format!("{{ \"o\":{offset}, \"i\":{i}, \"p\":\"{padding}\"}}");
    let ttl_ms = s.one_in(3).then(|| 1 + s.below(10_000_000));
    let change = Change::Put { data, ttl_ms };
    let condition = s.one_in(20).then(|| "data == null".to_owned());
    let expect = if s.one_in(20) { Expect::Absent } else { Expect::Any };
    Mutation { pk, sk, change, condition, expect }
}
