//! A partition's logical rows as byte strings, out of one read transaction: what a snapshot is
//! made of. Runs on the thread of its [`crate::View`]; never copies a row more than once and
//! keeps one copy at most.

use std::hint::black_box;
use std::iter::Fuse;

use heed::types::Bytes;
use heed::{RoPrefix, RoTxn};
use pumice_model::ids::{Partition, ProducerId, WriteId};
use pumice_model::key::RowKey;
use pumice_model::logical::Logical;
use pumice_model::row::Row;

use crate::fault::Fault;
use crate::reader::View;
use crate::tables::{Position, Table, id_of, prefix, split_seen, split_write};

/// Rows looked up at a time: of 256 bytes each they fill half of a first-level cache of 32 KiB.
const AHEAD: usize = 64;
const CACHE_LINE: usize = 64;
/// Lines of a value that are looked at ahead; of a longer one the rest comes by itself, in order.
const LINES_AHEAD: usize = 8;

/// Logical rows by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records, expired ones that were not reaped yet included.
    pub rows: u64,
    /// Producers whose last sequence is known.
    pub producers: u64,
    /// Write ids remembered.
    pub writes: u64,
}

/// A walk over the logical rows of one partition at one position.
pub struct Export<'t> {
    position: Position,
    given: Counts,
    rows: Walk<'t>,
    producers: Walk<'t>,
    writes: Walk<'t>,
    pk: String,
    bytes: Vec<u8>,
}

/// A table's part of the walk. It looks some rows ahead, so that memory that no cache has is waited
/// for many lines at a time, where row after row would wait for one after the other.
struct Walk<'t> {
    table: Fuse<RoPrefix<'t, Bytes, Bytes>>,
    ahead: Vec<Item<'t>>,
    given: usize,
}

/// A key and its value.
type Item<'t> = (&'t [u8], &'t [u8]);

impl View<'_> {
    /// Begins a walk over a partition; of one that has had no entry it is empty.
    pub fn export(&self, partition: Partition) -> Result<Export<'_>, Fault> {
        let record = self.tables.record(&self.txn, partition)?;
        let prefix = prefix(partition, record.generation);
        let txn: &RoTxn<'_> = &self.txn;
        let walk = |table: Table| Ok::<_, Fault>(Walk::new(table.prefix_iter(txn, &prefix)?));
        Ok(Export {
            position: record.position,
            given: Counts::default(),
            rows: walk(self.tables.rows)?,
            producers: walk(self.tables.producers)?,
            writes: walk(self.tables.writes)?,
            pk: String::new(),
            bytes: Vec::new(),
        })
    }
}

impl Export<'_> {
    /// Where in its log the partition stands.
    pub fn position(&self) -> Position {
        self.position
    }

    /// What was given so far.
    pub fn counts(&self) -> Counts {
        self.given
    }

    /// The bytes of the next [`Logical`]: rows in key order, then producers, then write ids, both
    /// in the order of their numbers. `None` after the last.
    #[expect(clippy::should_implement_trait, reason = "what is given is lent until the next call")]
    pub fn next(&mut self) -> Result<Option<&[u8]>, Fault> {
        if let Some((key, value)) = self.rows.next()? {
            let unreadable = || Fault::broken(format!("row {key:x?}"));
            let (_, _, sk) = RowKey::split(key, &mut self.pk).ok_or_else(unreadable)?;
            let row = Row::decode(value).map_err(|_| unreadable())?;
            Logical::Row { pk: &self.pk, sk, row }.encode(&mut self.bytes);
            self.given.rows += 1;
            return Ok(Some(&self.bytes));
        }
        if let Some((key, value)) = self.producers.next()? {
            let (Some(id), Some((sequence, offset))) = (id_of(key), split_seen(value)) else {
                return Err(Fault::broken(format!("producer row {key:x?}")));
            };
            let producer = ProducerId(id);
            Logical::Producer { producer, sequence, offset }.encode(&mut self.bytes);
            self.given.producers += 1;
            return Ok(Some(&self.bytes));
        }
        if let Some((key, value)) = self.writes.next()? {
            let (Some(id), Some((offset, outcome))) = (id_of(key), split_write(value)) else {
                return Err(Fault::broken(format!("write id row {key:x?}")));
            };
            Logical::Write { write: WriteId(id), offset, outcome }.encode(&mut self.bytes);
            self.given.writes += 1;
            return Ok(Some(&self.bytes));
        }
        Ok(None)
    }
}

impl<'t> Walk<'t> {
    fn new(table: RoPrefix<'t, Bytes, Bytes>) -> Self {
        Self { table: table.fuse(), ahead: Vec::with_capacity(AHEAD), given: 0 }
    }

    fn next(&mut self) -> Result<Option<Item<'t>>, Fault> {
        if self.given == self.ahead.len() {
            self.look_ahead()?;
        }
        let item = self.ahead.get(self.given).copied();
        self.given += usize::from(item.is_some());
        Ok(item)
    }

    fn look_ahead(&mut self) -> Result<(), Fault> {
        self.given = 0;
        self.ahead.clear();
        for item in self.table.by_ref().take(AHEAD) {
            self.ahead.push(item?);
        }
        // Nothing waits for what is loaded here, the root of an archive at its end included.
        for (_, value) in &self.ahead {
            let lines = value.iter().step_by(CACHE_LINE).take(LINES_AHEAD);
            for byte in lines.chain(value.last()) {
                black_box(*byte);
            }
        }
        Ok(())
    }
}
