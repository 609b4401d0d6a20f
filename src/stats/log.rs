//! What the log's thread counts. Written by it alone, read by the admin port.

use super::counter::{Counter, Gauge, Histogram};

/// The counts of a node's log.
#[derive(Debug, Default)]
pub struct LogStats {
    /// 1 while the broker answers.
    pub connected: Gauge,
    /// Records that were entries of ours.
    pub entries: Counter,
    /// Records that were JSON mutations of others.
    pub foreign: Counter,
    /// Records without a value.
    pub tombstones: Counter,
    /// Records that were nothing known; each is applied as *refused*.
    pub garbage: Counter,
    /// Control batches stepped over.
    pub control: Counter,
    /// Bytes of keys and values that came.
    pub fetched_bytes: Counter,
    /// Fetches that failed and were tried again.
    pub fetch_faults: Counter,
    /// Batches that the broker acknowledged.
    pub produced_batches: Counter,
    /// Entries that the broker acknowledged.
    pub produced_entries: Counter,
    /// Produces that failed and were sent again, with the same sequences.
    pub produce_repeats: Counter,
    /// Entries given up after their bytes may have left: nobody knows whether the log has them.
    pub produce_unknown: Counter,
    /// Entries that never left: turned away because the broker could not be reached in time.
    pub produce_unsent: Counter,
    /// Time from a produce's start to its acknowledgement, in microseconds.
    pub produce: Histogram,
}
