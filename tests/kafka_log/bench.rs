//! The log alone between a broker and threads that stand for owners and a core: what they were fed
//! and told is kept for the test.

use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use pumice::log::kafka::{self, LogFault, Running, Setup};
use pumice::mesh::feed::{Entries, Fed, Feed, feed};
use pumice::mesh::home::{Home, Message};
use pumice::mesh::inbox::{Inbox, Work, inbox};
use pumice::mesh::lane::{Receiver, lane};
use pumice::mesh::positions::Positions;
use pumice::mesh::ticket::{Answer, Ticket, Tickets, Told, Until, Waiting};
use pumice::settings::{ClusterSettings, KafkaCompression, KafkaSettings};
use pumice::stats::log::LogStats;
use pumice::stats::progress::{Following, Progress};
use pumice_model::entry::{Entry, Logged};
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::mutation::{Change, Expect, Mutation};
use pumice_model::outcome::{Outcome, Verdict};
use pumice_shards::Position;

pub const PARTITIONS: u32 = 4;
const SHARDS: u16 = 2;
/// Far longer than anything here takes, so that no run depends on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the owners were fed, by partition.
pub type Applied = Arc<Mutex<Vec<Vec<Logged>>>>;

/// A log that runs.
pub struct Bench {
    running: Option<Running>,
    inboxes: Vec<Inbox>,
    owners: Vec<thread::JoinHandle<()>>,
    told: Receiver<Message>,
    tickets: Tickets,
    pub applied: Applied,
    pub progress: Arc<Progress>,
    pub stats: Arc<LogStats>,
    pub positions: Positions,
}

pub fn settings(brokers: &str, name: &str) -> KafkaSettings {
    KafkaSettings {
        brokers: brokers.split(',').map(str::to_owned).collect(),
        tls: None,
        sasl: None,
        mutations_topic: format!("pumice_{name}_mutations"),
        partitions_topic: format!("pumice_{name}_partitions"),
        compression: KafkaCompression::Lz4,
        replication: -1,
        required: false,
    }
}

pub fn nothing_held() -> Vec<Position> {
    vec![Position::ZERO; PARTITIONS as usize]
}

impl Bench {
    pub fn start(settings: &KafkaSettings, held: Vec<Position>) -> Result<Self, LogFault> {
        let (waker, taken) = kafka::taker();
        let inboxes = (0..SHARDS).map(|_| inbox(Arc::default(), Some(waker.clone())));
        let (inboxes, outlets) = inboxes.unzip();
        let (feeders, feeds): (Vec<_>, Vec<_>) = (0..SHARDS).map(|_| feed()).unzip();
        let (sender, told) = lane(1_024);
        let home = Home::new(vec![sender]);
        let positions = Positions::new(PARTITIONS);
        for (partition, position) in (0..).map(Partition).zip(&held) {
            positions.reached(partition, position.next);
        }
        let applied: Applied = Arc::new(Mutex::new(vec![Vec::new(); PARTITIONS as usize]));
        let owners = feeds.into_iter().map(|feed| {
            let (applied, positions, home) = (applied.clone(), positions.clone(), home.clone());
            thread::spawn(move || own(feed, &applied, &positions, &home))
        });
        let (progress, stats) = (Arc::new(Progress::new(PARTITIONS)), Arc::<LogStats>::default());
        let (namespace, hash) = ("bench".to_owned(), Hash::Murmur2);
        let owners = owners.collect();
        let running = kafka::start(Setup {
            settings: settings.clone(),
            cluster: ClusterSettings { namespace, partitions: PARTITIONS, hash },
            held,
            held_by: None,
            outlets,
            feeders,
            wanting: None,
            has_objects: false,
            home,
            positions: positions.clone(),
            progress: progress.clone(),
            stats: stats.clone(),
            serving: Vec::new(),
            taken,
        })?;
        let (running, tickets) = (Some(running), Tickets::new(0));
        Ok(Self { running, inboxes, owners, told, tickets, applied, progress, stats, positions })
    }

