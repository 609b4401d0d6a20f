//! The shards of a node: opened, given owners, and closed again when a start fails. Starting
//! thread.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pumice_model::ids::{Partition, ShardId};
use pumice_shards::{Options, Position, Reader, Writer};

use super::fault::{StartFault, spawned};
use crate::datadir::DataDir;
use crate::mesh::home::Home;
use crate::mesh::positions::Positions;
use crate::owner::{self, Owner, Source};
use crate::settings::Settings;
use crate::stats::shard::ShardStats;

/// Reader slots of a shard: far more than there are threads that read.
const READERS: u32 = 1_024;

/// A shard that no owner has yet.
pub struct Shard {
    pub id: ShardId,
    pub writer: Writer,
    pub reader: Reader,
    pub stats: Arc<ShardStats>,
}

/// What every owner of a node works with.
pub struct Owners<'a> {
    pub shards: u16,
    pub home: &'a Home,
    pub positions: &'a Positions,
    pub serving: &'a [usize],
    pub abandoned: &'a Arc<AtomicBool>,
}

/// Opens every shard of the directory, and publishes where every partition stands.
pub fn open_and_publish(
    data_dir: &DataDir,
    settings: &Settings,
    positions: &Positions,
) -> Result<(Vec<Shard>, Vec<Reader>), StartFault> {
    let shards = open(data_dir, settings)?;
    let readers: Vec<Reader> = shards.iter().map(|shard| shard.reader.clone()).collect();
    publish(&readers, positions, settings.cluster.partitions)?;
    Ok((shards, readers))
}

fn open(data_dir: &DataDir, settings: &Settings) -> Result<Vec<Shard>, StartFault> {
    let map_size = usize::try_from(settings.process.map_size).unwrap_or(usize::MAX);
    let options = Options { map_size, readers: READERS };
    let mut shards = Vec::new();
    for (dir, identity) in data_dir.each_shard() {
        let id = identity.shard;
        let opened = pumice_shards::open(&dir, &identity, &options);
        let (writer, reader) = opened.map_err(|source| StartFault::Shard { shard: id, source })?;
        shards.push(Shard { id, writer, reader, stats: Arc::default() });
    }
    Ok(shards)
}

/// Where every partition stands, by number.
pub fn held(readers: &[Reader], partitions: u32) -> Result<Vec<Position>, pumice_shards::Fault> {
    let shards = readers.len() as u16;
    let position = |partition: Partition| {
        let reader = &readers[usize::from(partition.shard(shards).0)];
        reader.read(|view| view.position(partition))?
    };
    (0..partitions).map(Partition).map(position).collect()
}

fn publish(readers: &[Reader], positions: &Positions, partitions: u32) -> Result<(), StartFault> {
    let held = held(readers, partitions).map_err(StartFault::Unreadable)?;
    for (partition, position) in (0..).map(Partition).zip(&held) {
        positions.reached(partition, position.next);
    }
    Ok(())
}

impl Owners<'_> {
    /// Starts the owner of a shard.
    pub fn spawn(&self, shard: Shard, source: Source) -> Result<owner::Joining, StartFault> {
        let Shard { id, writer, stats, .. } = shard;
        let owner = Owner {
            shard: id,
            shards: self.shards,
            writer,
            home: self.home.clone(),
            positions: self.positions.clone(),
            stats,
            abandoned: self.abandoned.clone(),
        };
        spawned(owner.spawn(source, self.serving), &format!("shard-{id}"))
    }
}
