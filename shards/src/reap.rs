//! What an entry removes besides its own mutations: rows long expired, write ids and producers
//! long passed. Bounded per entry and driven by log time and offsets alone, so that replicas at
//! one offset hold the same. Runs on the apply thread.

use pumice_model::ids::{Offset, ProducerId, WriteId};
use pumice_model::limits::{
    FORGET_PER_ENTRY, PRODUCER_SWEEP_OFFSETS, REAP_AFTER_MS, REAP_PER_ENTRY, REMEMBER_OFFSETS,
};
use pumice_model::time::Millis;

use crate::apply::Work;
use crate::fault::Fault;
use crate::tables::{age_of, id_of, split_expiry, split_seen};

impl Work<'_, '_> {
    /// Removes rows that expired more than [`REAP_AFTER_MS`] of log time ago, in that order.
    pub fn reap_rows(&mut self) -> Result<(), Fault> {
        let cutoff = self.state.log_time.saturating_sub(REAP_AFTER_MS);
        if self.state.expiry_floor.is_some_and(|floor| floor > cutoff) {
            return Ok(());
        }
        // One more than may go: it is the next floor.
        let mut floor = Millis::MAX;
        let mut due = Vec::new();
        for item in self.tables.expiry.prefix_iter(self.txn, &self.prefix())? {
            let (key, _) = item?;
            let time = split_expiry(key).map(|(time, _)| time);
            let time = time.ok_or_else(|| Fault::broken(format!("expiry key {key:x?}")))?;
            if time > cutoff || due.len() == REAP_PER_ENTRY {
                floor = time;
                break;
            }
            due.push(key.to_vec());
        }
        for key in due {
            self.reap(&key)?;
        }
        self.state.expiry_floor = Some(floor);
        Ok(())
    }

    /// Forgets write ids that are [`REMEMBER_OFFSETS`] old, oldest first.
    pub fn forget_writes(&mut self, now: Offset) -> Result<(), Fault> {
        let passed = |offset: Offset| offset.0.saturating_add(REMEMBER_OFFSETS) <= now.0;
        if self.state.write_floor.is_some_and(|floor| !passed(floor)) {
            return Ok(());
        }
        let mut floor = Offset(u64::MAX);
        let mut due = Vec::new();
        for item in self.tables.write_ages.prefix_iter(self.txn, &self.prefix())? {
            let (key, value) = item?;
            let id = <[u8; 16]>::try_from(value).ok().map(u128::from_be_bytes).map(WriteId);
            let (Some(offset), Some(id)) = (age_of(key), id) else {
                return Err(Fault::broken(format!("write age {key:x?}")));
            };
            if !passed(offset) || due.len() == FORGET_PER_ENTRY {
                floor = offset;
                break;
            }
            due.push(id);
        }
        for id in due {
            self.forget_write(id)?;
        }
        self.state.write_floor = Some(floor);
        Ok(())
    }

    /// Once every [`PRODUCER_SWEEP_OFFSETS`], drops producers that are [`REMEMBER_OFFSETS`] old.
    pub fn sweep_producers(&mut self, before: Offset, offset: Offset) -> Result<(), Fault> {
        if before.0 / PRODUCER_SWEEP_OFFSETS == self.state.next.0 / PRODUCER_SWEEP_OFFSETS {
            return Ok(());
        }
        self.producers.store_partition(self.tables, self.txn, self.partition, self.state)?;
        let mut due = Vec::new();
        for item in self.tables.producers.prefix_iter(self.txn, &self.prefix())? {
            let (key, value) = item?;
            let (Some(id), Some((sequence, last))) = (id_of(key), split_seen(value)) else {
                return Err(Fault::broken(format!("producer row {key:x?}")));
            };
            if last.0.saturating_add(REMEMBER_OFFSETS) <= offset.0 {
                due.push((key.to_vec(), ProducerId(id), sequence, last));
            }
        }
        for (key, producer, sequence, last) in due {
            self.tables.producers.delete(self.txn, &key)?;
            self.producers.drop_one(self.partition, producer);
            self.state.sum.remove(self.scratch.hasher.producer(producer, sequence, last));
        }
        Ok(())
    }
}
