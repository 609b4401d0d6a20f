//! The tables of a shard's environment and the bytes of their small records, drawn in
//! docs/FORMATS.md. Shared read-only by the apply thread and every reading thread.
//! Never holds a transaction.

use heed::types::Bytes;
use heed::{Env, RwTxn, WithTls};
use pumice_model::ids::{Generation, Offset, Partition, ProducerId, WriteId};
use pumice_model::key::PREFIX;
use pumice_model::statehash::{Hasher, StateHash};
use pumice_model::time::Millis;

use crate::fault::Fault;

/// Keys and values are bytes; the codecs stand beside the code that reads them.
pub(crate) type Table = heed::Database<'static, Bytes, Bytes>;

/// The tables of an environment, in the order of [`Tables`].
pub(crate) const NAMES: [&str; 7] =
    ["meta", "partitions", "rows", "expiry", "producers", "writes", "write_ages"];

/// An open environment and its tables.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    pub env: Env<WithTls>,
    /// Name of a table -> what LMDB keeps of it; read only.
    pub main: Table,
    /// What the environment belongs to: name -> text.
    pub meta: Table,
    /// partition -> [`Record`].
    pub partitions: Table,
    /// Row key -> row, both of `pumice_model`.
    pub rows: Table,
    /// [`expiry_key`] -> nothing, for every row that expires.
    pub expiry: Table,
    /// [`producer_key`] -> [`seen_value`].
    pub producers: Table,
    /// [`write_key`] -> [`write_value`].
    pub writes: Table,
    /// [`age_key`] -> write id, the index of `writes` by offset.
    pub write_ages: Table,
}

/// How far a partition has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The lowest offset that the next entry can have.
    pub next: Offset,
    /// The highest log timestamp seen; 0 before the first entry.
    pub log_time: Millis,
    /// The state hash; 0 before the first entry.
    pub hash: StateHash,
    /// Stored rows, expired ones that were not reaped yet included.
    pub rows: u64,
    /// Record hash of the last entry applied, to tell the log that it came from by; 0 when
    /// unknown, and no part of the state hash.
    pub last: u64,
}

impl Position {
    /// Of a partition that has had no entry.
    pub const ZERO: Self =
        Self { next: Offset(0), log_time: 0, hash: StateHash(0), rows: 0, last: 0 };

    /// Whether logical rows whose parts sum to this, and no others, have this state hash.
    pub fn agrees(&self, sum: StateHash) -> bool {
        self.sum(&mut Hasher::default()) == sum
    }

    /// The hash without the part that the position itself adds.
    pub(crate) fn sum(&self, hasher: &mut Hasher) -> StateHash {
        let mut sum = self.hash;
        sum.remove(self.part(hasher));
        sum
    }

    /// What the position itself adds to the hash: nothing before the first entry.
    pub(crate) fn part(&self, hasher: &mut Hasher) -> u128 {
        if self.next == Offset(0) { 0 } else { hasher.position(self.next, self.log_time) }
    }
}

const RECORD_FORMAT: u8 = 2;
/// Ended with the rows.
const RECORD_FORMAT_1: u8 = 1;
const RECORD_LEN: usize = 1 + 4 + 8 + 8 + 16 + 8 + 8;

/// A partition's row in the `partitions` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub generation: Generation,
    pub position: Position,
}

impl Record {
    pub const ZERO: Self = Self { generation: Generation(0), position: Position::ZERO };

