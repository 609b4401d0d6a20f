//! (pure) One number for a partition's logical state: the sum modulo 2^128 of the hashes of its
//! logical rows. A sum, so that a write changes it by what it adds and removes; over bytes drawn
//! in FORMATS.md, never over an archive. Two replicas at one offset show the same number.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::ids::{Offset, ProducerId, WriteId};
use crate::row::Row;
use crate::time::Millis;

/// The sum so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StateHash(pub u128);

impl StateHash {
    /// Takes a logical row's hash in.
    pub fn add(&mut self, hash: u128) {
        self.0 = self.0.wrapping_add(hash);
    }

    /// Takes a logical row's hash out.
    pub fn remove(&mut self, hash: u128) {
        self.0 = self.0.wrapping_sub(hash);
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Hashes logical rows; keeps its scratch buffer.
#[derive(Debug, Default)]
pub struct Hasher(Vec<u8>);

impl Hasher {
    /// `1 | pk length (4) | pk | sk length (4) | sk | created | updated | expires | offset | data`
    pub fn row(&mut self, pk: &str, sk: &str, row: &Row<'_>) -> u128 {
        self.begin(1);
        for key in [pk, sk] {
            // Keys are bounded far below 4 GiB.
            self.0.extend_from_slice(&(key.len() as u32).to_le_bytes());
            self.0.extend_from_slice(key.as_bytes());
        }
        self.0.extend_from_slice(&row.created_at.to_le_bytes());
        self.0.extend_from_slice(&row.updated_at.to_le_bytes());
        self.0.extend_from_slice(&row.expires_at.to_le_bytes());
        self.0.extend_from_slice(&row.offset.to_le_bytes());
        self.0.extend_from_slice(row.data.as_bytes());
        xxh3_128(&self.0)
    }

    /// `2 | producer (16) | last sequence (8) | offset (8)`
    pub fn producer(&mut self, producer: ProducerId, sequence: u64, offset: Offset) -> u128 {
        self.begin(2);
        self.0.extend_from_slice(&producer.0.to_le_bytes());
        self.0.extend_from_slice(&sequence.to_le_bytes());
        self.0.extend_from_slice(&offset.0.to_le_bytes());
        xxh3_128(&self.0)
    }

    /// `3 | write id (16) | offset (8) | outcome byte (1)`
    pub fn write(&mut self, write: WriteId, offset: Offset, outcome: u8) -> u128 {
        self.begin(3);
        self.0.extend_from_slice(&write.0.to_le_bytes());
        self.0.extend_from_slice(&offset.0.to_le_bytes());
        self.0.push(outcome);
        xxh3_128(&self.0)
    }

    /// `4 | next offset (8) | log time (8)`
    pub fn position(&mut self, next: Offset, log_time: Millis) -> u128 {
        self.begin(4);
        self.0.extend_from_slice(&next.0.to_le_bytes());
        self.0.extend_from_slice(&log_time.to_le_bytes());
        xxh3_128(&self.0)
    }

    fn begin(&mut self, kind: u8) {
        self.0.clear();
        self.0.push(kind);
    }
}
