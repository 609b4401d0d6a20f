//! What the snapshots' thread counts. Written by it and by the threads that spool for it, read by
//! the admin port.

use super::counter::{Counter, Gauge, Histogram};

/// The counts of a node's snapshots.
#[derive(Debug, Default)]
pub struct SnapshotStats {
    /// Snapshots taken: their manifests are written.
    pub taken: Counter,
    /// Snapshots that could not be taken, aborted ones included.
    pub failed: Counter,
    /// Snapshots given up because their walk would have held the shard's pages for too long.
    pub aborted: Counter,
    /// Bytes of rows objects that were uploaded.
    pub uploaded_bytes: Counter,
    /// When the last one was taken, in milliseconds since the epoch; 0 before the first.
    pub last_success_ms: Gauge,
    /// Time from a snapshot's start to its manifest, in microseconds.
    pub durations: Histogram,
    /// Partitions restored from the objects.
    pub restores: Counter,
    /// Partitions restored from another node that holds them.
    pub streamed: Counter,
    /// Restores that ended without one.
    pub restore_failures: Counter,
    /// Snapshots that a restore found to be bad and did not install.
    pub bad_found: Counter,
    /// Snapshots that the last listing found to be damaged.
    pub damaged: Gauge,
    /// Snapshots and left-over rows removed.
    pub pruned: Counter,
    /// Bytes of rows of the last partition that was restored while serving.
    pub last_restored_bytes: Gauge,
    /// How long that took, from the log's wish on, in microseconds.
    pub last_restored_micros: Gauge,
    /// Partitions given to peers that take them over, whole.
    pub given: Counter,
    /// Bytes given.
    pub given_bytes: Counter,
    /// Asks of peers that were told to come again.
    pub given_busy: Counter,
}
