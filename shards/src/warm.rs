//! Many rows of one view at once: their keys are searched for side by side, since a search on its
//! own waits for memory four or five times in a row. On the reading thread; that a row is not there
//! is only ever said by LMDB itself.

use pumice_model::ids::{Generation, Partition};
use pumice_model::key::KeyBuf;
use pumice_model::row::Row;

use crate::fault::Fault;
use crate::pages::{Place, Tree};
use crate::reader::{State, View};
use crate::walk::{self, GROUP};

/// Buffers for [`View::rows`], and what it remembers of the state it last read: meant to be kept
/// and used again, one for each shard.
#[derive(Debug, Default)]
pub struct Rows {
    key: KeyBuf,
    /// The keys, one behind the other.
    keys: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    memory: Option<Memory>,
}

/// Partitions whose generation is remembered.
const REMEMBERED: usize = 256;

/// What does not change within a state, and would cost two searches to ask again.
#[derive(Debug)]
struct Memory {
    state: State,
    place: Option<Place>,
    /// By the lowest bits of the partition.
    generations: Box<[Option<(Partition, Generation)>; REMEMBERED]>,
}

impl View<'_> {
    /// The stored rows of many keys, expired ones too, in the order of the keys; `each` is told the
    /// number of the key. The same as [`View::row`] for each, in less time.
    pub fn rows<'k>(
        &self,
        buffers: &mut Rows,
        wanted: impl Iterator<Item = (Partition, &'k str, &'k str)>,
        mut each: impl FnMut(usize, Result<Option<Row<'_>>, Fault>),
    ) -> Result<(), Fault> {
        let Rows { key, keys, ends, memory } = buffers;
        let memory = Memory::of(self, memory);
        keys.clear();
        ends.clear();
        for (partition, pk, sk) in wanted {
            let generation = memory.generation(self, partition)?;
            keys.extend_from_slice(key.row(partition, generation, pk, sk));
            ends.push(keys.len());
        }
        let tree = memory.tree(self);
        let (mut number, mut start) = (0, 0);
        for ends in ends.chunks(GROUP) {
            let mut group: [&[u8]; GROUP] = [&[]; GROUP];
            for (key, &end) in group.iter_mut().zip(ends) {
                *key = &keys[start..end];
                start = end;
            }
            let group = &group[..ends.len()];
            let found = tree.as_ref().map(|tree| walk::find(tree, group)).unwrap_or_default();
            for (key, found) in group.iter().zip(found) {
                let bytes = match found {
                    Some(_) => found,
                    None => self.tables.rows.get(&self.txn, key)?,
                };
                let row = bytes.map(Row::decode).transpose();
                each(number, row.map_err(|fault| Fault::broken(fault.to_string())));
                number += 1;
            }
        }
        Ok(())
    }
}

impl Memory {
    /// What is remembered of the view's state; of any other it is forgotten.
    fn of<'m>(view: &View<'_>, memory: &'m mut Option<Self>) -> &'m mut Self {
        let memory = memory.get_or_insert_with(|| Self::new(view));
        if memory.state != view.state {
            // The state last: a place must never be taken for one of a state that it is not of.
            memory.place = Place::of_rows(view.tables, &view.txn);
            memory.generations.fill(None);
            memory.state = view.state;
        }
        memory
    }

    fn new(view: &View<'_>) -> Self {
        let place = Place::of_rows(view.tables, &view.txn);
        Self { state: view.state, place, generations: Box::new([None; REMEMBERED]) }
    }

    fn generation(&mut self, view: &View<'_>, of: Partition) -> Result<Generation, Fault> {
        let remembered = &mut self.generations[of.0 as usize % REMEMBERED];
        if let Some((partition, generation)) = *remembered
            && partition == of
        {
            return Ok(generation);
        }
        let generation = view.tables.record(&view.txn, of)?.generation;
        *remembered = Some((of, generation));
        Ok(generation)
    }

    #[expect(unsafe_code, reason = "only here it is known what state a place is of")]
    fn tree<'v>(&self, view: &'v View<'_>) -> Option<Tree<'v>> {
        let place = self.place.filter(|_| self.state == view.state)?;
        // SAFETY: the place was found in the state that the view is of.
        Some(unsafe { place.within(&view.txn) })
    }
}
