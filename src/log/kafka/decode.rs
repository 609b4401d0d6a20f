//! (pure) What one fetch brought, as entries: control batches and what aborted transactions left
//! are stepped over, everything else becomes an entry or the reason why it is none.

use std::collections::HashSet;

use bytes::Bytes;
use pumice_model::entry::{DecodeError, Entry, Logged, MARKER, record_hash};
use pumice_model::ids::{Offset, Partition};

use super::records::{Batch, BatchFault, next_batch};

/// What a fetch brought.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The entries, offsets rising.
    pub logged: Vec<Logged>,
    /// Where the next fetch goes on.
    pub next: u64,
    /// What the records were.
    pub kinds: Kinds,
}

/// Records by what they were.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Entries of ours.
    pub entries: u64,
    /// JSON mutations of others.
    pub foreign: u64,
    /// Without a value.
    pub tombstones: u64,
    /// Nothing known.
    pub garbage: u64,
    /// Batches that were no data: control batches, and those of aborted transactions.
    pub skipped: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

/// The transactions that were aborted in what a fetch brought: producer and first offset.
pub type Aborted = Vec<(i64, i64)>;

/// Reads `records`, of which those below `at` were had before.
pub fn decode(
    partition: Partition,
    at: u64,
    mut records: Bytes,
    mut aborted: Aborted,
) -> Result<Decoded, BatchFault> {
    let mut decoded = Decoded { next: at, ..Decoded::default() };
    let mut open = HashSet::new();
    while let Some(batch) = next_batch(&mut records)? {
        let last = u64::try_from(batch.last()).unwrap_or_default();
        begin(batch.last(), &mut aborted, &mut open);
        let producer = batch.transaction_of();
        if last < decoded.next {
            continue;
        }
        if batch.is_control() {
            // It ends its producer's transaction.
            producer.map(|producer| open.remove(&producer));
            decoded.kinds.skipped += 1;
        } else if producer.is_some_and(|producer| open.contains(&producer)) {
            decoded.kinds.skipped += 1;
        } else {
            read(partition, &batch, &mut decoded);
        }
        decoded.next = last + 1;
    }
    Ok(decoded)
}

fn read(partition: Partition, batch: &Batch, decoded: &mut Decoded) {
    let Decoded { logged, next, kinds } = decoded;
    let whole = batch.read(|record| {
        let Ok(offset) = u64::try_from(record.offset) else { return };
        if offset < *next || logged.last().is_some_and(|last: &Logged| last.offset.0 >= offset) {
            return;
        }
        let (key, value) = (record.key, record.value);
        let entry = Entry::read(value);
        let kind = match (&entry, value) {
            (Ok(_), Some([MARKER, ..])) => &mut kinds.entries,
            (Ok(_), _) => &mut kinds.foreign,
            (Err(_), None) => &mut kinds.tombstones,
            (Err(_), Some(_)) => &mut kinds.garbage,
        };
        *kind += 1;
        kinds.bytes += (key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len)) as u64;
        let hash = record_hash(record.time, key, value);
        let (offset, log_time) = (Offset(offset), record.time);
        logged.push(Logged { partition, offset, log_time, hash, entry });
    });
    // Records that cannot be read stand as one entry that is refused, at the end of their batch:
    // every replica sees the same, and none of them stops here for ever.
    let last = Offset(u64::try_from(batch.last()).unwrap_or_default());
    if !whole && logged.last().is_none_or(|known| known.offset < last) {
        kinds.garbage += 1;
        let entry = Err(DecodeError::Length);
        let log_time = batch.most_time();
        logged.push(Logged { partition, offset: last, log_time, hash: 0, entry });
    }
}

/// Moves the aborted transactions that have begun at `last` to the open ones.
fn begin(last: i64, aborted: &mut Aborted, open: &mut HashSet<i64>) {
    aborted.retain(|(producer, first)| {
        let begun = *first <= last;
        if begun {
            open.insert(*producer);
        }
        !begun
    });
}