    /// `format (1) | generation (4) | next (8) | log time (8) | hash (16) | rows (8) | last (8)`
    pub fn encode(&self) -> [u8; RECORD_LEN] {
        let mut out = [0; RECORD_LEN];
        out[0] = RECORD_FORMAT;
        out[1..5].copy_from_slice(&self.generation.0.to_le_bytes());
        out[5..13].copy_from_slice(&self.position.next.0.to_le_bytes());
        out[13..21].copy_from_slice(&self.position.log_time.to_le_bytes());
        out[21..37].copy_from_slice(&self.position.hash.0.to_le_bytes());
        out[37..45].copy_from_slice(&self.position.rows.to_le_bytes());
        out[45..].copy_from_slice(&self.position.last.to_le_bytes());
        out
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (next, rest) = rest.split_first_chunk()?;
        let (log_time, rest) = rest.split_first_chunk()?;
        let (hash, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let last = match *format {
            RECORD_FORMAT => u64::from_le_bytes(rest.try_into().ok()?),
            RECORD_FORMAT_1 if rest.is_empty() => 0,
            _ => return None,
        };
        let position = Position {
            next: Offset(u64::from_le_bytes(*next)),
            log_time: i64::from_le_bytes(*log_time),
            hash: StateHash(u128::from_le_bytes(*hash)),
            rows: u64::from_le_bytes(*rows),
            last,
        };
        Some(Self { generation: Generation(u32::from_le_bytes(*generation)), position })
    }
}

impl Tables {
    /// The tables in the order of [`NAMES`].
    pub fn new(env: Env<WithTls>, main: Table, tables: [Table; NAMES.len()]) -> Self {
        let [meta, partitions, rows, expiry, producers, writes, write_ages] = tables;
        Self { env, main, meta, partitions, rows, expiry, producers, writes, write_ages }
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> usize {
        self.env.unnamed_database_stat().page_size as usize
    }

    /// The record of a partition, as this transaction sees it.
    pub fn record(&self, txn: &heed::RoTxn<'_>, partition: Partition) -> Result<Record, Fault> {
        match self.partitions.get(txn, &partition.0.to_be_bytes())? {
            None => Ok(Record::ZERO),
            Some(bytes) => Record::decode(bytes)
                .ok_or_else(|| Fault::broken(format!("record of partition {partition}"))),
        }
    }

    /// The tables whose keys begin with a [`prefix`].
    pub fn of_generations(&self) -> [Table; 5] {
        [self.rows, self.expiry, self.producers, self.writes, self.write_ages]
    }

    /// Commits, and returns when it is on the disk.
    pub fn commit(&self, txn: RwTxn<'_>) -> Result<(), Fault> {
        txn.commit().map_err(|error| Fault::of_write(error, self.env.path()))
    }
}

/// Where a partition's life begins in every table but `meta` and `partitions`.
pub(crate) fn prefix(partition: Partition, generation: Generation) -> [u8; PREFIX] {
    let both = u64::from(partition.0) << 32 | u64::from(generation.0);
    both.to_be_bytes()
}

/// The partition and the generation of a key that begins with a [`prefix`].
pub(crate) fn split_prefix(key: &[u8]) -> Option<(Partition, Generation)> {
    let both = u64::from_be_bytes(*key.first_chunk::<PREFIX>()?);
    Some((Partition((both >> 32) as u32), Generation(both as u32)))
}

/// `prefix | expires at (8, BE, sign flipped) | what follows the prefix in the row's key`
pub(crate) fn expiry_key(row_key: &[u8], expires_at: Millis, out: &mut Vec<u8>) {
    let (prefix, rest) = row_key.split_at(PREFIX);
    out.clear();
    out.extend_from_slice(prefix);
    out.extend_from_slice(&sortable(expires_at));
    out.extend_from_slice(rest);
}

/// An expiry key taken apart: when, and the key of the row.
pub(crate) fn split_expiry(key: &[u8]) -> Option<(Millis, Vec<u8>)> {
    let (prefix, rest) = key.split_first_chunk::<PREFIX>()?;
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let time = (u64::from_be_bytes(*time) ^ SIGN).cast_signed();
    Some((time, [prefix, rest].concat()))
}

const SIGN: u64 = 1 << 63;

/// Bytes whose order is the order of times.
fn sortable(time: Millis) -> [u8; 8] {
    (time.cast_unsigned() ^ SIGN).to_be_bytes()
}

/// `prefix | producer (16, BE)`
pub(crate) fn producer_key(prefix: [u8; PREFIX], producer: ProducerId) -> [u8; PREFIX + 16] {
    with_id(prefix, producer.0)
}

/// `prefix | write id (16, BE)`
pub(crate) fn write_key(prefix: [u8; PREFIX], write: WriteId) -> [u8; PREFIX + 16] {
    with_id(prefix, write.0)
}

fn with_id(prefix: [u8; PREFIX], id: u128) -> [u8; PREFIX + 16] {
    let mut key = [0; PREFIX + 16];
    key[..PREFIX].copy_from_slice(&prefix);
    key[PREFIX..].copy_from_slice(&id.to_be_bytes());
    key
}

/// `prefix | offset (8, BE)`
pub(crate) fn age_key(prefix: [u8; PREFIX], offset: Offset) -> [u8; PREFIX + 8] {
    let mut key = [0; PREFIX + 8];
    key[..PREFIX].copy_from_slice(&prefix);
    key[PREFIX..].copy_from_slice(&offset.0.to_be_bytes());
    key
}

/// The id behind the prefix of a producer or write key.
pub(crate) fn id_of(key: &[u8]) -> Option<u128> {
    Some(u128::from_be_bytes(key.get(PREFIX..)?.try_into().ok()?))
}

/// The offset behind the prefix of an age key.
pub(crate) fn age_of(key: &[u8]) -> Option<Offset> {
    Some(Offset(u64::from_be_bytes(key.get(PREFIX..)?.try_into().ok()?)))
}

/// `last sequence (8, LE) | offset (8, LE)`
pub(crate) fn seen_value(sequence: u64, offset: Offset) -> [u8; 16] {
    (u128::from(offset.0) << 64 | u128::from(sequence)).to_le_bytes()
}

/// A producer's value taken apart.
pub(crate) fn split_seen(value: &[u8]) -> Option<(u64, Offset)> {
    let (sequence, offset) = value.split_first_chunk::<8>()?;
    let offset = u64::from_le_bytes(offset.try_into().ok()?);
    Some((u64::from_le_bytes(*sequence), Offset(offset)))
}

/// `offset (8, LE) | outcome byte (1)`
pub(crate) fn write_value(offset: Offset, outcome: u8) -> [u8; 9] {
    let mut value = [0; 9];
    value[..8].copy_from_slice(&offset.0.to_le_bytes());
    value[8] = outcome;
    value
}

/// A write id's value taken apart.
pub(crate) fn split_write(value: &[u8]) -> Option<(Offset, u8)> {
    let (offset, outcome) = value.split_first_chunk::<8>()?;
    let [outcome] = *outcome else { return None };
    Some((Offset(u64::from_le_bytes(*offset)), outcome))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn expiry_keys_sort_by_time_and_give_the_row_back() {
        let times = [Millis::MIN, -1, 0, 1, 1_700_000_000_000, Millis::MAX];
        let row = b"\0\0\0\x01\0\0\0\x02pk and sk";
        let mut last = vec![];
        for time in times {
            let mut key = vec![];
            expiry_key(row, time, &mut key);
            assert!(key > last);
            assert_eq!(split_expiry(&key).unwrap(), (time, row.to_vec()));
            last = key;
        }
        assert_eq!(split_expiry(&last[..15]), None);
    }

    #[test]
    fn records_survive_their_bytes() {
        let (next, hash) = (Offset(7), StateHash(u128::MAX - 5));
        let position = Position { next, log_time: -3, hash, rows: 9, last: u64::MAX - 1 };
        let record = Record { generation: Generation(4), position };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        assert_eq!(Record::decode(&bytes[1..]), None);
        assert_eq!(Record::decode(&[bytes.as_slice(), &[0]].concat()), None);
        assert_eq!(Record::decode(&bytes[..45]), None);
        assert_eq!(Record::decode(&[&[3], &bytes[1..]].concat()), None);
        assert_eq!(split_seen(&seen_value(5, Offset(6))), Some((5, Offset(6))));
        assert_eq!(split_write(&write_value(Offset(6), 128)), Some((Offset(6), 128)));
        let prefix = prefix(Partition(1), Generation(2));
        assert_eq!(prefix, [0, 0, 0, 1, 0, 0, 0, 2]);
        assert_eq!(split_prefix(&prefix), Some((Partition(1), Generation(2))));
        assert_eq!(id_of(&write_key(prefix, WriteId(8))), Some(8));
        assert_eq!(age_of(&age_key(prefix, Offset(8))), Some(Offset(8)));
    }

    #[test]
    fn records_of_format_1_are_read() {
        let bytes = [&[1, 4, 0, 0, 0, 7][..], &[0; 15], &[5], &[0; 15], &[9], &[0; 7]].concat();
        let (next, hash) = (Offset(7), StateHash(5));
        let position = Position { next, log_time: 0, hash, rows: 9, last: 0 };
        let record = Record { generation: Generation(4), position };
        assert_eq!(Record::decode(&bytes), Some(record));
        assert_eq!(Record::decode(&[bytes.as_slice(), &[0; 8]].concat()), None);
    }
}
