//! What one partition must hold after the entries of its journals: a plain ordered map, and the
//! outcome that each entry must have had. Written apart from the store; shares the hashes only.

use std::collections::BTreeMap;

use pumice_model::ids::{Offset, WriteId};
use pumice_model::outcome::{Outcome, Refusal};
use pumice_model::row::Row;
use pumice_model::statehash::{Hasher, StateHash};
use pumice_shards::Position;

/// (pk, sk).
pub type Key = (String, String);

/// One entry that a writer asked for.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The client's name for it.
    pub id: Option<WriteId>,
    /// What it does, all or nothing.
    pub changes: Vec<Change>,
}

/// One row's part of an entry.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose row.
    pub key: Key,
    /// Its number, or none for a delete.
    pub n: Option<u64>,
    /// What must hold before.
    pub guard: Guard,
}

/// What must hold before a change.
#[derive(Clone, Copy, Debug)]
pub enum Guard {
    /// Nothing.
    None,
    /// No row.
    Absent,
    /// A row.
    Exists,
    /// The row that the entry at this offset wrote.
    At(u64),
    /// A row whose number is above this one.
    Above(u64),
}

/// A row as the model knows it; its times are taken from the stored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The writer's number.
    pub n: u64,
    /// Who wrote it last.
    pub offset: u64,
}

/// One partition.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The next entry's offset.
    pub next: u64,
    rows: BTreeMap<Key, Kept>,
    /// The hashes of all remembered write ids.
    writes: StateHash,
}

/// The JSON text of a row's value.
pub fn text(n: u64) -> String {
    format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat((n % 97) as usize))
}

impl Draft {
    /// Whether it leaves a row that names it, if it is applied.
    pub fn puts(&self) -> bool {
        self.changes.iter().any(|change| change.n.is_some())
    }

    /// Whether it may be refused.
    pub fn guarded(&self) -> bool {
        self.changes.iter().any(|change| !matches!(change.guard, Guard::None))
    }
}

impl Slice {
    /// Applies an entry and gives its outcome.
    pub fn apply(&mut self, offset: u64, draft: &Draft) -> Outcome {
        assert_eq!(offset, self.next, "entries come one after the other");
        self.next += 1;
        let outcome = match draft.changes.iter().find_map(|change| self.refusal(change)) {
            Some(refusal) => Outcome::Refused(refusal),
            None => Outcome::Applied { created: self.make(offset, draft) },
        };
        if let Some(id) = draft.id {
            self.writes.add(Hasher::default().write(id, Offset(offset), outcome.to_byte()));
        }
        outcome
    }

    fn refusal(&self, change: &Change) -> Option<Refusal> {
        let row = self.rows.get(&change.key);
        match change.guard {
            Guard::Absent if row.is_some() => Some(Refusal::ExpectedAbsent),
            Guard::Exists if row.is_none() => Some(Refusal::ExpectedExists),
            Guard::At(offset) if row.is_none_or(|row| row.offset != offset) => {
                Some(Refusal::ExpectedOffset)
            }
            Guard::Above(n) if row.is_none_or(|row| row.n <= n) => Some(Refusal::ConditionFalse),
            _ => None,
        }
    }

    fn make(&mut self, offset: u64, draft: &Draft) -> bool {
        let mut created = false;
        for Change { key, n, .. } in &draft.changes {
            created |= match n {
                Some(n) => self.rows.insert(key.clone(), Kept { n: *n, offset }).is_none(),
                None => {
                    self.rows.remove(key);
                    false
                }
            };
        }
        created
    }

    /// Whether the stored rows and the stored hash are this state's.
    pub fn agrees(&self, position: &Position, stored: &BTreeMap<Key, Stored>) -> bool {
        let same = |((key, kept), (at, row)): ((&Key, &Kept), (&Key, &Stored))| {
            key == at && kept.offset == row.offset && row.data == text(kept.n)
        };
        let rows = self.rows.len() == stored.len() && self.rows.iter().zip(stored).all(same);
        rows && self.next == position.next.0 && self.hash(position, stored) == position.hash
    }

    fn hash(&self, position: &Position, stored: &BTreeMap<Key, Stored>) -> StateHash {
        let (mut sum, mut hasher) = (self.writes, Hasher::default());
        for ((pk, sk), row) in stored {
            sum.add(hasher.row(pk, sk, &row.row()));
        }
        if self.next > 0 {
            sum.add(hasher.position(Offset(self.next), position.log_time));
        }
        sum
    }
}

/// A row as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    times: [i64; 3],
    /// Who wrote it last.
    pub offset: u64,
    /// Its value.
    pub data: String,
}

impl Stored {
    /// A copy of a row.
    pub fn of(row: &Row<'_>) -> Self {
        let times = [row.created_at, row.updated_at, row.expires_at];
        Self { times, offset: row.offset, data: row.data.to_owned() }
    }

    fn row(&self) -> Row<'_> {
        let [created_at, updated_at, expires_at] = self.times;
        Row { created_at, updated_at, expires_at, offset: self.offset, data: &self.data }
    }
}
