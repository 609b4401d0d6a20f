//! A node without its ports: real shards with real owners, the log, and snapshots where there are
//! objects; and what the cluster's thread would tell it.

use std::path::Path;
use std::sync::Arc;
use std::task::{Poll, Waker};

use pumice::datadir::DataDir;
use pumice::log::kafka;
use pumice::mesh::feed::{Feed, Feeder, feed};
use pumice::mesh::handover::{Asking, Telling, asks, known};
use pumice::mesh::holds::{Held, Hold, Holds, holds};
use pumice::mesh::home::{Home, Message};
use pumice::mesh::inbox::{Inbox, Outlet, Work, inbox};
use pumice::mesh::lane::{Receiver, lane};
use pumice::mesh::positions::Positions;
use pumice::mesh::ticket::{Answer, Tickets, Until, Waiting};
use pumice::mesh::wants::wants;
use pumice::owner::{Joining, Owner, Source};
use pumice::settings::{
    ClusterSettings, Handover, KafkaCompression, KafkaSettings, ObjectsSettings,
};
use pumice::snapshot::bring::Peers;
use pumice::snapshot::service;
use pumice::stats::log::LogStats;
use pumice::stats::progress::{Following, PartitionProgress, Progress};
use pumice::stats::shard::ShardStats;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::entry::Entry;
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition};
use pumice_model::mutation::Mutation;
use pumice_shards::{Options, Position, Reader};

use crate::kafka::mock::mutations;
use crate::kafka::{PATIENCE, until};

pub const PARTITIONS: u32 = 4;
pub const SHARDS: u16 = 2;
const OPTIONS: Options = Options { map_size: 256 << 20, readers: 64 };

/// What nodes share.
#[derive(Clone)]
pub struct Place {
    pub brokers: String,
    pub name: String,
    pub objects: Option<ObjectsSettings>,
    /// Whether nodes give partitions to each other.
    pub streams: bool,
}

/// A node that runs.
pub struct Node {
    pub progress: Arc<Progress>,
    pub positions: Positions,
    pub stats: Arc<LogStats>,
    pub restored: Arc<SnapshotStats>,
    holds: Option<Holds>,
    pub readers: Vec<Reader>,
    inboxes: Vec<Inbox>,
    told: Receiver<Message>,
    tickets: Tickets,
    log: kafka::Running,
    snapshots: Option<service::Running>,
    pub telling: Option<Telling>,
    pub asking: Option<Asking>,
    pub cluster: ClusterSettings,
    owners: Vec<Joining>,
    data_dir: DataDir,
}

impl Place {
    pub fn cluster(&self) -> ClusterSettings {
        let (namespace, hash) = (self.name.clone(), Hash::Murmur2);
        ClusterSettings { namespace, partitions: PARTITIONS, hash }
    }

    fn kafka(&self) -> KafkaSettings {
        KafkaSettings {
            brokers: self.brokers.split(',').map(str::to_owned).collect(),
            tls: None,
            sasl: None,
            mutations_topic: mutations(&self.name),
            partitions_topic: format!("pumice_{}_partitions", self.name),
            compression: KafkaCompression::None,
            replication: -1,
            required: false,
        }
    }

    /// A node that follows every partition.
    pub fn whole(&self, dir: &Path) -> Node {
        self.start(dir, None)
    }

    /// A node that follows what it is told.
    pub fn told(&self, dir: &Path) -> Node {
        self.start(dir, Some(holds()))
    }

