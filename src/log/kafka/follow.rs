//! Following one partition: first whether and from where it can be followed, then fetch after
//! fetch into the feed of its shard. Log's thread, a task for each partition; it never skips an
//! entry: what it cannot follow is *broken*, with the reason.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::TopicName;
use pumice_model::entry::Logged;
use pumice_model::ids::{Offset, Partition};
use pumice_shards::Position;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::cluster::{Cluster, Leader};
use super::decode::{Decoded, decode};
use super::fetch::{self, Fetched};
use super::lane::Writing;
use super::records::BatchFault;
use super::wire::Fault;
use crate::clock;
use crate::mesh::feed::{Entries, Fed, Feeder};
use crate::mesh::positions::Positions;
use crate::mesh::ticket::{Ticket, Unmade};
use crate::mesh::wants::Wanting;
use crate::stats::log::LogStats;
use crate::stats::progress::{Following, PartitionProgress, Progress};

/// Bytes that one fetch brings to a partition that has all but the latest.
const FETCH_LIVE: i32 = 64 * 1_024;
/// Bytes that one fetch brings to a partition that is behind.
const FETCH_BEHIND: i32 = 1_024 * 1_024;
/// Partitions of one shard that fetch so much at a time: it bounds the memory of what was fetched
/// and not taken, and a shard whose disk is full holds nobody else up.
const BEHIND_AT_A_TIME: usize = 3;
/// Partitions that begin at a time: each opens a connection.
const BEGIN_AT_A_TIME: usize = 16;
/// Rest before a partition that lost its place is located anew.
const LOST: Duration = Duration::from_millis(500);
/// A partition that was not fetched for so long is located anew: its process may have been stopped.
/// Three long polls.
const SILENCE: Duration = Duration::from_millis(1_500);
/// A failure that lasts is told again after so many tries.
const TELL_EVERY: u32 = 64;

/// What all followers share.
pub struct Reading {
    /// Whom they follow.
    pub cluster: Rc<Cluster>,
    /// The topic of the entries.
    pub topic: TopicName,
    /// Whose tickets wait for the log.
    pub writing: Rc<Writing>,
    /// Asks for snapshots.
    pub wanting: Option<Wanting>,
    /// How far partitions are applied.
    pub positions: Positions,
    /// How partitions stand to the log.
    pub progress: Arc<Progress>,
    /// What is counted.
    pub stats: Arc<LogStats>,
    /// See [`BEGIN_AT_A_TIME`].
    pub beginning: Semaphore,
    /// See [`BEHIND_AT_A_TIME`]; by shard.
    pub behind: Vec<Semaphore>,
}

/// The follower of one partition.
pub struct Follower {
    pub(super) partition: Partition,
    pub(super) shared: Rc<Reading>,
    pub(super) feeder: Feeder,
    /// Where the next fetch goes on.
    pub(super) at: u64,
    /// The offset after the last entry that was handed over; control batches may lie between.
    pub(super) fed: u64,
    /// The hash of that entry's record; 0 when it is not known.
    pub(super) last: u64,
    pub(super) leader: Option<Leader>,
    tries: u32,
}

/// Why following ended.
#[derive(Debug)]
pub enum Ended {
    /// It has to be found out anew from where it can be followed.
    Lost,
    /// It cannot be followed.
    Broken(String),
    /// Nobody takes entries any more.
    Over,
}

/// The bounds of a node with `shards` shards: [`Reading::beginning`] and [`Reading::behind`].
pub fn bounds(shards: usize) -> (Semaphore, Vec<Semaphore>) {
    let behind = (0..shards).map(|_| Semaphore::new(BEHIND_AT_A_TIME));
    (Semaphore::new(BEGIN_AT_A_TIME), behind.collect())
}

impl Follower {
    /// From where the shard stands.
    pub fn new(
        partition: Partition,
        shared: Rc<Reading>,
        feeder: Feeder,
        position: &Position,
    ) -> Self {
        let Position { next, last, .. } = *position;
        Self { partition, shared, feeder, at: next.0, fed: next.0, last, leader: None, tries: 0 }
    }

    /// Follows until the partition is broken or its owner is gone.
    pub async fn run(mut self) {
        let shared = self.shared.clone();
        let Some(progress) = shared.progress.of(self.partition) else { return };
        loop {
            let ended = match self.locate(progress).await {
                Ok(()) => self.follow(progress).await,
                Err(ended) => ended,
            };
            let unseen = shared.writing.tickets.clear(self.partition);
            shared.writing.tell(unseen, Unmade::Unknown);
            match ended {
                Ended::Lost => sleep(LOST).await,
                Ended::Over => return,
                Ended::Broken(because) => {
                    tracing::error!(
                        "partition {} is broken: {because}; its reads go on",
                        self.partition
                    );
                    progress.set_broken(because);
                    return;
                }
            }
        }
    }

    async fn follow(&mut self, progress: &PartitionProgress) -> Ended {
        let shared = self.shared.clone();
        let turns = shared.behind.len().max(1) as u16;
        let turns = shared.behind.get(usize::from(self.partition.shard(turns).0));
        let (mut behind, mut backoff) = (true, Backoff::default());
        let (mut since, mut doubted) = (Instant::now(), false);
        while progress.following() != Following::Broken {
            // Behind a failure or a long silence may stand another log under the same name.
            if doubted || since.elapsed() > SILENCE {
                if let Err(ended) = self.locate(progress).await {
                    return ended;
                }
                doubted = false;
            }
            since = Instant::now();
            let turn = match turns.filter(|_| behind) {
                Some(turns) => turns.acquire().await.ok(),
                None => None,
            };
            let bytes = if behind { FETCH_BEHIND } else { FETCH_LIVE };
            let end = match self.take_on(progress, bytes).await {
                Ok(end) => end,
                Err(Failed::Ended(ended)) => return ended,
                Err(Failed::Fault(fault)) => {
                    drop(turn);
                    self.tell(&fault);
                    (behind, doubted) = (true, true);
                    sleep(backoff.rest()).await;
                    continue;
                }
            };
            self.tries = 0;
            backoff = Backoff::default();
            behind = self.at < end;
        }
        Ended::Over
    }

