//! What one shard counts and what state it is in. Written by its owner thread, read anywhere.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use pumice_model::outcome::{Outcome, Refusal};

use super::counter::{Counter, Gauge, Histogram};

/// What a shard can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ShardState {
    /// Reads and writes.
    Serving = 0,
    /// Reads; the last write found no room and the next one tries again.
    Full = 1,
    /// Reads of its last good state, until it is restored.
    Broken = 2,
}

/// The counts of one shard.
#[derive(Debug, Default)]
pub struct ShardStats {
    state: AtomicU8,
    broken_because: OnceLock<String>,
    /// Entries applied, refused ones and duplicates included.
    pub entries: Counter,
    /// Entries that were applied.
    pub applied: Counter,
    /// Entries seen before.
    pub duplicates: Counter,
    refused: [Counter; 10],
    /// Commits that found no room.
    pub full: Counter,
    /// Entries a batch.
    pub batch_entries: Histogram,
    /// Time of one apply with its commit, in microseconds.
    pub commit: Histogram,
    /// Entries submitted and not yet judged.
    pub queue_entries: Gauge,
    /// Their bytes.
    pub queue_bytes: Gauge,
    /// Submissions that were turned away at the inbox.
    pub turned_away: Counter,
}

impl ShardStats {
    /// What the shard can do now.
    pub fn state(&self) -> ShardState {
        match self.state.load(Ordering::Acquire) {
            0 => ShardState::Serving,
            1 => ShardState::Full,
            _ => ShardState::Broken,
        }
    }

    /// The shard took a batch.
    pub fn set_serving(&self) {
        self.state.store(ShardState::Serving as u8, Ordering::Release);
    }

    /// The shard found no room. Tells whether it had room before.
    pub fn set_full(&self) -> bool {
        self.full.add(1);
        let before = self.state.swap(ShardState::Full as u8, Ordering::AcqRel);
        before != ShardState::Full as u8
    }

    /// The shard takes no more entries; the first reason stays.
    pub fn set_broken(&self, because: String) {
        let _ = self.broken_because.set(because);
        self.state.store(ShardState::Broken as u8, Ordering::Release);
    }

    /// Why it is broken.
    pub fn broken_because(&self) -> Option<&str> {
        self.broken_because.get().map(String::as_str)
    }

    /// Counts what one entry did.
    pub fn judged(&self, outcome: Outcome) {
        match outcome {
            Outcome::Applied { .. } => self.applied.add(1),
            Outcome::Duplicate => self.duplicates.add(1),
            Outcome::Refused(refusal) => self.refused[refusal as usize].add(1),
        }
    }

    /// Entries refused for this reason.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].get()
    }
}
