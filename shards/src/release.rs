//! Letting go of a partition: one transaction makes it one that never had an entry, and what it
//! held is left to the sweep. Runs on the apply thread between batches; costs the same for any
//! number of rows.

use pumice_model::ids::{Generation, Offset, Partition};

use crate::apply::State;
use crate::fault::Fault;
use crate::tables::{Position, Record};
use crate::writer::{Writer, admit_partition};

impl Writer {
    /// Takes everything of a partition away from readers, in one synced transaction, and gives up a
    /// restore of it. Entries and restores that come afterwards find it as in a new shard. Nothing
    /// to do is no fault. On a fault what was live still is, and after [`Fault::Full`] it may be
    /// tried again.
    pub fn release(&mut self, partition: Partition) -> Result<(), Fault> {
        self.stage_abort(partition);
        self.attempt(|writer| {
            admit_partition(&writer.identity, partition)?;
            if writer.next_offset(partition) == Offset(0) {
                return Ok(());
            }
            // The next generation may have keys of a restore that was given up, or cut off by a
            // crash; no key was ever written under the one after it.
            let live = writer.generation(partition).0;
            let Some(generation) = live.checked_add(2).map(Generation) else {
                return Err(Fault::broken(format!("partition {partition} has no generation left")));
            };
            let record = Record { generation, position: Position::ZERO };
            let mut txn = writer.tables.env.write_txn()?;
            let key = partition.0.to_be_bytes();
            writer.tables.partitions.put(&mut txn, &key, &record.encode())?;
            writer.tables.commit(txn)?;
            let state = State::of(&record, &mut writer.scratch.hasher);
            writer.states.insert(partition, state);
            writer.producers.drop_partition(partition);
            writer.swept = false;
            Ok(())
        })
    }
}
