//! (pure) What the log stores: a header and one batch of mutations for one partition.
//! All of an entry is applied, or none of it.

mod codec;
mod foreign;

pub use codec::{DecodeError, MARKER};
use xxhash_rust::xxh3::Xxh3;

use crate::ids::{Offset, Partition, ProducerId, WriteId};
use crate::mutation::Mutation;
use crate::time::Millis;

/// One entry. An empty batch is a *tick*: it only moves log time and reaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Who appended it, and as which one; `None` from a log that cannot repeat itself.
    pub origin: Option<Origin>,
    /// The entry's own time: created, updated and expiry times come from it.
    pub time: Millis,
    /// The client's name for this write.
    pub write_id: Option<WriteId>,
    /// The dialect of the conditions in it.
    pub dialect: u8,
    /// At most [`crate::limits::BATCH_MAX`], all of one partition, made in this order.
    pub mutations: Vec<Mutation>,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The process that appended it.
    pub producer: ProducerId,
    /// Rising by at least one from entry to entry of one producer in one partition.
    pub sequence: u64,
}

/// An entry with the place and time that the log gave it.
#[derive(Clone, Debug)]
pub struct Logged {
    /// The partition it stands in.
    pub partition: Partition,
    /// Its offset there.
    pub offset: Offset,
    /// The log's own timestamp of the record.
    pub log_time: Millis,
    /// [`record_hash`] of the record that the log keeps; 0 from a log that keeps none.
    pub hash: u64,
    /// The entry, or why its bytes are none.
    pub entry: Result<Entry, DecodeError>,
}

/// What tells a record of the log from another at the same offset: xxh3-64 over
/// `log time (8) | key length (4) | key | value`, a missing key or value being empty.
pub fn record_hash(log_time: Millis, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    let mut hasher = Xxh3::new();
    let key = key.unwrap_or_default();
    hasher.update(&log_time.to_le_bytes());
    // Records are bounded far below 4 GiB.
    hasher.update(&(key.len() as u32).to_le_bytes());
    hasher.update(key);
    hasher.update(value.unwrap_or_default());
    hasher.digest()
}
