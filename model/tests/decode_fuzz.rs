//! Seeded bytes against the decoders of entries and keys: whatever they are given they answer,
//! and what they accept is exactly what the encoders would write.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use pumice_model::entry::{Entry, MARKER, Origin};
use pumice_model::ids::{Generation, Offset, Partition, ProducerId, WriteId};
use pumice_model::key::{KeyBuf, RowKey, after_prefix};
use pumice_model::mutation::{Change, Expect, Mutation};
use xxhash_rust::xxh3::xxh3_64;

const ROUNDS: u64 = 100_000;

/// splitmix64: the same sequence for a seed on every machine.
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let len = self.below(most + 1);
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// Text of few characters, so that prefixes and NULs are common.
    fn text(&mut self, most: usize) -> String {
        const LETTERS: [char; 7] = ['\0', '\u{1}', 'a', 'b', '\u{7f}', '\u{e9}', '\u{1F980}'];
        let len = self.below(most + 1);
        (0..len).map(|_| LETTERS[self.below(LETTERS.len())]).collect()
    }

    fn entry(&mut self) -> Entry {
        let origin = self.maybe(|s| Origin {
            producer: ProducerId(u128::from(s.next()) << 64 | u128::from(s.next())),
            sequence: s.next(),
        });
        let write_id = self.maybe(|s| WriteId(u128::from(s.next())));
        let (time, dialect) = (self.next() as i64, self.next() as u8);
        let mutations = (0..self.below(5)).map(|_| self.mutation()).collect();
        Entry { origin, time, write_id, dialect, mutations }
    }

    fn mutation(&mut self) -> Mutation {
        let (pk, sk) = (self.text(20), self.text(20));
        let change = match self.maybe(|s| (s.text(40), s.maybe(Self::next))) {
            Some((data, ttl_ms)) => Change::Put { data, ttl_ms },
            None => Change::Delete,
        };
        let condition = self.maybe(|s| s.text(30));
        let expect = match self.below(4) {
            0 => Expect::Any,
            1 => Expect::Absent,
            2 => Expect::Exists,
            _ => Expect::Offset(Offset(self.next())),
        };
        Mutation { pk, sk, change, condition, expect }
    }

    /// A few bytes changed, cut out, put in or cut off.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.insert(at, self.next() as u8),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at),
                _ if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
    }
}

/// Decoded or not, the answer is the only one.
fn one_answer(bytes: &[u8]) -> bool {
    let Ok(entry) = Entry::decode(bytes) else { return false };
    assert_eq!(entry.encode(), bytes, "two byte strings for {entry:?}");
    true
}

/// Puts the right checksum on a body, so that a spoiled one comes past it.
fn sealed(body: &[u8]) -> Vec<u8> {
    [body, &xxh3_64(body).to_le_bytes()].concat()
}

#[test]
fn an_entry_survives_its_bytes() {
    let mut s = Seed(1);
    for _ in 0..ROUNDS {
        let entry = s.entry();
        let bytes = entry.encode();
        assert_eq!(bytes.len(), entry.encoded_len());
        assert_eq!(Entry::decode(&bytes).unwrap(), entry);
    }
}

#[test]
fn spoiled_entries_are_refused_or_canonical() {
    let mut s = Seed(2);
    let mut accepted = 0;
    for _ in 0..ROUNDS {
        let mut bytes = s.entry().encode();
        let good = bytes.clone();
        s.spoil(&mut bytes);
        assert!(!one_answer(&bytes) || bytes == good, "the checksum let a change pass");
        let mut body = good[..good.len() - 8].to_vec();
        s.spoil(&mut body);
        accepted += u64::from(one_answer(&sealed(&body)));
    }
    assert!(accepted > ROUNDS / 20, "spoiling makes too little that decodes: {accepted}");
}

#[test]
fn random_bytes_are_no_trouble() {
    let mut s = Seed(3);
    for _ in 0..ROUNDS {
        one_answer(&s.bytes(80));
        one_answer(&sealed(&[&[MARKER, 1][..], &s.bytes(80)].concat()));
        let _ = RowKey::decode(&s.bytes(60));
    }
}

#[test]
fn a_row_key_survives_its_bytes_and_spoiled_ones_are_canonical() {
    let mut s = Seed(4);
    let (mut key, mut again) = (KeyBuf::new(), KeyBuf::new());
    for _ in 0..ROUNDS {
        let (partition, generation) = (Partition(s.next() as u32), Generation(s.next() as u32));
        let (pk, sk) = (s.text(12), s.text(12));
        let bytes = key.row(partition, generation, &pk, &sk);
        let expected = RowKey { partition, generation, pk: pk.clone(), sk: &sk };
        assert_eq!(RowKey::decode(bytes), Some(expected));
        let mut spoiled = bytes.to_vec();
        s.spoil(&mut spoiled);
        if let Some(found) = RowKey::decode(&spoiled) {
            let RowKey { partition, generation, pk, sk } = found;
            assert_eq!(again.row(partition, generation, &pk, sk), spoiled);
        }
    }
}

#[test]
fn key_order_is_pk_sk_order() {
    let mut s = Seed(5);
    let (mut one, mut two) = (KeyBuf::new(), KeyBuf::new());
    let (partition, generation) = (Partition(3), Generation(0));
    for _ in 0..ROUNDS {
        let (a, b) = ((s.text(12), s.text(4)), (s.text(12), s.text(4)));
        // Half of the time the pks share their beginning.
        let b = if s.below(2) == 0 { (a.0.clone() + &b.0, b.1) } else { b };
        let (key_a, key_b) = (
            one.row(partition, generation, &a.0, &a.1),
            two.row(partition, generation, &b.0, &b.1),
        );
        assert_eq!(key_a.cmp(key_b), a.cmp(&b), "{a:?} and {b:?}");
        // No pk's rows lie among another's.
        let own = two.pk(partition, generation, &a.0).to_vec();
        assert!(key_a.starts_with(&own));
        assert!(key_a < after_prefix(&own).unwrap().as_slice());
        let other = two.row(partition, generation, &b.0, &b.1);
        assert_eq!(other.starts_with(&own), a.0 == b.0, "{a:?} and {b:?}");
    }
}
