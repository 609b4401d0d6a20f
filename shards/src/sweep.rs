//! Dropping generations that are neither live nor being staged: what a restore replaced, what it
//! left behind when it was given up or died, and what was released. Runs on the apply thread
//! between batches; finds them by seeking from prefix to prefix, never by walking rows that are
//! live.

use std::ops::Bound;

use heed::{RoTxn, RwTxn};
use pumice_model::ids::{Generation, Partition};
use pumice_model::key::{PREFIX, after_prefix};

use crate::fault::Fault;
use crate::tables::{Table, prefix, split_prefix};
use crate::writer::Writer;

/// Keys that one call drops at most, so that a batch of entries never waits long for it.
const SWEEP_KEYS: usize = 5_000;

impl Writer {
    /// Drops a bounded number of keys that no live or staged generation holds, in one
    /// transaction. `true` when there is more to do; costs nothing when there was nothing left.
    pub fn sweep(&mut self) -> Result<bool, Fault> {
        if self.swept {
            return Ok(false);
        }
        self.attempt(|writer| {
            let mut txn = writer.tables.env.write_txn()?;
            let mut left = SWEEP_KEYS;
            for table in writer.tables.of_generations() {
                left = writer.sweep_table(table, &mut txn, left)?;
            }
            writer.dropped(txn, left)?;
            writer.swept = left > 0;
            Ok(left == 0)
        })
    }

    /// Drops a bounded number of keys of one generation; whether none is left.
    pub(crate) fn clear(
        &self,
        partition: Partition,
        generation: Generation,
    ) -> Result<bool, Fault> {
        let mut txn = self.tables.env.write_txn()?;
        let mut left = SWEEP_KEYS;
        for table in self.tables.of_generations() {
            left -= drop_some(table, &mut txn, prefix(partition, generation), left)?;
        }
        self.dropped(txn, left)?;
        Ok(left > 0)
    }

    /// Ends a transaction that dropped all but `left` keys of what it may.
    fn dropped(&self, txn: RwTxn<'_>, left: usize) -> Result<(), Fault> {
        if left < SWEEP_KEYS {
            self.tables.commit(txn)?;
        }
        if (1..SWEEP_KEYS).contains(&left) { self.age() } else { Ok(()) }
    }

    /// How many of `left` keys may still go.
    fn sweep_table(
        &self,
        table: Table,
        txn: &mut RwTxn<'_>,
        mut left: usize,
    ) -> Result<usize, Fault> {
        let mut from = prefix(Partition(0), Generation(0));
        while left > 0 {
            let Some((partition, generation)) = next_generation(table, txn, &from)? else { break };
            let found = prefix(partition, generation);
            if !self.holds(partition, generation) {
                left -= drop_some(table, txn, found, left)?;
            }
            let Some(next) = u64::from_be_bytes(found).checked_add(1) else { break };
            from = next.to_be_bytes();
        }
        Ok(left)
    }

    fn holds(&self, partition: Partition, generation: Generation) -> bool {
        let staged = self.stagings.get(&partition).map(|staging| staging.generation);
        generation == self.generation(partition) || Some(generation) == staged
    }

    /// LMDB uses what a transaction freed again from the second one after it on. On a full map,
    /// where every other write waits for that, this is the one between.
    fn age(&self) -> Result<(), Fault> {
        let meta = self.tables.meta;
        let mut txn = self.tables.env.write_txn()?;
        if let Some((key, value)) = meta.first(&txn)?.map(|(k, v)| (k.to_vec(), v.to_vec())) {
            meta.put(&mut txn, &key, &value)?;
        }
        self.tables.commit(txn)
    }
}

/// The first (partition, generation) that has a key at or after a prefix.
fn next_generation(
    table: Table,
    txn: &RoTxn<'_>,
    from: &[u8; PREFIX],
) -> Result<Option<(Partition, Generation)>, Fault> {
    let Some((key, _)) = table.get_greater_than_or_equal_to(txn, from)? else { return Ok(None) };
    let found = split_prefix(key).ok_or_else(|| Fault::broken(format!("key {key:x?}")))?;
    Ok(Some(found))
}

/// Drops the first keys of a prefix, at most `limit`; how many.
fn drop_some(
    table: Table,
    txn: &mut RwTxn<'_>,
    prefix: [u8; PREFIX],
    limit: usize,
) -> Result<usize, Fault> {
    let beyond = table.prefix_iter(txn, &prefix)?.nth(limit).transpose()?;
    let end = beyond.map(|(key, _)| key.to_vec()).or_else(|| after_prefix(&prefix));
    let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    Ok(table.delete_range(txn, &(Bound::Included(&prefix[..]), end))?)
}
