//! The state machine once more, from DESIGN's words and over plain ordered maps: what the tests
//! compare the store with. Written apart from it; shares the model's words and row hashes only.
#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;

use pumice_model::condition;
use pumice_model::entry::{Entry, Logged};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ProducerId, Token, WriteId};
use pumice_model::json::compact;
use pumice_model::limits::{BATCH_MAX, ENTRY_MAX, PK_MAX, SK_MAX, TTL_MAX_MS, VALUE_MAX};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_model::outcome::{Outcome, Refusal, Verdict};
use pumice_model::row::{NEVER, Row};
use pumice_model::statehash::{Hasher, StateHash};

pub type Key = (String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub created_at: i64,
    pub updated_at: i64,
    pub expires_at: i64,
    pub offset: u64,
    pub data: String,
}

#[derive(Clone, Debug, Default)]
pub struct Slice {
    pub next: u64,
    pub log_time: i64,
    pub rows: BTreeMap<Key, Stored>,
    pub producers: BTreeMap<u128, (u64, u64)>,
    pub writes: BTreeMap<u128, (u64, Outcome)>,
}

/// Every partition of a namespace.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub hash: Hash,
    pub partitions: u32,
    pub slices: BTreeMap<Partition, Slice>,
}

const TWO_HOURS: i64 = 7_200_000;
const A_MILLION: u64 = 1_000_000;

impl Oracle {
    pub fn new(hash: Hash, partitions: u32) -> Self {
        Self { hash, partitions, slices: BTreeMap::new() }
    }

    pub fn apply(&mut self, logged: &Logged) -> Verdict {
        let home = |pk: &str| self.hash.partition(pk.as_bytes(), self.partitions);
        let misplaced = match &logged.entry {
            Ok(entry) => entry.mutations.iter().map(|m| home(&m.pk) != logged.partition).collect(),
            Err(_) => vec![],
        };
        let slice = self.slices.entry(logged.partition).or_default();
        let offset = logged.offset.0;
        assert!(offset >= slice.next, "the test sends offsets that go back");
        slice.log_time = slice.log_time.max(logged.log_time);
        let (outcome, at) = match &logged.entry {
            Err(_) => (Outcome::Refused(Refusal::Undecodable), offset),
            Ok(entry) => slice.entry(entry, offset, &misplaced),
        };
        slice.reap();
        slice.forget(offset);
        let before = std::mem::replace(&mut slice.next, offset + 1);
        if before / 65_536 < slice.next / 65_536 {
            slice.producers.retain(|_, (_, last)| *last + A_MILLION > offset);
        }
        let token = Token { partition: logged.partition, offset: Offset(at) };
        Verdict { outcome, token }
    }

    /// The state hash, from all that is there.
    pub fn state_hash(&self, partition: Partition) -> StateHash {
        let mut sum = StateHash::default();
        let mut hasher = Hasher::default();
        let Some(slice) = self.slices.get(&partition) else { return sum };
        for ((pk, sk), stored) in &slice.rows {
            sum.add(hasher.row(pk, sk, &stored.row()));
        }
        for (id, (sequence, offset)) in &slice.producers {
            sum.add(hasher.producer(ProducerId(*id), *sequence, Offset(*offset)));
        }
        for (id, (offset, outcome)) in &slice.writes {
            sum.add(hasher.write(WriteId(*id), Offset(*offset), outcome.to_byte()));
        }
        sum.add(hasher.position(Offset(slice.next), slice.log_time));
        sum
    }
}

impl Stored {
    pub fn row(&self) -> Row<'_> {
        let Self { created_at, updated_at, expires_at, offset, ref data } = *self;
        Row { created_at, updated_at, expires_at, offset, data }
    }
}

impl Slice {
    fn entry(&mut self, entry: &Entry, offset: u64, misplaced: &[bool]) -> (Outcome, u64) {
        if let Some(origin) = entry.origin {
            let last = self.producers.get(&origin.producer.0);
            if last.is_some_and(|(sequence, _)| origin.sequence <= *sequence) {
                return (Outcome::Duplicate, offset);
            }
            self.producers.insert(origin.producer.0, (origin.sequence, offset));
        }
        let known = entry.write_id.and_then(|id| self.writes.get(&id.0));
        if let Some((first, outcome)) = known.filter(|(first, _)| first + A_MILLION > offset) {
            return (*outcome, *first);
        }
        let outcome = match self.refusal(entry, misplaced) {
            Some(refusal) => Outcome::Refused(refusal),
            None => Outcome::Applied { created: self.make(entry, offset) },
        };
        if let Some(id) = entry.write_id {
            self.writes.insert(id.0, (offset, outcome));
        }
        (outcome, offset)
    }

