//! What a node of a simulation has on its disk: a shard of the server, or, to run more seeds in the
//! same time, how far each partition has come, from which the log tells the rest.

use std::path::Path;
use std::rc::Rc;

use pumice_model::entry::Entry;
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, ShardId};
use pumice_model::statehash::StateHash;
use pumice_shards::{Identity, Options, Position, Reader, Writer, open};
use tempfile::TempDir;

use crate::log::Log;

/// A disk, and what is read and written there while a process has it.
pub enum Store {
    Counted(Vec<u64>),
    Real { dir: Rc<TempDir>, partitions: u32, shard: Option<Box<(Writer, Reader)>> },
}

/// One partition at one offset.
#[derive(Debug)]
pub enum Snapshot {
    Counted(u64),
    Real { position: Position, rows: Vec<Vec<u8>> },
}

impl Snapshot {
    pub fn next(&self) -> u64 {
        match self {
            Self::Counted(next) => *next,
            Self::Real { position, .. } => position.next.0,
        }
    }
}

/// A directory in memory where the machine has one: nothing here is about the disk.
fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    dir.expect("a directory for a shard")
}

impl Store {
    pub fn new(partitions: u32, real: bool) -> Self {
        if real {
            let mut store = Self::Real { dir: Rc::new(directory()), partitions, shard: None };
            store.start();
            store
        } else {
            Self::Counted(vec![0; partitions as usize])
        }
    }

    /// A process takes the disk up.
    pub fn start(&mut self) {
        if let Self::Real { dir, partitions, shard } = self {
            let identity = Identity {
                namespace: "sim".to_owned(),
                partitions: *partitions,
                hash: Hash::Murmur2,
                shards: 1,
                shard: ShardId(0),
            };
            let options = Options { map_size: 16 << 20, readers: 4 };
            *shard = Some(Box::new(open(dir.path(), &identity, &options).expect("a shard")));
        }
    }

    /// The process is gone; what was committed stays, unless the disk is gone too.
    pub fn stop(&mut self, disk_too: bool) {
        match self {
            Self::Counted(next) if disk_too => next.fill(0),
            Self::Counted(_) => {}
            Self::Real { dir, shard, .. } => {
                *shard = None;
                if disk_too {
                    *dir = Rc::new(directory());
                }
            }
        }
    }

    pub fn next(&self, partition: Partition) -> u64 {
        match self {
            Self::Counted(next) => next[partition.0 as usize],
            Self::Real { shard: None, .. } => 0,
            Self::Real { shard: Some(shard), .. } => shard.0.next_offset(partition).0,
        }
    }

    /// Applies what the log has from here up to `end`.
    pub fn apply(&mut self, log: &Log, partition: Partition, end: u64) {
        let from = self.next(partition);
        match self {
            Self::Counted(next) => next[partition.0 as usize] = end,
            Self::Real { shard, .. } => {
                let (writer, _) = shard.as_deref_mut().expect("only a process applies");
                let batch: Vec<_> = (from..end).map(|o| log.logged(partition, o)).collect();
                writer.apply(&batch, &mut Vec::new()).expect("an apply");
                writer.sweep().expect("a sweep");
            }
        }
    }

    /// Goes past one entry without applying it, which no server does.
    pub fn skip(&mut self, log: &Log, partition: Partition) {
        let next = self.next(partition);
        match self {
            Self::Counted(counted) => counted[partition.0 as usize] += 1,
            Self::Real { shard, .. } => {
                let (writer, _) = shard.as_deref_mut().expect("only a process applies");
                let mut logged = log.logged(partition, next);
                logged.entry =
                    Ok(Entry { mutations: Vec::new(), ..logged.entry.expect("an entry") });
                writer.apply(&[logged], &mut Vec::new()).expect("an apply");
            }
        }
    }

    /// What is stored under a key, and below which offset everything is applied.
    pub fn read(&self, log: &Log, partition: Partition, key: u64) -> (u64, Option<u64>) {
        match self {
            Self::Counted(_) => {
                let next = self.next(partition);
                (next, log.value(partition, key, next))
            }
            Self::Real { shard, .. } => {
                let (_, reader) = shard.as_deref().expect("only a process reads");
                let (pk, sk) = log.row_key(partition, key);
                let read = reader.read(|view| {
                    let row = view.row(partition, pk, &sk).expect("a row that can be read");
                    let value = row.map(|row| row.data.parse().expect("the number written"));
                    (view.position(partition).expect("a position").next.0, value)
                });
                read.expect("a read")
            }
        }
    }

    pub fn snapshot(&self, partition: Partition) -> Snapshot {
        match self {
            Self::Counted(_) => Snapshot::Counted(self.next(partition)),
            Self::Real { shard, .. } => {
                let (_, reader) = shard.as_deref().expect("only a process reads");
                let snapshot = reader.read(|view| {
                    let mut export = view.export(partition).expect("an export");
                    let mut rows = Vec::new();
                    while let Some(row) = export.next().expect("a logical row") {
                        rows.push(row.to_vec());
                    }
                    Snapshot::Real { position: export.position(), rows }
                });
                snapshot.expect("a read")
            }
        }
    }

    pub fn install(&mut self, partition: Partition, snapshot: &Snapshot) {
        match (self, snapshot) {
            (Self::Counted(next), snapshot) => next[partition.0 as usize] = snapshot.next(),
            (Self::Real { shard, .. }, Snapshot::Real { position, rows }) => {
                let (writer, _) = shard.as_deref_mut().expect("only a process restores");
                while !writer.stage_begin(partition).expect("room for a restore") {}
                let rows = rows.iter().map(Vec::as_slice);
                writer.stage(partition, rows).expect("rows that can be staged");
                writer.install(partition, position).expect("the state of the snapshot");
            }
            _ => panic!("a simulation has stores of one kind"),
        }
    }

    /// Drops what there is of a partition.
    pub fn release(&mut self, partition: Partition) {
        match self {
            Self::Counted(next) => next[partition.0 as usize] = 0,
            Self::Real { shard, .. } => {
                let (writer, _) = shard.as_deref_mut().expect("only a process releases");
                writer.release(partition).expect("a release");
                writer.sweep().expect("a sweep");
            }
        }
    }

    /// The state hash of a partition; `None` where only offsets are kept.
    pub fn hash(&self, partition: Partition) -> Option<(Offset, StateHash)> {
        let Self::Real { shard: Some(shard), .. } = self else { return None };
        let position = shard.1.read(|view| view.position(partition)).expect("a read");
        let position = position.expect("a position");
        Some((position.next, position.hash))
    }
}
