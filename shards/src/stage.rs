//! Restoring a partition: logical rows go in under the generation after the live one, and one
//! transaction makes them live when they prove to be the state that a position names. Runs on the
//! apply thread, between batches; until that transaction nobody reads what is staged.

use std::borrow::Cow;

use heed::{MdbError, PutFlags, RwTxn};
use pumice_model::ids::{Generation, Offset, Partition, ProducerId, WriteId};
use pumice_model::json::compact;
use pumice_model::logical::Logical;
use pumice_model::row::{NEVER, Row};
use pumice_model::statehash::{StateHash, part};

use crate::apply::{Scratch, State};
use crate::env::Identity;
use crate::fault::Fault;
use crate::tables::{
    Position, Record, Tables, age_key, expiry_key, prefix, producer_key, seen_value, write_key,
    write_value,
};
use crate::writer::{Writer, admit_partition};

/// Why nothing was staged or made live.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StageFault {
    /// What was given is no state of this partition; the shard is sound and as it was.
    #[error("this cannot be restored: {0}; take another snapshot")]
    Snapshot(String),
    /// The machine could not.
    #[error(transparent)]
    Shard(#[from] Fault),
}

fn wrong(why: impl Into<String>) -> StageFault {
    StageFault::Snapshot(why.into())
}

/// What is known of a restore under way; as committed.
#[derive(Clone, Debug)]
pub(crate) struct Staging {
    pub generation: Generation,
    sum: StateHash,
    rows: u64,
    /// Logical rows of every kind.
    items: u64,
    /// The lowest offset that the next entry can have, by what was staged.
    least_next: u64,
    /// Kind and key of what was staged last; what comes next must be greater.
    last: Vec<u8>,
}

impl Writer {
    /// Begins a restore of a partition, and drops one that was under way. `false` when what an
    /// earlier one left behind is not all cleared yet, a bounded part each call: call again.
    pub fn stage_begin(&mut self, partition: Partition) -> Result<bool, Fault> {
        self.stage_abort(partition);
        self.attempt(|writer| {
            admit_partition(&writer.identity, partition)?;
            let live = writer.generation(partition).0;
            let Some(generation) = live.checked_add(1).map(Generation) else {
                return Err(Fault::broken(format!("partition {partition} has no generation left")));
            };
            if !writer.clear(partition, generation)? {
                return Ok(false);
            }
            let (sum, last) = (StateHash::default(), Vec::new());
            let staging = Staging { generation, sum, rows: 0, items: 0, least_next: 0, last };
            writer.stagings.insert(partition, staging);
            Ok(true)
        })
    }

    /// Stages logical rows, given as their bytes in the order of [`crate::Export::next`], which
    /// goes on over all calls. One synced transaction: worth a few MiB a call. On a fault nothing
    /// of this call is staged, and after [`Fault::Full`] it may be tried again.
    pub fn stage<'l>(
        &mut self,
        partition: Partition,
        logicals: impl IntoIterator<Item = &'l [u8]>,
    ) -> Result<(), StageFault> {
        let Some(staging) = self.stagings.get(&partition) else {
            return Err(wrong(format!("no restore of partition {partition} was begun")));
        };
        let mut staging = staging.clone();
        self.attempt(|writer| {
            let mut stage = Stage {
                tables: &writer.tables,
                identity: &writer.identity,
                txn: writer.tables.env.write_txn()?,
                partition,
                staging: &mut staging,
                scratch: &mut writer.scratch,
            };
            for bytes in logicals {
                match stage.logical(bytes) {
                    Err(StageFault::Shard(fault)) => return Err(fault),
                    Err(fault) => return Ok(Err(fault)),
                    Ok(()) => {}
                }
            }
            writer.tables.commit(stage.txn)?;
            writer.stagings.insert(partition, staging);
            Ok(Ok(()))
        })?
    }

    /// Makes what was staged the partition's state, at this position, which may lie before the
    /// present one or behind it. Only when it is that state: else nothing changes. What was live
    /// is left to [`Writer::sweep`].
    pub fn install(&mut self, partition: Partition, position: &Position) -> Result<(), StageFault> {
        let Some(staging) = self.stagings.get(&partition) else {
            return Err(wrong(format!("no restore of partition {partition} was begun")));
        };
        staging.prove(position)?;
        let record = Record { generation: staging.generation, position: *position };
        self.attempt(|writer| {
            let mut txn = writer.tables.env.write_txn()?;
            let key = partition.0.to_be_bytes();
            writer.tables.partitions.put(&mut txn, &key, &record.encode())?;
            writer.tables.commit(txn)?;
            let state = State::of(&record, &mut writer.scratch.hasher);
            writer.states.insert(partition, state);
            writer.producers.drop_partition(partition);
            writer.stagings.remove(&partition);
            writer.swept = false;
            Ok(())
        })?;
        Ok(())
    }

    /// Gives a restore up; no fault when none was begun. What it staged is left to
    /// [`Writer::sweep`].
    pub fn stage_abort(&mut self, partition: Partition) {
        if self.stagings.remove(&partition).is_some() {
            self.swept = false;
        }
    }
}