    /// One fetch, handed over to the owner. Gives the log's end.
    async fn take_on(&mut self, progress: &PartitionProgress, bytes: i32) -> Result<u64, Failed> {
        let Fetched { records, aborted, end } = self.fetch(self.at, bytes).await?;
        let decoded = decode(self.partition, self.at, records, aborted)?;
        let now = clock::now();
        self.count(&decoded);
        let Decoded { logged, next, .. } = decoded;
        let stuck = next == self.at && next < end;
        self.at = next;
        if let Some(last) = logged.last() {
            (self.fed, self.last) = (last.offset.0 + 1, last.hash);
        }
        progress.heard(Offset(end), self.applied(), now);
        progress.set(Following::Live);
        if !logged.is_empty() {
            let homes = logged.iter().map(|entry| self.home(entry)).collect();
            let entries = Fed::Entries(Entries { logged, homes });
            let fed = self.feeder.send(entries).await;
            fed.map_err(|_| Failed::Ended(Ended::Over))?;
        }
        if stuck {
            return Err(Failed::Fault("a fetch below the log's end brought nothing".to_owned()));
        }
        Ok(end)
    }

    /// How far the partition is applied. Control batches at the end of what was fetched are no
    /// entries, so that nobody but the follower can tell that they are past.
    fn applied(&self) -> Offset {
        let positions = &self.shared.positions;
        let applied = positions.next(self.partition).unwrap_or(Offset(0));
        if applied.0 == self.fed && self.fed < self.at {
            positions.reached(self.partition, Offset(self.at));
            return Offset(self.at);
        }
        applied
    }

    /// Where the outcome of an entry goes: it is of this process, or of another.
    fn home(&self, entry: &Logged) -> Option<Ticket> {
        let writing = &self.shared.writing;
        let origin = entry.entry.as_ref().ok()?.origin?;
        if origin.producer != writing.producer {
            return None;
        }
        let sighted = writing.tickets.sighted(self.partition, origin.sequence);
        writing.tell(sighted.passed, Unmade::Unsent);
        sighted.ticket
    }

    pub(super) async fn fetch(&mut self, at: u64, bytes: i32) -> Result<Fetched, Failed> {
        let (partition, topic) = (self.partition.0 as i32, self.shared.topic.clone());
        let leader = self.leader().await?;
        let fetched = fetch::fetch(&mut leader.connection, &topic, partition, at, bytes).await;
        self.answered(fetched).await
    }

    /// Where the log begins and ends.
    pub(super) async fn range(&mut self) -> Result<(u64, u64), Failed> {
        let (partition, topic) = (self.partition.0 as i32, self.shared.topic.clone());
        let leader = self.leader().await?;
        let range = fetch::range(&mut leader.connection, &topic, partition).await;
        self.answered(range).await
    }

    async fn leader(&mut self) -> Result<&mut Leader, Failed> {
        let leader = match self.leader.take().filter(|leader| leader.connection.usable()) {
            Some(leader) => leader,
            None => {
                let Reading { cluster, topic, .. } = &*self.shared;
                cluster.leader(topic, self.partition.0 as i32).await?
            }
        };
        Ok(self.leader.insert(leader))
    }

    async fn answered<T>(&mut self, answer: Result<T, Fault>) -> Result<T, Failed> {
        match answer {
            Ok(answer) => {
                self.shared.cluster.heard();
                Ok(answer)
            }
            Err(Fault::Answered(ResponseError::OffsetOutOfRange)) => {
                Err(Failed::Ended(Ended::Lost))
            }
            Err(fault) => {
                if let Some(leader) = self.leader.take() {
                    leader.failed().await;
                }
                Err(fault.into())
            }
        }
    }

    fn count(&self, decoded: &Decoded) {
        let (stats, kinds) = (&self.shared.stats, &decoded.kinds);
        stats.entries.add(kinds.entries);
        stats.foreign.add(kinds.foreign);
        stats.tombstones.add(kinds.tombstones);
        stats.garbage.add(kinds.garbage);
        stats.control.add(kinds.skipped);
        stats.fetched_bytes.add(kinds.bytes);
    }

    /// Counts a failure, and tells of one that lasts.
    pub(super) fn tell(&mut self, fault: &str) {
        self.shared.stats.fetch_faults.add(1);
        self.tries += 1;
        // That no broker answers is told once for all partitions.
        if self.tries % TELL_EVERY == 6 && self.shared.stats.connected.get() == 1 {
            tracing::warn!("partition {}: {fault}; trying on", self.partition);
        }
    }
}

/// Why a step was not made.
#[derive(Debug)]
pub enum Failed {
    /// It can be tried again.
    Fault(String),
    /// It cannot.
    Ended(Ended),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault.to_string())
    }
}

impl From<BatchFault> for Failed {
    fn from(fault: BatchFault) -> Self {
        match fault {
            BatchFault::Old(_) => Self::Ended(Ended::Broken(fault.to_string())),
            BatchFault::Damaged(..) => Self::Fault(fault.to_string()),
        }
    }
}
