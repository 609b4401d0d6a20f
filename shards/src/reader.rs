//! Reading a shard: any thread, no lock, each read a transaction of its own in a closure.
//! A closure cannot cross an await, so no read can hold pages for longer than it runs.
//! Never writes, and never waits for a commit.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use heed::{MdbError, RoTxn, WithTls};
use pumice_model::ids::Partition;
use pumice_model::key::KeyBuf;
use pumice_model::row::Row;

use crate::env::open_last_good;
use crate::fault::Fault;
use crate::scan::{Range, Scan};
use crate::tables::{Position, Tables};

thread_local! {
    static KEY: RefCell<KeyBuf> = RefCell::new(KeyBuf::new());
}

/// Reads one shard; cheap to clone, one for each thread.
#[derive(Clone, Debug)]
pub struct Reader {
    tables: Tables,
    /// Which environment this reads, of all that the process ever opened.
    number: u64,
    /// The same file once more, after LMDB gave `tables` up; opened by the first who needs it.
    last_good: Arc<OnceLock<Result<Tables, Fault>>>,
}

/// What an environment uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that it can hold at most.
    pub map_bytes: u64,
    /// Bytes of its file that were ever used.
    pub used_bytes: u64,
    /// Bytes of pages that hold rows and indexes now; what is left of `used_bytes` is free for
    /// the next writes, or kept for readers of older states.
    pub live_bytes: u64,
    /// Reader slots taken, one for each thread that has ever read.
    pub readers: u32,
    /// Reader slots there are.
    pub readers_max: u32,
    /// Transactions committed.
    pub transactions: u64,
}

impl Reader {
    pub(crate) fn new(tables: Tables) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { tables, number, last_good: Arc::default() }
    }

    /// Runs `f` on the state as of the last commit. A read of the same shard inside `f` is a
    /// fault (LMDB's BAD_RSLOT), and touches nothing.
    pub fn read<R>(&self, f: impl FnOnce(&View<'_>) -> R) -> Result<R, Fault> {
        let (is_last_good, (tables, txn)) = match self.tables.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::Panic)) => (true, self.read_last_good()?),
            txn => (false, (&self.tables, txn?)),
        };
        let state = State { environment: self.number, is_last_good, txn: txn.id() };
        Ok(f(&View { tables, txn, state }))
    }

    /// A failed write of the meta page makes LMDB refuse reads as well, though what was committed
    /// before it stands untouched: it is read through a second, read-only environment.
    fn read_last_good(&self) -> Result<(&Tables, RoTxn<'_, WithTls>), Fault> {
        let opened = self.last_good.get_or_init(|| Ok(open_last_good(&self.tables)?));
        let tables = opened.as_ref().map_err(Clone::clone)?;
        Ok((tables, tables.env.read_txn()?))
    }

    /// What the environment uses, for metrics.
    pub fn usage(&self) -> Result<Usage, Fault> {
        let page = self.tables.page_size() as u64;
        let live_pages = self.read(|view| view.live_pages())??;
        let info = self.tables.env.info();
        Ok(Usage {
            map_bytes: info.map_size as u64,
            used_bytes: (info.last_page_number as u64 + 1) * page,
            live_bytes: live_pages * page,
            readers: info.number_of_readers,
            readers_max: info.maximum_number_of_readers,
            transactions: info.last_txn_id as u64,
        })
    }
}

/// One state of a shard, for as long as a closure runs.
pub struct View<'t> {
    pub(crate) tables: &'t Tables,
    pub(crate) txn: RoTxn<'t, WithTls>,
    pub(crate) state: State,
}

/// Which state a view is of, as its transaction's id says: the trees that it sees may be of a later
/// commit. Two views of one state that see the same trees see the same bytes at the same places: a
/// state never changes, and an environment that a view is of has been open since it got its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    environment: u64,
    is_last_good: bool,
    txn: usize,
}

impl View<'_> {
    /// How far a partition has come; [`Position::ZERO`] when it has had no entry.
    pub fn position(&self, partition: Partition) -> Result<Position, Fault> {
        Ok(self.tables.record(&self.txn, partition)?.position)
    }

    /// The stored row, an expired one too: ask [`Row::visible`].
    pub fn row(&self, partition: Partition, pk: &str, sk: &str) -> Result<Option<Row<'_>>, Fault> {
        let generation = self.tables.record(&self.txn, partition)?.generation;
        let bytes = KEY.with_borrow_mut(|buffer| {
            self.tables.rows.get(&self.txn, buffer.row(partition, generation, pk, sk))
        })?;
        let row = bytes.map(Row::decode).transpose();
        row.map_err(|fault| Fault::broken(fault.to_string()))
    }

    /// Walks rows in (pk, sk) order or against it; expired ones too.
    pub fn scan(&self, range: &Range<'_>) -> Result<Scan<'_>, Fault> {
        let generation = self.tables.record(&self.txn, range.partition)?.generation;
        Scan::new(self.tables.rows, &self.txn, generation, range)
    }

    fn live_pages(&self) -> Result<u64, Fault> {
        let Tables { meta, partitions, rows, expiry, producers, writes, write_ages, .. } =
            self.tables;
        let mut pages = 0;
        for table in [meta, partitions, rows, expiry, producers, writes, write_ages] {
            let stat = table.stat(&self.txn)?;
            pages += stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
        }
        Ok(pages as u64)
    }
}