    fn start(&self, dir: &Path, holding: Option<(Holds, Held)>) -> Node {
        let (cluster, data) = (self.cluster(), dir.join("data"));
        let data_dir = DataDir::open(&data, &cluster, Some("kafka"), Some(SHARDS), SHARDS).unwrap();
        let (positions, progress) =
            (Positions::new(PARTITIONS), Arc::new(Progress::new(PARTITIONS)));
        let (sender, told) = lane(1_024);
        let (home, (waker, taken)) = (Home::new(vec![sender]), kafka::taker());
        let shards = Shards::open(&data_dir, &home, &positions, &progress, &waker);
        let Shards { readers, owners, inboxes, outlets, feeders } = shards;
        let held: Vec<Position> = all().map(|partition| stands(&readers, partition)).collect();
        for (partition, position) in all().zip(&held) {
            positions.reached(partition, position.next);
        }
        let has_snapshots = self.objects.is_some() || self.streams;
        let (wanting, wanted) = has_snapshots.then(wants).unzip();
        let (telling, known) = self.streams.then(known).unzip();
        let (asking, asked) = self.streams.then(asks).unzip();
        let restored = Arc::<SnapshotStats>::default();
        let snapshots = has_snapshots.then(|| {
            let (handover, tls) = (Handover::Auto, None);
            let setup = service::Setup {
                wanted,
                peers: known.map(|known| Peers { handover, known, tls }),
                asked,
                progress: Some(progress.clone()),
                stats: restored.clone(),
                ..self.snapshots(dir, &readers, &feeders)
            };
            service::start(setup).unwrap()
        });
        let ((holds, held_by), stats) = (holding.unzip(), Arc::<LogStats>::default());
        let log = kafka::start(kafka::Setup {
            settings: self.kafka(),
            cluster: cluster.clone(),
            held,
            held_by,
            outlets,
            feeders,
            wanting,
            has_objects: self.objects.is_some(),
            home,
            positions: positions.clone(),
            progress: progress.clone(),
            stats: stats.clone(),
            serving: Vec::new(),
            taken,
        });
        let (log, tickets) = (log.unwrap(), Tickets::new(0));
        Node {
            progress,
            positions,
            stats,
            restored,
            holds,
            readers,
            inboxes,
            told,
            tickets,
            log,
            snapshots,
            telling,
            asking,
            cluster,
            owners,
            data_dir,
        }
    }
}

/// Shards with their owners, and the ways to them.
#[derive(Default)]
struct Shards {
    readers: Vec<Reader>,
    owners: Vec<Joining>,
    inboxes: Vec<Inbox>,
    outlets: Vec<Outlet>,
    feeders: Vec<Feeder>,
}

impl Shards {
    fn open(
        data_dir: &DataDir,
        home: &Home,
        positions: &Positions,
        progress: &Arc<Progress>,
        waker: &Waker,
    ) -> Self {
        let mut shards = Self::default();
        for (path, identity) in data_dir.each_shard() {
            let (writer, reader) = pumice_shards::open(&path, &identity, &OPTIONS).unwrap();
            let (feeder, feed): (Feeder, Feed) = feed();
            let stats = Arc::<ShardStats>::default();
            let (inbox, outlet) = inbox(stats.clone(), Some(waker.clone()));
            let owner = Owner {
                shard: identity.shard,
                shards: SHARDS,
                writer,
                home: home.clone(),
                positions: positions.clone(),
                stats,
                abandoned: Arc::default(),
            };
            shards.owners.push(owner.spawn(Source::Log(feed, progress.clone()), &[]).unwrap());
            shards.readers.push(reader);
            shards.feeders.push(feeder);
            shards.inboxes.push(inbox);
            shards.outlets.push(outlet);
        }
        shards
    }
}

impl Node {
    pub fn tell(&self, hold: Hold) {
        self.holds.as_ref().unwrap().blocking_send(hold).unwrap();
    }

    pub fn follow(&self, partition: u32) {
        self.tell(Hold::Follow(Partition(partition)));
    }

    /// Releases it, and waits until that is done.
    pub fn release(&self, partition: u32) {
        self.tell(Hold::Release(Partition(partition)));
        until("a release", || self.is_released(partition).then_some(()));
    }

    /// Whether nothing is left of it for anybody.
    pub fn is_released(&self, partition: u32) -> bool {
        let progress = self.progress(partition);
        let absent = progress.following() == Following::Absent && progress.end().is_none();
        absent && self.position(partition) == Position::ZERO
    }

    pub fn progress(&self, partition: u32) -> &PartitionProgress {
        self.progress.of(Partition(partition)).unwrap()
    }

    pub fn following(&self, partition: u32) -> Following {
        self.progress(partition).following()
    }

