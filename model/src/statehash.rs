//! (pure) One number for a partition's logical state: the sum modulo 2^128 of the hashes of its
//! logical rows. A sum, so that a write changes it by what it adds and removes; over bytes drawn
//! in FORMATS.md, never over an archive. Two replicas at one offset show the same number.

use std::fmt;

use xxhash_rust::xxh3::xxh3_128;

use crate::ids::{Offset, ProducerId, WriteId};
use crate::logical::Logical;
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
    /// The part of a record, stored or not.
    pub fn row(&mut self, pk: &str, sk: &str, row: &Row<'_>) -> u128 {
        self.logical(&Logical::Row { pk, sk, row: *row })
    }

    /// The part of a producer's last sequence.
    pub fn producer(&mut self, producer: ProducerId, sequence: u64, offset: Offset) -> u128 {
        self.logical(&Logical::Producer { producer, sequence, offset })
    }

    /// The part of a remembered write id.
    pub fn write(&mut self, write: WriteId, offset: Offset, outcome: u8) -> u128 {
        self.logical(&Logical::Write { write, offset, outcome })
    }

    /// The part of the position: `4 | next offset (8) | log time (8)`.
    pub fn position(&mut self, next: Offset, log_time: Millis) -> u128 {
        self.0.clear();
        self.0.push(4);
        self.0.extend_from_slice(&next.0.to_le_bytes());
        self.0.extend_from_slice(&log_time.to_le_bytes());
        part(&self.0)
    }

    fn logical(&mut self, logical: &Logical<'_>) -> u128 {
        logical.encode(&mut self.0);
        part(&self.0)
    }
}

/// What one logical row, given as its bytes, adds to the sum.
pub fn part(logical: &[u8]) -> u128 {
    xxh3_128(logical)
}
