//! (pure) What the log stores: a header and one batch of mutations for one partition.
//! All of an entry is applied, or none of it.

mod codec;

pub use codec::{DecodeError, MARKER};

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
    /// The entry, or why its bytes are none.
    pub entry: Result<Entry, DecodeError>,
}
