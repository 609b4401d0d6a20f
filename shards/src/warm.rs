//! Many rows of one view at once: their keys are searched for side by side, since a search on its
//! own waits for memory four or five times in a row. On the reading thread; that a row is not there
//! is only ever said by LMDB itself.

use pumice_model::ids::{Generation, Partition};
use pumice_model::key::KeyBuf;
use pumice_model::row::Row;

use crate::fault::Fault;
use crate::pages::{Place, ROWS, Tree};
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
    /// Where LMDB's record of the rows' tree lies; `None` while nothing is remembered.
    record: Option<usize>,
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
    /// What is remembered of the trees that the view sees; of any others it is forgotten.
    ///
    /// LMDB begins a read by taking the id of the last commit, and then copies one of two meta
    /// pages, by turns those of even and of odd commits: a thread that is held up in between has
    /// the trees of a commit two, four, .. later. So the id alone does not name them, though its
    /// pages are kept from then on. Every commit writes the main tree, one page of a few records,
    /// to a page that none of the states which are kept has: where a record of it lies does.
    fn of<'m>(view: &View<'_>, memory: &'m mut Option<Self>) -> &'m mut Self {
        let record = view.tables.main.get(&view.txn, ROWS).ok().flatten();
        let record = record.map(|record| record.as_ptr().addr());
        let memory = memory.get_or_insert_with(|| Self::nothing(view));
        if record.is_none() || (memory.state, memory.record) != (view.state, record) {
            // The record last: a place must never be taken for one of trees that it is not of.
            memory.record = None;
            memory.place = Place::of_rows(view.tables, &view.txn);
            memory.generations.fill(None);
            memory.state = view.state;
            memory.record = record;
        }
        memory
    }

    fn nothing(view: &View<'_>) -> Self {
        let generations = Box::new([None; REMEMBERED]);
        Self { state: view.state, record: None, place: None, generations }
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
        // SAFETY: `of` was asked with this view, so the place was found in the trees that it sees.
        Some(unsafe { place.within(&view.txn) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use pumice_model::condition::DIALECT;
    use pumice_model::entry::{Entry, Logged};
    use pumice_model::hash::Hash;
    use pumice_model::ids::{Offset, ShardId};
    use pumice_model::mutation::{Change, Expect, Mutation};

    use super::*;
    use crate::{Identity, Options, Writer, open};

    const ONE: Partition = Partition(0);

    /// Applies one entry of puts and deletes of rows of one pk.
    fn write(writer: &mut Writer, offset: u64, changes: &[(&str, Option<&str>)]) {
        let mutation = |&(sk, data): &(&str, Option<&str>)| {
            let put = |data: &str| Change::Put { data: data.to_owned(), ttl_ms: None };
            let (pk, sk, change) =
                ("pk".to_owned(), sk.to_owned(), data.map_or(Change::Delete, put));
            Mutation { pk, sk, change, condition: None, expect: Expect::Any }
        };
        let mutations = changes.iter().map(mutation).collect();
        let (origin, time, write_id, dialect) = (None, 1, None, DIALECT);
        let entry = Ok(Entry { origin, time, write_id, dialect, mutations });
        let (partition, offset) = (ONE, Offset(offset));
        let entry = Logged { partition, offset, log_time: 1, hash: 0, entry };
        writer.apply(&[entry], &mut Vec::new()).unwrap();
    }

    fn read(view: &View<'_>, buffers: &mut Rows) -> [Option<String>; 2] {
        let mut all = [None, None];
        let wanted = ["a", "b"].map(|sk| (ONE, "pk", sk));
        view.rows(buffers, wanted.into_iter(), |number, row| {
            all[number] = row.unwrap().map(|row| row.data.to_string());
        })
        .unwrap();
        all
    }

    #[test]
    fn trees_of_a_later_commit_than_the_id_says_are_not_mixed_with_those_that_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity {
            namespace: "warm".to_owned(),
            partitions: 1,
            hash: Hash::Murmur2,
            shards: 1,
            shard: ShardId(0),
        };
        let options = Options { map_size: 1 << 26, readers: 8 };
        let (mut writer, reader) = open(dir.path(), &identity, &options).unwrap();
        write(&mut writer, 0, &[("a", Some("1"))]);
        let mut buffers = Rows::default();
        let (tables, state) = reader
            .read(|view| {
                assert_eq!(read(view, &mut buffers), [Some("1".to_owned()), None]);
                (view.tables.clone(), view.state)
            })
            .unwrap();
        thread::scope(|scope| {
            let (began, begins) = channel();
            let (end, ends) = channel::<()>();
            // LMDB keeps the pages of the id for as long as anybody reads with it.
            scope.spawn(|| reader.clone().read(move |_| (began.send(()), ends.recv().is_err())));
            begins.recv().unwrap();
            write(&mut writer, 1, &[("a", None), ("b", Some("2"))]);
            write(&mut writer, 2, &[("c", Some("3"))]);
            let txn = tables.env.read_txn().unwrap();
            let held_up = View { tables: &tables, txn, state };
            assert_eq!(read(&held_up, &mut buffers), [None, Some("2".to_owned())]);
            drop(end);
        });
    }
}
