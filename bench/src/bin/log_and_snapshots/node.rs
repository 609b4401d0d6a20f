//! The shards of a node with their owners and the feeds that lead to them, as `serve --log kafka`
//! puts them together, without the ports. Main thread; what it starts keeps off the serving CPU.

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pumice::datadir::DataDir;
use pumice::log::kafka;
use pumice::mesh::feed::{Feed, Feeder, feed};
use pumice::mesh::home::Home;
use pumice::mesh::inbox::inbox;
use pumice::mesh::positions::Positions;
use pumice::owner::{Joining, Owner, Source};
use pumice::settings::{ClusterSettings, KafkaCompression, KafkaSettings};
use pumice::stats::log::LogStats;
use pumice::stats::progress::Progress;
use pumice::stats::shard::ShardStats;
use pumice_model::hash::Hash;
use pumice_model::ids::Partition;
use pumice_shards::{Options, Position, Reader};

use crate::Fallible;

/// Partitions of the namespace.
pub const PARTITIONS: u32 = 16;
/// Shards of the node.
pub const SHARDS: u16 = 4;
/// The namespace.
pub const NAMESPACE: &str = "bench";
const MAP_SIZE: usize = 64 << 30;
const LOOK: Duration = Duration::from_millis(5);

/// Shards that entries are fed to.
pub struct Node {
    pub cluster: ClusterSettings,
    pub readers: Vec<Reader>,
    pub feeders: Vec<Feeder>,
    pub serving: Vec<usize>,
    home: Home,
    pub positions: Positions,
    progress: Arc<Progress>,
    stats: Vec<Arc<ShardStats>>,
    owners: Vec<Joining>,
    _data_dir: DataDir,
}

/// The namespace with so many partitions.
pub fn cluster(partitions: u32) -> ClusterSettings {
    ClusterSettings { namespace: NAMESPACE.to_owned(), partitions, hash: Hash::Murmur2 }
}

impl Node {
    /// Opens the directory, or makes it, and starts the owners.
    pub fn open(dir: &Path, partitions: u32, serving_cpu: usize) -> Fallible<Self> {
        let cluster = cluster(partitions);
        let data_dir = DataDir::open(dir, &cluster, Some("kafka"), Some(SHARDS), SHARDS)?;
        let mut node = Self {
            readers: Vec::new(),
            feeders: Vec::new(),
            serving: vec![serving_cpu],
            home: Home::new(Vec::new()),
            positions: Positions::new(partitions),
            progress: Arc::new(Progress::new(partitions)),
            stats: Vec::new(),
            owners: Vec::new(),
            cluster,
            _data_dir: data_dir,
        };
        let options = Options { map_size: MAP_SIZE, readers: 64 };
        for (dir, identity) in DataDir::each_shard(&node._data_dir).collect::<Vec<_>>() {
            let (writer, reader) = pumice_shards::open(&dir, &identity, &options)?;
            let (feeder, feed): (Feeder, Feed) = feed();
            let stats = Arc::<ShardStats>::default();
            let owner = Owner {
                shard: identity.shard,
                shards: SHARDS,
                writer,
                home: node.home.clone(),
                positions: node.positions.clone(),
                stats: stats.clone(),
                abandoned: Arc::default(),
            };
            let source = Source::Log(feed, node.progress.clone());
            node.owners.push(owner.spawn(source, &node.serving)?);
            node.readers.push(reader);
            node.feeders.push(feeder);
            node.stats.push(stats);
        }
        Ok(node)
    }

    /// Follows the topic of the entries, which is made when it is missing.
    pub fn follow(&self, broker: &str, topic: &str) -> Fallible<Log> {
        let (waker, taken) = kafka::taker();
        let (inboxes, outlets) =
            self.stats.iter().map(|stats| inbox(stats.clone(), Some(waker.clone()))).unzip();
        let settings = KafkaSettings {
            brokers: vec![broker.to_owned()],
            tls: None,
            sasl: None,
            mutations_topic: topic.to_owned(),
            partitions_topic: format!("{topic}_partitions"),
            compression: KafkaCompression::None,
            replication: 1,
            required: true,
        };
        let running = kafka::start(kafka::Setup {
            settings,
            cluster: self.cluster.clone(),
            held: vec![Position::ZERO; self.cluster.partitions as usize],
            held_by: None,
            outlets,
            feeders: self.feeders.clone(),
            wanting: None,
            has_objects: false,
            home: self.home.clone(),
            positions: self.positions.clone(),
            progress: self.progress.clone(),
            stats: Arc::<LogStats>::default(),
            serving: self.serving.clone(),
            taken,
        })?;
        Ok(Log { running, _inboxes: inboxes })
    }

    /// Waits until so many entries are applied in all.
    pub fn applied(&self, total: u64) -> Fallible<()> {
        loop {
            let next = |partition| self.positions.next(partition).map_or(0, |next| next.0);
            let applied: u64 = (0..self.cluster.partitions).map(Partition).map(next).sum();
            if applied >= total {
                return Ok(());
            }
            if let Some(why) = self.progress.all().find_map(|(_, one)| one.broken_because()) {
                return Err(format!("after {applied} entries: {why}").into());
            }
            thread::sleep(LOOK);
        }
    }

    /// Where each partition stands.
    pub fn held(&self) -> Fallible<Vec<Position>> {
        let position = |partition: Partition| {
            let reader = &self.readers[usize::from(partition.shard(SHARDS).0)];
            Ok(reader.read(|view| view.position(partition))??)
        };
        (0..self.cluster.partitions).map(Partition).map(position).collect()
    }

    /// Ends the owners once they have applied what they were fed.
    pub fn close(self) -> Fallible<()> {
        let Self { feeders, owners, .. } = self;
        drop(feeders);
        let ended = owners.into_iter().all(|owner| owner.join().is_ok());
        if ended { Ok(()) } else { Err("an owner panicked".into()) }
    }
}

/// The log that a node follows.
pub struct Log {
    running: kafka::Running,
    /// Nothing is written, but an inbox that is gone ends its outlet.
    _inboxes: Vec<pumice::mesh::inbox::Inbox>,
}

impl Log {
    /// Ends following.
    pub fn stop(self) -> Fallible<()> {
        if self.running.stop() { Ok(()) } else { Err("the log's thread panicked".into()) }
    }
}