    pub fn next(&self, partition: u32) -> Offset {
        self.positions.next(Partition(partition)).unwrap()
    }

    /// Whether a read of it would be answered.
    pub fn has_state(&self, partition: u32) -> bool {
        self.progress(partition).has_state(self.next(partition))
    }

    pub fn position(&self, partition: u32) -> Position {
        stands(&self.readers, Partition(partition))
    }

    /// Waits until a partition is where it is on `other`.
    pub fn equals(&self, other: &Self, partition: u32) {
        until("the same state", || {
            (self.position(partition) == other.position(partition)).then_some(())
        });
    }

    /// Writes one put for each pk and sk, in order.
    pub fn write(&self, puts: &[(String, String, String)], until: Until) -> Waiting {
        let waiting = self.tickets.open(puts.len(), until);
        for (at, (pk, sk, data)) in puts.iter().enumerate() {
            let partition = Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS);
            let mutations = vec![Mutation::put(pk, sk, data)];
            let time = 1_700_000_000_000;
            let entry = Entry { origin: None, time, write_id: None, dialect: 1, mutations };
            let work = Work { partition, entry, home: waiting.ticket(at) };
            self.inboxes[usize::from(partition.shard(SHARDS).0)].submit(vec![work]).unwrap();
        }
        waiting
    }

    /// Waits for all answers to a write, or until `enough` is true of those that came.
    pub fn answers(
        &mut self,
        waiting: Waiting,
        enough: impl Fn(usize) -> bool,
    ) -> Vec<Option<Answer>> {
        let (mut waiting, mut messages, mut came) = (waiting, Vec::new(), 0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let all = async {
            loop {
                let polled =
                    std::future::poll_fn(|cx| Poll::Ready(std::pin::pin!(&mut waiting).poll(cx)));
                if let Poll::Ready(answers) = polled.await {
                    return answers.into_iter().map(Some).collect();
                }
                if enough(came) {
                    return waiting.give_up();
                }
                self.told.recv_many(&mut messages, 64).await;
                for message in messages.drain(..) {
                    let Message::Told(told) = message else { continue };
                    came += told.len();
                    told.into_iter().for_each(|told| self.tickets.tell(told));
                }
            }
        };
        let all = async { tokio::time::timeout(PATIENCE, all).await };
        runtime.block_on(all).expect("every write is answered")
    }

    /// Writes, and waits until all of it is judged.
    pub fn put(&mut self, puts: &[(String, String, String)]) {
        let waiting = self.write(puts, Until::Judged);
        let answers = self.answers(waiting, |_| false);
        let judged = |answer: &Option<Answer>| matches!(answer, Some(Answer::Judged(_)));
        assert!(answers.iter().all(judged), "{answers:?}");
    }

    /// A snapshot of everything that is held.
    pub fn snapshot(&self) -> service::Status {
        let handle = self.snapshots.as_ref().unwrap().handle();
        handle.create_all().unwrap();
        until("a round", || Some(handle.status()).filter(|status| !status.running))
    }

    /// Ends it in good order, then walks over everything that is stored: all of it must agree.
    pub fn stop(self) {
        let Self { inboxes, log, snapshots, owners, readers, data_dir, holds, .. } = self;
        drop((inboxes, holds));
        assert!(log.stop());
        assert!(snapshots.is_none_or(service::Running::stop));
        for owner in owners {
            let mut writer = owner.join().unwrap();
            while writer.sweep().unwrap() {}
        }
        for (reader, (_, identity)) in readers.iter().zip(data_dir.each_shard()) {
            let report = reader.read(|view| view.check(&identity)).unwrap().unwrap();
            assert!(report.clean(), "{:?}", report.faults);
            assert_eq!(report.staged, 0, "what is released is swept");
        }
    }
}

pub fn all() -> impl Iterator<Item = Partition> {
    (0..PARTITIONS).map(Partition)
}

fn stands(readers: &[Reader], partition: Partition) -> Position {
    let reader = &readers[usize::from(partition.shard(SHARDS).0)];
    reader.read(|view| view.position(partition)).unwrap().unwrap()
}
