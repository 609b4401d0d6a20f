//! (pure) Bodies of `/v1/snapshots` on the admin port.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to a POST: a round over all partitions has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotStarted {
    /// The round's number, rising from 1 since the process started.
    pub id: u64,
}

/// The answer to a GET: the round that runs, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotRound {
    /// Its number; 0 before the first.
    pub id: u64,
    /// Whether it still runs.
    pub running: bool,
    /// Partitions that it takes.
    pub total: u64,
    /// Partitions whose manifest is written, or that had nothing new.
    pub done: u64,
    /// Partitions without one, and why.
    pub failed: Vec<SnapshotFailure>,
    /// Bytes uploaded so far.
    pub bytes: u64,
}

/// A partition without a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnapshotFailure {
    /// Which.
    pub partition: u32,
    /// Why.
    pub reason: String,
}
