//! (pure) What is written: random updates of keys with 200 bytes of JSON each. The same numbers
//! give the same entries, so that what the topic has can be made again in memory.

use pumice_model::condition::DIALECT;
use pumice_model::entry::{Entry, Origin};
use pumice_model::hash::Hash;
use pumice_model::ids::{Partition, ProducerId};
use pumice_model::mutation::{Change, Expect, Mutation};

/// Bytes of a record's JSON.
const DATA: usize = 200;
/// When all of it was written, 2026-01-01.
pub const TIME: i64 = 1_767_225_600_000;
const CITIES: [&str; 8] =
    ["Bergen", "Cusco", "Dakar", "Erfurt", "Hobart", "Kyoto", "Lagos", "Quito"];

/// How many, over how many keys.
#[derive(Clone, Copy, Debug)]
pub struct Entries {
    /// Entries, one mutation each.
    pub total: u64,
    /// Keys, of which each entry updates a random one.
    pub keys: u64,
}

impl Entries {
    /// All of them in the order of the log, each with its partition.
    pub fn all(self, partitions: u32) -> impl Iterator<Item = (Partition, Entry)> {
        let mut next = vec![0; partitions as usize];
        (0..self.total).map(move |number| {
            let random = mix(number);
            let pk = pk(random % self.keys);
            let partition = Hash::Murmur2.partition(pk.as_bytes(), partitions);
            let sequence = next[partition.0 as usize];
            next[partition.0 as usize] += 1;
            (partition, entry(pk, sequence, random))
        })
    }

    /// Keys that certainly have a record: those of the last `count` entries.
    pub fn written(self, count: u64) -> impl Iterator<Item = String> {
        (self.total.saturating_sub(count)..self.total).map(move |n| pk(mix(n) % self.keys))
    }
}

fn pk(key: u64) -> String {
    format!("customer-{key:07}")
}

/// As a node would have made it, with the origin that tells repeats.
fn entry(pk: String, sequence: u64, random: u64) -> Entry {
    let change = Change::Put { data: data(random), ttl_ms: None };
    let mutation =
        Mutation { pk, sk: "profile".to_owned(), change, condition: None, expect: Expect::Any };
    Entry {
        origin: Some(Origin { producer: ProducerId(7), sequence }),
        time: TIME,
        write_id: None,
        dialect: DIALECT,
        mutations: vec![mutation],
    }
}

/// Half of it packs well, as records do; the rest is digits of a random number.
fn data(random: u64) -> String {
    let city = CITIES[(random >> 61) as usize];
    let balance = (random >> 20) % 1_000_000;
    let mut data = format!(
        concat!(
            r#"{{"city":"{}","balance":{},"active":true,"#,
            r#""tags":["customer","newsletter"],"note":""#
        ),
        city, balance
    );
    let mut word = random;
    while data.len() < DATA - 2 {
        word = mix(word);
        let digits = format!("{word:016x}");
        let room = (DATA - 2 - data.len()).min(digits.len());
        data.push_str(&digits[..room]);
    }
    data.push_str("\"}");
    data
}

/// splitmix64: prng.di.unimi.it/splitmix64.c.
fn mix(number: u64) -> u64 {
    let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
