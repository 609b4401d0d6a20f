//! (pure) A logical row as a byte string of its own, whatever tables store it: what the state hash
//! sums and what a snapshot carries, drawn in FORMATS.md. Decoding is total and strict, because a
//! snapshot comes from elsewhere.

use crate::ids::{Offset, ProducerId, WriteId};
use crate::limits::{PK_MAX, PK_MIN, SK_MAX, VALUE_MAX};
use crate::outcome::Outcome;
use crate::row::Row;

const ROW: u8 = 1;
const PRODUCER: u8 = 2;
const WRITE: u8 = 3;

/// One logical row of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logical<'a> {
    /// A record.
    Row {
        /// The partition key.
        pk: &'a str,
        /// The sort key.
        sk: &'a str,
        /// What is stored under them.
        row: Row<'a>,
    },
    /// The last sequence of a producer, and the entry that brought it.
    Producer {
        /// Who.
        producer: ProducerId,
        /// Its last sequence.
        sequence: u64,
        /// The entry's offset.
        offset: Offset,
    },
    /// A remembered write id.
    Write {
        /// The id.
        write: WriteId,
        /// The offset of the entry that had it first.
        offset: Offset,
        /// The durable byte of that entry's outcome.
        outcome: u8,
    },
}

impl<'a> Logical<'a> {
    /// Writes the byte string over `out`:
    /// `1 | pk length (4) | pk | sk length (4) | sk | created | updated | expires | offset | data`,
    /// `2 | producer (16) | last sequence (8) | offset (8)` or
    /// `3 | write id (16) | offset (8) | outcome byte (1)`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Row { pk, sk, row } => {
                out.push(ROW);
                for key in [pk, sk] {
                    // Keys are bounded far below 4 GiB.
                    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
                    out.extend_from_slice(key.as_bytes());
                }
                out.extend_from_slice(&row.created_at.to_le_bytes());
                out.extend_from_slice(&row.updated_at.to_le_bytes());
                out.extend_from_slice(&row.expires_at.to_le_bytes());
                out.extend_from_slice(&row.offset.to_le_bytes());
                out.extend_from_slice(row.data.as_bytes());
            }
            Self::Producer { producer, sequence, offset } => {
                out.push(PRODUCER);
                out.extend_from_slice(&producer.0.to_le_bytes());
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(&offset.0.to_le_bytes());
            }
            Self::Write { write, offset, outcome } => {
                out.push(WRITE);
                out.extend_from_slice(&write.0.to_le_bytes());
                out.extend_from_slice(&offset.0.to_le_bytes());
                out.push(*outcome);
            }
        }
    }

    /// Takes a byte string apart; `None` when it is none, or a part of it is beyond its limit.
    /// Whether a row's data is JSON is not looked at.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            ROW => decode_row(rest),
            PRODUCER => {
                let (producer, rest) = rest.split_first_chunk()?;
                let (sequence, rest) = rest.split_first_chunk()?;
                let offset = rest.try_into().ok()?;
                Some(Self::Producer {
                    producer: ProducerId(u128::from_le_bytes(*producer)),
                    sequence: u64::from_le_bytes(*sequence),
                    offset: Offset(u64::from_le_bytes(offset)),
                })
            }
            WRITE => {
                let (write, rest) = rest.split_first_chunk()?;
                let (offset, rest) = rest.split_first_chunk()?;
                let [outcome] = *rest else { return None };
                Outcome::from_byte(outcome)?;
                let write = WriteId(u128::from_le_bytes(*write));
                Some(Self::Write { write, offset: Offset(u64::from_le_bytes(*offset)), outcome })
            }
            _ => None,
        }
    }

    /// The entry that wrote it last.
    pub fn offset(&self) -> Offset {
        match self {
            Self::Row { row, .. } => row.written_by(),
            Self::Producer { offset, .. } | Self::Write { offset, .. } => *offset,
        }
    }
}

fn decode_row(bytes: &[u8]) -> Option<Logical<'_>> {
    let (pk, rest) = split_text(bytes)?;
    let (sk, rest) = split_text(rest)?;
    let (created, rest) = rest.split_first_chunk()?;
    let (updated, rest) = rest.split_first_chunk()?;
    let (expires, rest) = rest.split_first_chunk()?;
    let (offset, data) = rest.split_first_chunk()?;
    let fits = (PK_MIN..=PK_MAX).contains(&pk.len()) && sk.len() <= SK_MAX;
    if !fits || data.len() > VALUE_MAX {
        return None;
    }
    let row = Row {
        created_at: i64::from_le_bytes(*created),
        updated_at: i64::from_le_bytes(*updated),
        expires_at: i64::from_le_bytes(*expires),
        offset: u64::from_le_bytes(*offset),
        data: std::str::from_utf8(data).ok()?,
    };
    Some(Logical::Row { pk, sk, row })
}

/// `length (4) | text`, and what follows.
fn split_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::NEVER;

    fn some<'a>(pk: &'a str, sk: &'a str, data: &'a str) -> [Logical<'a>; 3] {
        let row = Row { created_at: -1, updated_at: 2, expires_at: NEVER, offset: 4, data };
        let (producer, write) = (ProducerId(u128::MAX - 9), WriteId(7));
        [
            Logical::Row { pk, sk, row },
            Logical::Producer { producer, sequence: u64::MAX, offset: Offset(5) },
            Logical::Write { write, offset: Offset(6), outcome: 128 },
        ]
    }

    #[test]
    fn each_survives_its_bytes() {
        let (pk, sk) = ("p".repeat(PK_MAX), "\u{e9}".repeat(SK_MAX / 2));
        let data = "1".repeat(VALUE_MAX);
        for (pk, sk, data) in [("a", "", ""), (&*pk, &*sk, &*data)] {
            for logical in some(pk, sk, data) {
                let mut bytes = vec![0xff; 3];
                logical.encode(&mut bytes);
                assert_eq!(Logical::decode(&bytes), Some(logical));
            }
        }
        assert_eq!(some("a", "", "").map(|logical| logical.offset().0), [4, 5, 6]);
    }

    #[test]
    fn what_is_beyond_a_limit_is_none() {
        let long = ["p".repeat(PK_MAX + 1), "s".repeat(SK_MAX + 1), "1".repeat(VALUE_MAX + 1)];
        for (pk, sk, data) in
            [("", "", "1"), (&*long[0], "", "1"), ("a", &*long[1], "1"), ("a", "", &*long[2])]
        {
            let mut bytes = vec![];
            some(pk, sk, data)[0].encode(&mut bytes);
            assert_eq!(Logical::decode(&bytes), None, "{} {}", pk.len(), sk.len());
        }
    }

    #[test]
    fn no_byte_may_be_missing_left_over_or_of_another_kind() {
        for (at, logical) in some("pk", "sk", "1").into_iter().enumerate() {
            let mut bytes = vec![];
            logical.encode(&mut bytes);
            // A row ends with its data, so one byte less is a shorter text.
            let fixed = bytes.len() - usize::from(at == 0);
            for cut in 0..fixed {
                assert_eq!(Logical::decode(&bytes[..cut]), None, "{logical:?} cut at {cut}");
            }
            bytes.push(0xff);
            assert_eq!(Logical::decode(&bytes), None);
            bytes.pop();
            for kind in [0, 4, 0xff] {
                bytes[0] = kind;
                assert_eq!(Logical::decode(&bytes), None);
            }
        }
        let mut bytes = vec![];
        some("a", "", "")[2].encode(&mut bytes);
        bytes[25] = 200;
        assert_eq!(Logical::decode(&bytes), None, "no outcome has this byte");
    }
}