    /// Writes one put for each pk, in order.
    pub fn write<'p>(&self, pks: impl IntoIterator<Item = &'p str>) -> Waiting {
        let pks: Vec<&str> = pks.into_iter().collect();
        let waiting = self.tickets.open(pks.len(), Until::Judged);
        for (at, pk) in pks.iter().enumerate() {
            let partition = Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS);
            let work = Work { partition, entry: put(pk), home: waiting.ticket(at) };
            self.inboxes[usize::from(partition.shard(SHARDS).0)].submit(vec![work]).unwrap();
        }
        waiting
    }

    /// Waits for the answers to a write.
    pub fn answers(&mut self, waiting: Waiting) -> Vec<Answer> {
        let (mut waiting, mut messages) = (Box::pin(waiting), Vec::new());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let all = async {
            loop {
                let polled = std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx)));
                if let Poll::Ready(answers) = polled.await {
                    return answers;
                }
                self.told.recv_many(&mut messages, 64).await;
                for message in messages.drain(..) {
                    let Message::Told(told) = message else { continue };
                    told.into_iter().for_each(|told| self.tickets.tell(told));
                }
            }
        };
        let all = async { tokio::time::timeout(PATIENCE, all).await };
        runtime.block_on(all).expect("every write is answered")
    }

    /// Waits until `count` entries of all partitions were fed.
    pub fn wait_for(&self, count: usize) {
        self.wait(|bench| {
            bench.applied.lock().unwrap().iter().map(Vec::len).sum::<usize>() >= count
        });
    }

    pub fn wait(&self, mut reached: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !reached(self) {
            assert!(began.elapsed() < PATIENCE, "{:?} {:?}", self.progress, self.stats);
            thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn following(&self, partition: u32) -> (Following, Option<String>) {
        let progress = self.progress.of(Partition(partition)).unwrap();
        (progress.following(), progress.broken_because())
    }

    /// Ends it, and gives where each partition stands.
    pub fn stop(mut self) -> Vec<Position> {
        self.inboxes.clear();
        assert!(self.running.take().is_some_and(Running::stop));
        for owner in self.owners.drain(..) {
            owner.join().unwrap();
        }
        let applied = self.applied.lock().unwrap();
        let stands = applied.iter().map(|logged| match logged.last() {
            None => Position::ZERO,
            Some(last) => {
                let next = Offset(last.offset.0 + 1);
                Position { next, last: last.hash, ..Position::ZERO }
            }
        });
        stands.collect()
    }
}

fn own(mut feed: Feed, applied: &Applied, positions: &Positions, home: &Home) {
    while let Some(fed) = feed.blocking_recv() {
        let Fed::Entries(Entries { logged, homes }) = fed else { continue };
        let judged: Vec<Told> = logged.iter().zip(homes).filter_map(judge).collect();
        for entry in logged {
            let partition = &mut applied.lock().unwrap()[entry.partition.0 as usize];
            assert!(partition.last().is_none_or(|last| last.offset < entry.offset));
            positions.reached(entry.partition, Offset(entry.offset.0 + 1));
            partition.push(entry);
        }
        home.send(judged.into_iter());
    }
}

fn judge((entry, home): (&Logged, Option<Ticket>)) -> Option<Told> {
    let Logged { partition, offset, .. } = *entry;
    let token = Token { partition, offset };
    let verdict = Verdict { outcome: Outcome::Applied { created: true }, token };
    home.map(|ticket| Told { ticket, answer: Answer::Judged(verdict) })
}

fn put(pk: &str) -> Entry {
    let change = Change::Put { data: r#"{"n":1}"#.to_owned(), ttl_ms: None };
    let (pk, sk, condition) = (pk.to_owned(), String::new(), None);
    let mutations = vec![Mutation { pk, sk, change, condition, expect: Expect::Any }];
    Entry { origin: None, time: 1_700_000_000_000, write_id: None, dialect: 1, mutations }
}
