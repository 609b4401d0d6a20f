//! The way of one partition's entries into the log: what gathers while one produce is in flight
//! goes into the next one. Log's thread, a task for each partition that is written; it never sends
//! two batches at a time and never gives a sequence twice.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::TopicName;
use pumice_model::ids::{Offset, Partition, ProducerId, Token};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::backoff::Backoff;
use super::cluster::Cluster;
use super::gate::Gate;
use super::produce::{self, Certain};
use super::queue::{Flight, Queue};
use super::tickets::Tickets;
use super::wire::Fault;
use crate::clock;
use crate::mesh::home::Home;
use crate::mesh::inbox::{Waiting, Work};
use crate::mesh::ticket::{Answer, Ticket, Told, Unmade};
use crate::settings::KafkaCompression;
use crate::stats::log::LogStats;
use crate::stats::progress::{Following, PartitionProgress, Progress};

/// How long a batch is repeated before nobody waits for it any more.
const GIVE_UP: Duration = Duration::from_secs(30);
/// How long a batch that certainly is not in the log is tried.
const UNSENT: Duration = Duration::from_secs(5);

/// What all lanes share.
pub struct Writing {
    /// Where they lead.
    pub cluster: Rc<Cluster>,
    /// The topic of the entries.
    pub topic: TopicName,
    /// This process.
    pub producer: ProducerId,
    /// How batches are packed.
    pub compression: KafkaCompression,
    /// Whether they may go.
    pub gate: Gate,
    /// Where outcomes go once the log brings the entries back.
    pub tickets: Rc<Tickets>,
    /// The cores.
    pub home: Home,
    /// Which partitions are broken.
    pub progress: Arc<Progress>,
    /// What is counted.
    pub stats: Arc<LogStats>,
}

/// The lane of one partition.
pub struct Lane {
    partition: Partition,
    shared: Rc<Writing>,
    queue: RefCell<Queue>,
    came: Notify,
    flying: Cell<bool>,
}

impl Lane {
    /// A lane that nobody drives yet.
    pub fn new(partition: Partition, shared: Rc<Writing>) -> Self {
        Self {
            partition,
            shared,
            queue: RefCell::default(),
            came: Notify::new(),
            flying: Cell::default(),
        }
    }

    /// Takes an entry, or turns it away at once where the partition is broken.
    pub fn put(&self, work: Work, waiting: &Rc<Waiting>) {
        if self.is_broken() {
            self.shared.tell([work.home], Unmade::Broken);
            return;
        }
        self.queue.borrow_mut().push(work, waiting);
        self.came.notify_one();
    }

    /// Turns away what has waited for too long.
    pub fn sweep(&self, now: Instant) {
        let broken = self.is_broken();
        let mut queue = self.queue.borrow_mut();
        let (turned_away, unmade) = match broken {
            true => (queue.drain(), Unmade::Broken),
            false => (queue.too_old(now), Unmade::Unsent),
        };
        drop(queue);
        self.shared.stats.produce_unsent.add(turned_away.len() as u64);
        self.shared.tell(turned_away, unmade);
    }

    /// Whether a batch is on its way.
    pub fn is_flying(&self) -> bool {
        self.flying.get()
    }

    fn is_broken(&self) -> bool {
        let progress = self.shared.progress.of(self.partition);
        progress.is_none_or(|progress| progress.following() == Following::Broken)
    }

    /// Whether the log brings entries back to where their outcomes are waited for. Where it does
    /// not, that the log has them is all that is ever told.
    fn comes_back(&self) -> bool {
        let progress = self.shared.progress.of(self.partition);
        let following = progress.map(PartitionProgress::following);
        matches!(following, Some(Following::Starting | Following::Live))
    }

    /// Sends what comes, until the gate closes.
    pub async fn run(self: Rc<Self>) {
        let mut sequence = 1;
        let mut backoff = Backoff::default();
        while let Some(batch_max) = self.shared.gate.pass().await {
            if self.queue.borrow().is_empty() {
                self.came.notified().await;
                continue;
            }
            // Entries leave the queue when there is somebody to send them to: what is in it was
            // certainly never sent.
            let partition = self.partition.0 as i32;
            match self.shared.cluster.leader(&self.shared.topic, partition).await {
                Ok(leader) => {
                    leader.give_back();
                    let departed = self.depart(sequence, batch_max);
                    if let Some(flight) = departed {
                        sequence = flight.first + flight.homes.len() as u64;
                        self.flying.set(true);
                        self.fly(flight).await;
                        self.flying.set(false);
                    }
                    backoff = Backoff::default();
                }
                Err(fault) => {
                    tracing::debug!("partition {}: {fault}", self.partition);
                    sleep(backoff.rest()).await;
                }
            }
        }
    }

