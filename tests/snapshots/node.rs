//! Shards with owners, and nothing else of a node.

use std::thread;

use pumice::mesh::feed::{Fed, Feeder, feed};
use pumice_model::entry::{Entry, Logged};
use pumice_model::ids::{Offset, Partition, ShardId};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_shards::{Identity, Options, Position, Reader, open};
use tempfile::TempDir;

use crate::{PARTITIONS, cluster, seeds};

/// A put of a row of 4 KiB of random digits.
fn noise(partition: Partition, at: u64, pk: &str) -> Logged {
    let mut seed = seeds::Seed(at ^ u64::from(partition.0) << 40);
    let digits: String = (0..256).map(|_| format!("{:016x}", seed.next())).collect();
    let (data, ttl_ms) = (format!("\"{digits}\""), None);
    let mutation = Mutation {
        pk: pk.to_owned(),
        sk: format!("{at:06}"),
        change: Change::Put { data, ttl_ms },
        condition: None,
        expect: Expect::Any,
    };
    let time = 1_000_000 + at as i64;
    let entry = Entry { origin: None, time, write_id: None, dialect: 1, mutations: vec![mutation] };
    Logged { partition, offset: Offset(at), log_time: time, hash: at, entry: Ok(entry) }
}

/// Shards in a directory that goes with them.
pub struct Node {
    readers: Vec<Reader>,
    feeders: Vec<Feeder>,
    owners: Vec<thread::JoinHandle<()>>,
    identities: Vec<Identity>,
    _dir: TempDir,
}

impl Node {
    /// Empty shards.
    pub fn empty(shards: u16) -> Self {
        Self::filled(shards, 0, 0)
    }

    /// Every partition with so many random entries, made from the seed alone.
    pub fn filled(shards: u16, seed: u64, entries: u64) -> Self {
        let pks = seeds::pks(cluster().hash, PARTITIONS, 6);
        Self::with(shards, |partition| {
            let pks = &pks[partition.0 as usize];
            (0..entries).map(|at| seeds::entry_at(seed, partition, at, pks)).collect()
        })
    }

    /// Every partition with so many rows of 4 KiB that hardly pack: four to a MiB of the object.
    pub fn heavy(shards: u16, rows: u64) -> Self {
        let pks = seeds::pks(cluster().hash, PARTITIONS, 1);
        Self::with(shards, |partition| {
            let pk = &pks[partition.0 as usize][0];
            (0..rows).map(|at| noise(partition, at, pk)).collect()
        })
    }

    /// The same, but for one partition alone.
    pub fn heavy_in(partition: Partition, rows: u64) -> Self {
        let pk = seeds::pks(cluster().hash, PARTITIONS, 1)[partition.0 as usize][0].clone();
        Self::with(1, |of| {
            let rows = if of == partition { rows } else { 0 };
            (0..rows).map(|at| noise(of, at, &pk)).collect()
        })
    }

    fn with(shards: u16, entries: impl Fn(Partition) -> Vec<Logged>) -> Self {
        let dir = seeds::directory();
        let mut node = Self {
            readers: vec![],
            feeders: vec![],
            owners: vec![],
            identities: vec![],
            _dir: dir,
        };
        for shard in (0..shards).map(ShardId) {
            let cluster = cluster();
            let identity = Identity {
                namespace: cluster.namespace,
                partitions: cluster.partitions,
                hash: cluster.hash,
                shards,
                shard,
            };
            let options = Options { map_size: 256 << 20, readers: 64 };
            let path = node._dir.path().join(shard.to_string());
            let (mut writer, reader) = open(&path, &identity, &options).unwrap();
            for partition in (0..PARTITIONS).map(Partition).filter(|p| p.shard(shards) == shard) {
                writer.apply(&entries(partition), &mut vec![]).unwrap();
            }
            let (feeder, mut feed) = feed();
            node.owners.push(thread::spawn(move || {
                while let Some(fed) = feed.blocking_recv() {
                    let Fed::Job(job) = fed else { panic!("there is no log") };
                    (job.run)(&mut writer);
                }
                while writer.sweep().unwrap() {}
            }));
            node.readers.push(reader);
            node.feeders.push(feeder);
            node.identities.push(identity);
        }
        node
    }

    pub fn reader(&self, partition: Partition) -> &Reader {
        &self.readers[usize::from(partition.shard(self.readers.len() as u16).0)]
    }

    pub fn readers(&self) -> Vec<Reader> {
        self.readers.clone()
    }

    pub fn feeders(&self) -> &[Feeder] {
        &self.feeders
    }

    pub fn shards(&self) -> u16 {
        self.readers.len() as u16
    }

    pub fn position(&self, partition: Partition) -> Position {
        self.reader(partition).read(|view| view.position(partition)).unwrap().unwrap()
    }

    pub fn positions(&self) -> Vec<Position> {
        (0..PARTITIONS).map(|partition| self.position(Partition(partition))).collect()
    }

    /// Ends the owners, then walks every table: all must agree, and nothing be left over.
    pub fn end_and_check(mut self) {
        self.feeders.clear();
        self.owners.drain(..).for_each(|owner| owner.join().unwrap());
        for (reader, identity) in self.readers.iter().zip(&self.identities) {
            let report = reader.read(|view| view.check(identity)).unwrap().unwrap();
            assert!(report.clean(), "{:?}", report.faults);
            assert_eq!(report.staged, 0);
        }
    }
}
