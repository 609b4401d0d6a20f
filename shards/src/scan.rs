//! Walking rows in key order, forward or backward, inside one read transaction.
//! Runs on the thread of its [`crate::View`]; yields rows where they lie, with no copy.

use std::ops::Bound;

use heed::types::Bytes;
use heed::{RoRange, RoRevRange, RoTxn};
use pumice_model::ids::{Generation, Partition};
use pumice_model::key::{KeyBuf, RowKey, after_prefix};
use pumice_model::row::Row;

use crate::fault::Fault;
use crate::tables::Table;

/// What a scan walks, and which way.
#[derive(Clone, Copy, Debug)]
pub struct Range<'a> {
    /// The partition.
    pub partition: Partition,
    /// The rows of it.
    pub span: Span<'a>,
    /// From the upper end to the lower one.
    pub reverse: bool,
}

/// Rows of a partition that lie side by side. Bounds are in key order whichever way the scan
/// goes; an empty span is no fault.
#[derive(Clone, Copy, Debug)]
pub enum Span<'a> {
    /// Rows of one pk, in order of sk.
    Pk {
        /// The partition key.
        pk: &'a str,
        /// What every sk begins with.
        prefix: &'a str,
        /// The lowest sk.
        lower: Bound<&'a str>,
        /// The highest sk.
        upper: Bound<&'a str>,
    },
    /// Rows of every pk, in order of (pk, sk).
    Partition {
        /// The lowest (pk, sk).
        lower: Bound<(&'a str, &'a str)>,
        /// The highest (pk, sk).
        upper: Bound<(&'a str, &'a str)>,
    },
}

impl<'a> Span<'a> {
    /// Every row of a pk.
    pub fn pk(pk: &'a str) -> Self {
        Self::Pk { pk, prefix: "", lower: Bound::Unbounded, upper: Bound::Unbounded }
    }

    /// Every row of the partition.
    pub fn all() -> Self {
        Self::Partition { lower: Bound::Unbounded, upper: Bound::Unbounded }
    }
}

/// A walk; an iterator over `Result<(RowKey, Row), Fault>`.
pub struct Scan<'t>(Walk<'t>);

enum Walk<'t> {
    Forward(RoRange<'t, Bytes, Bytes>),
    Backward(RoRevRange<'t, Bytes, Bytes>),
}

impl<'t> Scan<'t> {
    pub(crate) fn new(
        rows: Table,
        txn: &'t RoTxn<'_>,
        generation: Generation,
        range: &Range<'_>,
    ) -> Result<Self, Fault> {
        let (lower, upper) = bounds(generation, range);
        let between = (as_slice(&lower), as_slice(&upper));
        Ok(Self(if range.reverse {
            Walk::Backward(rows.rev_range(txn, &between)?)
        } else {
            Walk::Forward(rows.range(txn, &between)?)
        }))
    }
}

impl<'t> Iterator for Scan<'t> {
    type Item = Result<(RowKey<'t>, Row<'t>), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.0 {
            Walk::Forward(walk) => walk.next(),
            Walk::Backward(walk) => walk.next(),
        }?;
        Some(item.map_err(Fault::from).and_then(|(key, value)| {
            let found = RowKey::decode(key).zip(Row::decode(value).ok());
            found.ok_or_else(|| Fault::broken(format!("row {key:x?}")))
        }))
    }
}

type ByteBound = Bound<Vec<u8>>;

/// The span as bytes of the `rows` table.
fn bounds(generation: Generation, range: &Range<'_>) -> (ByteBound, ByteBound) {
    let partition = range.partition;
    let mut key = KeyBuf::new();
    match range.span {
        Span::Pk { pk, prefix, lower, upper } => {
            let all = key.row(partition, generation, pk, prefix).to_vec();
            let mut row = |sk| key.row(partition, generation, pk, sk).to_vec();
            within(&all, lower.map(&mut row), upper.map(&mut row))
        }
        Span::Partition { lower, upper } => {
            let all = key.partition(partition, generation).to_vec();
            let mut row = |(pk, sk)| key.row(partition, generation, pk, sk).to_vec();
            within(&all, lower.map(&mut row), upper.map(&mut row))
        }
    }
}

/// Narrows bounds to the keys that begin with `prefix`.
fn within(prefix: &[u8], lower: ByteBound, upper: ByteBound) -> (ByteBound, ByteBound) {
    let lower = match lower {
        Bound::Included(key) | Bound::Excluded(key) if key.as_slice() < prefix => None,
        Bound::Unbounded => None,
        inside => Some(inside),
    };
    let end = after_prefix(prefix);
    let past = |key: &[u8]| end.as_deref().is_some_and(|end| key >= end);
    let upper = match upper {
        Bound::Included(key) | Bound::Excluded(key) if past(&key) => None,
        Bound::Unbounded => None,
        inside => Some(inside),
    };
    let lower = lower.unwrap_or_else(|| Bound::Included(prefix.to_vec()));
    (lower, upper.unwrap_or_else(|| end.map_or(Bound::Unbounded, Bound::Excluded)))
}

fn as_slice(bound: &ByteBound) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}