    fn depart(&self, sequence: u64, batch_max: usize) -> Option<Flight> {
        let Writing { tickets, producer, .. } = &*self.shared;
        if self.shared.gate.is_closed() {
            return None;
        }
        let flight = self.queue.borrow_mut().depart(*producer, sequence, batch_max)?;
        if self.comes_back() {
            if !tickets.has_room(flight.homes.len()) {
                self.shared.turn_away(flight.homes);
                return None;
            }
            tickets.put(self.partition, flight.first, flight.homes.iter().copied());
        }
        Some(flight)
    }

    /// Sends a batch until it is certain what became of it, or nobody waits any more.
    async fn fly(&self, mut flight: Flight) {
        let records = std::mem::take(&mut flight.records);
        let batch = produce::batch(records, clock::now(), self.shared.compression);
        let batch = match batch {
            Ok(batch) => batch,
            Err(fault) => {
                tracing::error!("partition {}: a batch does not encode: {fault}", self.partition);
                return self.not_sent(flight);
            }
        };
        let (began, mut perhaps) = (Instant::now(), false);
        let mut backoff = Backoff::default();
        loop {
            let (fault, certain) = match self.send(&batch).await {
                Ok(base) => return self.acknowledged(&flight, base),
                Err(failed) => failed,
            };
            perhaps |= certain == Certain::Nothing;
            let closed = self.shared.gate.is_closed();
            if !perhaps
                && (certain == Certain::Refused || flight.since.elapsed() > UNSENT || closed)
            {
                if certain == Certain::Refused {
                    let many = flight.homes.len();
                    tracing::warn!("partition {}: {many} entries: {fault}", self.partition);
                }
                return self.not_sent(flight);
            }
            if perhaps && (began.elapsed() > GIVE_UP || self.is_broken() || closed) {
                self.shared.stats.produce_unknown.add(flight.homes.len() as u64);
                tracing::warn!(
                    "partition {}: nobody knows whether the log has {} entries: {fault}",
                    self.partition,
                    flight.homes.len(),
                );
                return;
            }
            if perhaps {
                self.shared.stats.produce_repeats.add(1);
            }
            tracing::debug!("partition {}: sending again: {fault}", self.partition);
            sleep(backoff.rest()).await;
        }
    }

    async fn send(&self, batch: &Bytes) -> Result<u64, (Fault, Certain)> {
        let Writing { cluster, topic, stats, .. } = &*self.shared;
        let partition = self.partition.0 as i32;
        let leader = cluster.leader(topic, partition).await;
        let mut leader = leader.map_err(|fault| (fault, Certain::NotYet))?;
        let began = Instant::now();
        match produce::produce(&mut leader.connection, topic, partition, batch.clone()).await {
            Ok(base) => {
                stats.produce.record_time(began.elapsed());
                cluster.heard();
                leader.give_back();
                Ok(base)
            }
            Err(fault) => {
                leader.failed().await;
                let certain = produce::certain(&fault);
                Err((fault, certain))
            }
        }
    }

    fn acknowledged(&self, flight: &Flight, base: u64) {
        let Writing { stats, home, .. } = &*self.shared;
        stats.produced_batches.add(1);
        stats.produced_entries.add(flight.homes.len() as u64);
        let partition = self.partition;
        home.send((base..).zip(&flight.homes).map(|(offset, ticket)| {
            let token = Token { partition, offset: Offset(offset) };
            Told { ticket: *ticket, answer: Answer::Logged(token) }
        }));
    }

    fn not_sent(&self, flight: Flight) {
        self.shared.tickets.withdraw(self.partition, flight.first);
        self.shared.turn_away(flight.homes);
    }
}

impl Writing {
    fn turn_away(&self, homes: Vec<Ticket>) {
        self.stats.produce_unsent.add(homes.len() as u64);
        self.tell(homes, Unmade::Unsent);
    }

    /// Tells that there is no outcome, and why.
    pub fn tell(&self, homes: impl IntoIterator<Item = Ticket>, unmade: Unmade) {
        let mut homes = homes.into_iter().peekable();
        if homes.peek().is_some() {
            let answer = Answer::Unmade(unmade);
            self.home.send(homes.map(|ticket| Told { ticket, answer }));
        }
    }
}
