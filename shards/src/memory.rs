//! What was seen before: the last sequence of each producer, and the outcomes of write ids.
//! Runs on the apply thread. Producers are kept in memory from batch to batch and stored once a
//! batch; never remembers more than the tables after a commit.

use std::collections::BTreeMap;

use heed::RwTxn;
use pumice_model::ids::{Offset, Partition, ProducerId, Token, WriteId};
use pumice_model::limits::REMEMBER_OFFSETS;
use pumice_model::outcome::{Outcome, Verdict};

use crate::apply::{State, Work};
use crate::fault::Fault;
use crate::tables::{
    Tables, age_key, prefix, producer_key, seen_value, split_seen, split_write, write_key,
    write_value,
};

/// Producers kept in memory; past it all are dropped and read again when they come back.
const KEPT: usize = 16_384;

/// The producers met lately.
#[derive(Debug, Default)]
pub(crate) struct Producers {
    known: BTreeMap<(Partition, ProducerId), Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    sequence: u64,
    offset: Offset,
    stored: bool,
}

impl Producers {
    /// Writes what changed into the transaction.
    pub fn store(
        &mut self,
        tables: &Tables,
        txn: &mut RwTxn<'_>,
        touched: &BTreeMap<Partition, State>,
    ) -> Result<(), Fault> {
        for (&partition, state) in touched {
            self.store_partition(tables, txn, partition, state)?;
        }
        Ok(())
    }

    /// [`Producers::store`] for one partition.
    pub fn store_partition(
        &mut self,
        tables: &Tables,
        txn: &mut RwTxn<'_>,
        partition: Partition,
        state: &State,
    ) -> Result<(), Fault> {
        let all = (partition, ProducerId(0))..=(partition, ProducerId(u128::MAX));
        for ((_, producer), known) in self.known.range_mut(all).filter(|(_, k)| !k.stored) {
            let key = producer_key(prefix(partition, state.generation), *producer);
            tables.producers.put(txn, &key, &seen_value(known.sequence, known.offset))?;
            known.stored = true;
        }
        Ok(())
    }

    /// After a commit: bounds what is kept.
    pub fn stored(&mut self) {
        if self.known.len() > KEPT {
            self.known.clear();
        }
    }

    /// After an abort: nothing in memory can be trusted.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// After a partition began another life.
    pub fn drop_partition(&mut self, partition: Partition) {
        self.known.retain(|(of, _), _| *of != partition);
    }

    pub fn drop_one(&mut self, partition: Partition, producer: ProducerId) {
        self.known.remove(&(partition, producer));
    }
}

impl Work<'_, '_> {
    /// Whether this producer's sequence came before.
    pub fn seen(&mut self, producer: ProducerId, sequence: u64) -> Result<bool, Fault> {
        if let Some(known) = self.producers.known.get(&(self.partition, producer)) {
            return Ok(sequence <= known.sequence);
        }
        let key = producer_key(self.prefix(), producer);
        let Some(value) = self.tables.producers.get(self.txn, &key)? else { return Ok(false) };
        let (last, offset) =
            split_seen(value).ok_or_else(|| Fault::broken(format!("producer row {key:x?}")))?;
        let known = Known { sequence: last, offset, stored: true };
        self.producers.known.insert((self.partition, producer), known);
        Ok(sequence <= last)
    }

    /// Makes a sequence the producer's last one; after [`Work::seen`] said that it is new.
    pub fn note(&mut self, producer: ProducerId, sequence: u64, offset: Offset) {
        let known = Known { sequence, offset, stored: false };
        let hasher = &mut self.scratch.hasher;
        if let Some(old) = self.producers.known.insert((self.partition, producer), known) {
            self.state.sum.remove(hasher.producer(producer, old.sequence, old.offset));
        }
        self.state.sum.add(hasher.producer(producer, sequence, offset));
    }

    /// The verdict of the first write with this id, while it is remembered at `now`.
    pub fn remembered(&mut self, id: WriteId, now: Offset) -> Result<Option<Verdict>, Fault> {
        let Some((offset, byte)) = self.written(id)? else { return Ok(None) };
        if offset.0.saturating_add(REMEMBER_OFFSETS) <= now.0 {
            return Ok(None);
        }
        let outcome = Outcome::from_byte(byte)
            .ok_or_else(|| Fault::broken(format!("outcome {byte} of write id {id}")))?;
        let token = Token { partition: self.partition, offset };
        Ok(Some(Verdict { outcome, token }))
    }

    /// Remembers a write id, in place of an older write with the same one.
    pub fn remember(&mut self, id: WriteId, offset: Offset, outcome: Outcome) -> Result<(), Fault> {
        self.forget_write(id)?;
        let byte = outcome.to_byte();
        let (key, age) = (write_key(self.prefix(), id), age_key(self.prefix(), offset));
        self.tables.writes.put(self.txn, &key, &write_value(offset, byte))?;
        self.tables.write_ages.put(self.txn, &age, &id.0.to_be_bytes())?;
        self.state.sum.add(self.scratch.hasher.write(id, offset, byte));
        self.state.write_floor = self.state.write_floor.map(|floor| floor.min(offset));
        Ok(())
    }

    /// Forgets a write id; no fault when it is not known.
    pub fn forget_write(&mut self, id: WriteId) -> Result<(), Fault> {
        let Some((offset, byte)) = self.written(id)? else { return Ok(()) };
        self.tables.writes.delete(self.txn, &write_key(self.prefix(), id))?;
        self.tables.write_ages.delete(self.txn, &age_key(self.prefix(), offset))?;
        self.state.sum.remove(self.scratch.hasher.write(id, offset, byte));
        Ok(())
    }

    fn written(&mut self, id: WriteId) -> Result<Option<(Offset, u8)>, Fault> {
        let key = write_key(self.prefix(), id);
        let Some(value) = self.tables.writes.get(self.txn, &key)? else { return Ok(None) };
        let parts = split_write(value).ok_or_else(|| Fault::broken(format!("write id {id}")))?;
        Ok(Some(parts))
    }
}