    fn refusal(&self, entry: &Entry, misplaced: &[bool]) -> Option<Refusal> {
        if entry.mutations.len() > BATCH_MAX || entry.encode().len() > ENTRY_MAX {
            return Some(Refusal::Malformed);
        }
        for (mutation, misplaced) in entry.mutations.iter().zip(misplaced) {
            if !well_formed(mutation) {
                return Some(Refusal::Malformed);
            }
            let text = mutation.condition.as_deref();
            if text.is_some_and(|t| condition::Condition::parse(entry.dialect, t).is_err()) {
                return Some(Refusal::ConditionInvalid);
            }
            if *misplaced {
                return Some(Refusal::Misplaced);
            }
        }
        entry.mutations.iter().find_map(|mutation| self.judge(mutation, entry))
    }

    fn judge(&self, mutation: &Mutation, entry: &Entry) -> Option<Refusal> {
        let key = (mutation.pk.clone(), mutation.sk.clone());
        let row = self.rows.get(&key).filter(|row| row.expires_at > entry.time);
        let met = match mutation.expect {
            Expect::Any => Ok(()),
            Expect::Absent if row.is_some() => Err(Refusal::ExpectedAbsent),
            Expect::Exists if row.is_none() => Err(Refusal::ExpectedExists),
            Expect::Offset(at) if row.is_none_or(|r| r.offset != at.0) => {
                Err(Refusal::ExpectedOffset)
            }
            _ => Ok(()),
        };
        if let Err(refusal) = met {
            return Some(refusal);
        }
        match answer(mutation.condition.as_deref()?, row) {
            Some(true) => None,
            Some(false) => Some(Refusal::ConditionFalse),
            None => Some(Refusal::ConditionError),
        }
    }

    fn make(&mut self, entry: &Entry, offset: u64) -> bool {
        let mut created = false;
        for mutation in &entry.mutations {
            let key = (mutation.pk.clone(), mutation.sk.clone());
            let Change::Put { data, ttl_ms } = &mutation.change else {
                self.rows.remove(&key);
                continue;
            };
            let seen = self.rows.get(&key).filter(|row| row.expires_at > entry.time);
            created |= seen.is_none();
            let ttl = ttl_ms.map(|ttl| i64::try_from(ttl).expect("within a hundred years"));
            let stored = Stored {
                created_at: seen.map_or(entry.time, |row| row.created_at),
                updated_at: entry.time,
                expires_at: ttl.map_or(NEVER, |ttl| entry.time.saturating_add(ttl)),
                offset,
                data: compact(data).expect("well formed").into_owned(),
            };
            self.rows.insert(key, stored);
        }
        created
    }

    fn reap(&mut self) {
        let cutoff = self.log_time - TWO_HOURS;
        let expired = self.rows.iter().filter(|(_, row)| row.expires_at <= cutoff);
        let mut due: Vec<_> = expired.map(|(key, row)| (row.expires_at, key.clone())).collect();
        due.sort();
        for (_, key) in due.iter().take(64) {
            self.rows.remove(key);
        }
    }

    fn forget(&mut self, offset: u64) {
        let old = self.writes.iter().filter(|(_, (at, _))| at + A_MILLION <= offset);
        let mut due: Vec<_> = old.map(|(id, (at, _))| (*at, *id)).collect();
        due.sort_unstable();
        for (_, id) in due.iter().take(2) {
            self.writes.remove(id);
        }
    }
}

fn well_formed(mutation: &Mutation) -> bool {
    let keys = (1..=PK_MAX).contains(&mutation.pk.len()) && mutation.sk.len() <= SK_MAX;
    let change = match &mutation.change {
        Change::Delete => true,
        Change::Put { data, ttl_ms } => {
            compact(data).is_ok_and(|data| data.len() <= VALUE_MAX)
                && ttl_ms.is_none_or(|ttl| (1..=TTL_MAX_MS).contains(&ttl))
        }
    };
    keys && change
}

/// What the statements of [`STATEMENTS`] answer, said without the parser; `None` is an error.
fn answer(statement: &str, row: Option<&Stored>) -> Option<bool> {
    let n: Option<i64> =
        row.and_then(|row| row.data.strip_prefix("{\"n\":")?.strip_suffix('}')?.parse().ok());
    match statement {
        "pk == null" => Some(row.is_none()),
        "data == null" => Some(row.is_none_or(|row| row.data == "null")),
        "data.n == 1" => Some(n == Some(1)),
        // Without a row or data the second half is not judged; nil is in no order with 1.
        "data != null && data.n > 1" if row.is_none_or(|row| row.data == "null") => Some(false),
        "data != null && data.n > 1" => n.map(|n| n > 1),
        "pk != null && _updated_at >= 1000" => Some(row.is_some_and(|r| r.updated_at >= 1_000)),
        "_created_at == _updated_at" => Some(row.is_none_or(|r| r.created_at == r.updated_at)),
        "data.n < \"x\"" => None,
        other => panic!("the oracle does not know the statement {other}"),
    }
}

/// Statements that the oracle can answer, and two that nobody can parse.
pub const STATEMENTS: [&str; 9] = [
    "pk == null",
    "data == null",
    "data.n == 1",
    "data != null && data.n > 1",
    "pk != null && _updated_at >= 1000",
    "_created_at == _updated_at",
    "data.n < \"x\"",
    "data ==",
    "1 + 1",
];
