//! Small stores, their exports and restores into them: what the tests of restoring share.
#![allow(dead_code, reason = "each test uses its part")]

use std::path::Path;

use pumice_model::hash::Hash;
use pumice_model::ids::{Partition, ShardId};
use pumice_model::outcome::Verdict;
use pumice_shards::{Identity, Options, Position, Reader, Report, StageFault, Writer, open};

use crate::seeds;

pub const PARTITIONS: u32 = 3;
/// The partition that is restored; it has neighbours on both sides.
pub const P: Partition = Partition(1);

pub fn identity() -> Identity {
    let (namespace, hash) = ("restore".to_owned(), Hash::Murmur2);
    Identity { namespace, partitions: PARTITIONS, hash, shards: 1, shard: ShardId(0) }
}

pub struct Store {
    pub writer: Writer,
    pub reader: Reader,
    pub pks: Vec<Vec<String>>,
}

/// A partition's state, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub position: Position,
    pub logicals: Vec<Vec<u8>>,
}

impl Store {
    pub fn open(dir: &Path, map_size: usize) -> Self {
        let (writer, reader) = open(dir, &identity(), &Options { map_size, readers: 16 }).unwrap();
        Self { writer, reader, pks: seeds::pks(Hash::Murmur2, PARTITIONS, 3) }
    }

    /// Applies the seed's entries of a partition, at offsets from `from` to before `to`.
    pub fn follow(&mut self, seed: u64, partition: Partition, from: u64, to: u64) -> Vec<Verdict> {
        let pks = &self.pks[partition.0 as usize];
        let entry = |offset| {
            let mut logged = seeds::entry_at(seed, partition, offset, pks);
            logged.hash = seed ^ offset;
            logged
        };
        let mut verdicts = vec![];
        self.writer.apply(&(from..to).map(entry).collect::<Vec<_>>(), &mut verdicts).unwrap();
        verdicts
    }

    pub fn position(&self, partition: Partition) -> Position {
        self.reader.read(|view| view.position(partition)).unwrap().unwrap()
    }

    pub fn export(&self, partition: Partition) -> Snapshot {
        let walk = |view: &pumice_shards::View<'_>| {
            let mut export = view.export(partition).unwrap();
            let mut logicals = vec![];
            while let Some(bytes) = export.next().unwrap() {
                logicals.push(bytes.to_vec());
            }
            let counts = export.counts();
            let all = counts.rows + counts.producers + counts.writes;
            assert_eq!(logicals.len() as u64, all);
            assert_eq!(counts.rows, export.position().rows);
            Snapshot { position: export.position(), logicals }
        };
        self.reader.read(walk).unwrap()
    }

    pub fn begin(&mut self, partition: Partition) {
        while !self.writer.stage_begin(partition).unwrap() {}
    }

    /// All of a restore of [`P`] but what is left to sweep.
    pub fn restore(&mut self, snapshot: &Snapshot, chunk: usize) -> Result<(), StageFault> {
        self.begin(P);
        for part in snapshot.logicals.chunks(chunk) {
            self.writer.stage(P, part.iter().map(Vec::as_slice))?;
        }
        self.writer.install(P, &snapshot.position)
    }

    pub fn check(&self) -> Report {
        let report = self.reader.read(|view| view.check(&identity())).unwrap().unwrap();
        assert!(report.clean(), "{:#?}", report.faults);
        report
    }

    /// Sweeps to the end, after which nothing that is not live is left.
    pub fn sweep(&mut self) {
        while self.writer.sweep().unwrap() {}
        assert_eq!(self.check().staged, 0);
        assert_eq!(self.writer.sweep(), Ok(false));
    }
}