impl Staging {
    /// Whether what was staged is the state that a position names.
    fn prove(&self, position: &Position) -> Result<(), StageFault> {
        let Position { next, rows, hash, .. } = *position;
        if next == Offset(0) && *position != Position::ZERO {
            return Err(wrong(format!("no entry was applied, yet the state hash is {hash}")));
        }
        if self.least_next > next.0 {
            let newest = self.least_next - 1;
            return Err(wrong(format!(
                "a part of it is of offset {newest}, it ends before {next}"
            )));
        }
        if self.rows != rows {
            return Err(wrong(format!("{} rows came, it should have {rows}", self.rows)));
        }
        if !position.agrees(self.sum) {
            return Err(wrong(format!("what came does not have the state hash {hash}")));
        }
        Ok(())
    }

    /// Holds the order: by kind, then by key.
    fn rise(&mut self, kind: u8, key: &[u8]) -> Result<(), StageFault> {
        let rises = match self.last.split_first() {
            Some((last_kind, last_key)) => (*last_kind, last_key) < (kind, key),
            None => true,
        };
        if !rises {
            return Err(wrong(format!("part {} is out of order", self.items)));
        }
        self.last.clear();
        self.last.push(kind);
        self.last.extend_from_slice(key);
        Ok(())
    }
}

/// One call's part of a restore.
struct Stage<'s, 'e> {
    tables: &'s Tables,
    identity: &'s Identity,
    txn: RwTxn<'e>,
    partition: Partition,
    staging: &'s mut Staging,
    scratch: &'s mut Scratch,
}

impl Stage<'_, '_> {
    fn logical(&mut self, bytes: &[u8]) -> Result<(), StageFault> {
        let item = self.staging.items;
        let Some(logical) = Logical::decode(bytes) else {
            return Err(wrong(format!("part {item} is no row, producer or write id")));
        };
        let Some(next) = logical.offset().0.checked_add(1) else {
            return Err(wrong(format!("part {item} is of an offset that no log gives")));
        };
        match logical {
            Logical::Row { pk, sk, row } => self.row(pk, sk, &row)?,
            Logical::Producer { producer, sequence, offset } => {
                self.producer(producer, sequence, offset)?;
            }
            Logical::Write { write, offset, outcome } => self.write(write, offset, outcome)?,
        }
        self.staging.sum.add(part(bytes));
        self.staging.items += 1;
        self.staging.least_next = self.staging.least_next.max(next);
        Ok(())
    }

    fn row(&mut self, pk: &str, sk: &str, row: &Row<'_>) -> Result<(), StageFault> {
        let home = self.identity.hash.partition(pk.as_bytes(), self.identity.partitions);
        if home != self.partition {
            return Err(wrong(format!("row {pk:?}/{sk:?} belongs to partition {home}")));
        }
        if !matches!(compact(row.data), Ok(Cow::Borrowed(_))) {
            return Err(wrong(format!("the data of row {pk:?}/{sk:?} is not compact JSON")));
        }
        let key = self.scratch.key.row(self.partition, self.staging.generation, pk, sk);
        self.staging.rise(1, key)?;
        row.encode(&mut self.scratch.row);
        self.tables.rows.put(&mut self.txn, key, self.scratch.row.bytes()).map_err(Fault::from)?;
        if row.expires_at != NEVER {
            let expiry = &mut self.scratch.expiry_key;
            expiry_key(key, row.expires_at, expiry);
            self.tables.expiry.put(&mut self.txn, expiry, &[]).map_err(Fault::from)?;
        }
        self.staging.rows += 1;
        Ok(())
    }

    fn producer(
        &mut self,
        producer: ProducerId,
        sequence: u64,
        offset: Offset,
    ) -> Result<(), StageFault> {
        let key = producer_key(prefix(self.partition, self.staging.generation), producer);
        self.staging.rise(2, &key)?;
        let value = seen_value(sequence, offset);
        self.tables.producers.put(&mut self.txn, &key, &value).map_err(Fault::from)?;
        Ok(())
    }

    fn write(&mut self, write: WriteId, offset: Offset, outcome: u8) -> Result<(), StageFault> {
        let prefix = prefix(self.partition, self.staging.generation);
        let (key, age) = (write_key(prefix, write), age_key(prefix, offset));
        self.staging.rise(3, &key)?;
        let value = write_value(offset, outcome);
        self.tables.writes.put(&mut self.txn, &key, &value).map_err(Fault::from)?;
        let (once, id) = (PutFlags::NO_OVERWRITE, write.0.to_be_bytes());
        match self.tables.write_ages.put_with_flags(&mut self.txn, once, &age, &id) {
            Ok(()) => Ok(()),
            Err(heed::Error::Mdb(MdbError::KeyExist)) => {
                Err(wrong(format!("two write ids are of offset {offset}")))
            }
            Err(error) => Err(Fault::from(error).into()),
        }
    }
}
