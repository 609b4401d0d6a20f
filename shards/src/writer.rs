//! The one writer of a shard: a batch of entries in, one synced transaction, their verdicts out.
//! Lives on the shard's own apply thread, which it blocks for the commit.
//! Never retries, and after a fault that it cannot trust its state through, never writes again.

use std::collections::BTreeMap;

use pumice_model::entry::Logged;
use pumice_model::ids::{Generation, Offset, Partition};
use pumice_model::outcome::Verdict;

use crate::apply::{Scratch, State, Work};
use crate::env::Identity;
use crate::fault::Fault;
use crate::memory::Producers;
use crate::stage::Staging;
use crate::tables::{Record, Tables};

/// Writes one shard.
#[derive(Debug)]
pub struct Writer {
    pub(crate) tables: Tables,
    pub(crate) identity: Identity,
    /// As committed: what the `partitions` table holds, and what is known of each besides.
    pub(crate) states: BTreeMap<Partition, State>,
    pub(crate) producers: Producers,
    pub(crate) scratch: Scratch,
    /// Restores under way.
    pub(crate) stagings: BTreeMap<Partition, Staging>,
    /// Whether no key of a generation that is neither live nor staged is left.
    pub(crate) swept: bool,
    broken: Option<String>,
}

impl Writer {
    pub(crate) fn new(tables: Tables, identity: Identity) -> Result<Self, Fault> {
        let mut scratch = Scratch::default();
        let mut states = BTreeMap::new();
        let txn = tables.env.read_txn()?;
        for item in tables.partitions.iter(&txn)? {
            let (key, value) = item?;
            let partition = <[u8; 4]>::try_from(key).ok().map(u32::from_be_bytes).map(Partition);
            let state = Record::decode(value).map(|r| State::of(&r, &mut scratch.hasher));
            let (Some(partition), Some(state)) = (partition, state) else {
                return Err(Fault::broken(format!("record of partition {key:?}")));
            };
            states.insert(partition, state);
        }
        drop(txn);
        Ok(Self {
            tables,
            identity,
            states,
            producers: Producers::default(),
            scratch,
            stagings: BTreeMap::new(),
            swept: false,
            broken: None,
        })
    }

    /// The lowest offset that the partition's next entry can have, as committed.
    pub fn next_offset(&self, partition: Partition) -> Offset {
        self.states.get(&partition).map_or(Offset(0), |state| state.next)
    }

    /// Which life of the partition's rows is live.
    pub(crate) fn generation(&self, partition: Partition) -> Generation {
        self.states.get(&partition).map_or(Generation(0), |state| state.generation)
    }

    /// Applies entries in one write transaction and returns when it is on the disk, with one
    /// verdict an entry in their order; what `verdicts` held is replaced. Offsets may leave
    /// holes, never go back. On a fault nothing happened and `verdicts` is empty; after
    /// [`Fault::Broken`] every further call gives it again.
    pub fn apply(&mut self, batch: &[Logged], verdicts: &mut Vec<Verdict>) -> Result<(), Fault> {
        verdicts.clear();
        let result = self.attempt(|writer| writer.transact(batch, verdicts));
        if result.is_err() {
            verdicts.clear();
        }
        result
    }

    /// Runs what writes, unless the writer is broken; decides afterwards whether it is.
    pub(crate) fn attempt<R>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        if let Some(why) = &self.broken {
            return Err(Fault::Broken(why.clone()));
        }
        // Stands until the end is reached, so that a caught panic leaves a broken writer.
        self.broken = Some("a write did not come to its end".to_owned());
        let result = write(self);
        if result.is_err() {
            // Caches may hold what was aborted.
            self.producers.forget();
        }
        self.broken = match &result {
            Err(Fault::Broken(why)) => Some(why.clone()),
            _ => None,
        };
        result
    }

    fn transact(&mut self, batch: &[Logged], verdicts: &mut Vec<Verdict>) -> Result<(), Fault> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut txn = self.tables.env.write_txn()?;
        let mut touched = BTreeMap::<Partition, State>::new();
        for logged in batch {
            let partition = logged.partition;
            let state = touched
                .entry(partition)
                .or_insert_with(|| self.states.get(&partition).copied().unwrap_or_else(State::new));
            admit(&self.identity, state, logged)?;
            let mut work = Work {
                tables: &self.tables,
                identity: &self.identity,
                txn: &mut txn,
                partition,
                state,
                producers: &mut self.producers,
                scratch: &mut self.scratch,
            };
            verdicts.push(work.entry(logged)?);
        }
        self.producers.store(&self.tables, &mut txn, &touched)?;
        for (partition, state) in &touched {
            let record = state.record(&mut self.scratch.hasher).encode();
            self.tables.partitions.put(&mut txn, &partition.0.to_be_bytes(), &record)?;
        }
        self.tables.commit(txn)?;
        self.states.append(&mut touched);
        self.producers.stored();
        Ok(())
    }
}

/// What the owner of the log must never send.
fn admit(identity: &Identity, state: &State, logged: &Logged) -> Result<(), Fault> {
    let Logged { partition, offset, .. } = *logged;
    admit_partition(identity, partition)?;
    if offset < state.next || offset.0 == u64::MAX {
        let next = state.next;
        return Err(Fault::broken(format!(
            "offset went backwards in partition {partition}: {offset} after {next} was next"
        )));
    }
    Ok(())
}

pub(crate) fn admit_partition(identity: &Identity, partition: Partition) -> Result<(), Fault> {
    let shard = partition.shard(identity.shards);
    if shard != identity.shard || partition.0 >= identity.partitions {
        let here = identity.shard;
        return Err(Fault::broken(format!("partition {partition} was sent to shard {here}")));
    }
    Ok(())
}
