//! The one queue of a shard: every core puts its entries in, the owner thread takes them out in
//! batches, or the log's thread where the order comes from elsewhere. Bounded by entries and by
//! bytes; past a bound the answer is a refusal at once, so that an acknowledged write is never
//! dropped and a core never waits.

use std::sync::Arc;
use std::task::Waker;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use pumice_model::entry::Entry;
use pumice_model::ids::Partition;
use pumice_model::limits::{BATCH_MAX, BODY_MAX};

use super::ticket::Ticket;
use crate::stats::shard::{ShardState, ShardStats};

/// Submissions that wait, at most: one slot each in the channel, made at start.
const SUBMISSIONS: usize = 4_096;
/// Entries that wait, at most: about a second of work.
const ENTRIES: u64 = 100_000;
/// Bytes of entries that wait, at most.
const BYTES: u64 = 64 * 1_024 * 1_024;
/// Entries of one commit, at most, unless one submission alone has more: the larger the batch,
/// the fewer the fsyncs; the smaller, the sooner the first of it is told.
pub const COMMIT_ENTRIES: usize = 8_192;
/// Bytes of one commit, at most, likewise.
const COMMIT_BYTES: u64 = 8 * 1_024 * 1_024;
/// Conditions of one commit, at most, likewise: judging one can take two milliseconds.
const COMMIT_CONDITIONS: usize = 500;

const _: () = assert!(BODY_MAX as u64 <= BYTES && BATCH_MAX as u64 <= ENTRIES);

/// One entry on its way into the log.
#[derive(Debug)]
pub struct Work {
    /// Where it belongs.
    pub partition: Partition,
    /// What it is.
    pub entry: Entry,
    /// Where its outcome goes.
    pub home: Ticket,
}

/// Why an inbox took nothing of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// Too much is waiting.
    Busy,
    /// The shard found no room and has not tried again since.
    Full,
    /// The shard takes no more entries.
    Broken,
}

/// The putting end; one for each core.
#[derive(Clone)]
pub struct Inbox {
    batches: Sender<Batch>,
    stats: Arc<ShardStats>,
    /// Whoever takes without blocking; the owner thread waits at the channel itself.
    taker: Option<Waker>,
}

/// The taking end.
pub struct Outlet {
    batches: Receiver<Batch>,
    stats: Arc<ShardStats>,
}

/// Entries in order, and what they count against the queue's bounds.
#[derive(Debug)]
pub struct Batch {
    works: Vec<Work>,
    weight: Weight,
}

#[derive(Clone, Copy, Debug)]
struct Weight {
    entries: u64,
    bytes: u64,
    conditions: usize,
}

/// An inbox and its outlet. `taker` is woken after every submission.
pub fn inbox(stats: Arc<ShardStats>, taker: Option<Waker>) -> (Inbox, Outlet) {
    let (sender, receiver) = bounded(SUBMISSIONS);
    (Inbox { batches: sender, stats: stats.clone(), taker }, Outlet { batches: receiver, stats })
}

impl Inbox {
    /// Whether a submission would be taken now.
    pub fn admits(&self) -> Result<(), TurnedAway> {
        let busy = self.batches.is_full()
            || self.stats.queue_entries.get() >= ENTRIES
            || self.stats.queue_bytes.get() >= BYTES;
        let admitted = match self.stats.state() {
            ShardState::Broken => Err(TurnedAway::Broken),
            // While full, one submission at a time tries whether there is room again; where the
            // order comes from elsewhere the owner itself tries, with what it has been fed.
            ShardState::Full if self.taker.is_some() || self.stats.queue_entries.get() > 0 => {
                Err(TurnedAway::Full)
            }
            _ if busy => Err(TurnedAway::Busy),
            _ => Ok(()),
        };
        admitted.inspect_err(|_| self.stats.turned_away.add(1))
    }

    /// Puts entries in, in order; all of them or none.
    pub fn submit(&self, works: Vec<Work>) -> Result<(), TurnedAway> {
        self.admits()?;
        let bytes = works.iter().map(|work| work.entry.encoded_len()).sum::<usize>();
        let mutations = works.iter().flat_map(|work| &work.entry.mutations);
        let conditions = mutations.filter(|mutation| mutation.condition.is_some()).count();
        let weight = Weight { entries: works.len() as u64, bytes: bytes as u64, conditions };
        enqueue(&self.stats, weight);
        self.batches.try_send(Batch { works, weight }).map_err(|fault| {
            dequeue(&self.stats, weight);
            self.stats.turned_away.add(1);
            match fault {
                TrySendError::Full(_) => TurnedAway::Busy,
                TrySendError::Disconnected(_) => TurnedAway::Broken,
            }
        })?;
        if let Some(taker) = &self.taker {
            taker.wake_by_ref();
        }
        Ok(())
    }
}

impl Outlet {
    /// Waits for entries, then takes what is there up to the limits of a commit, in order.
    /// `None` when every inbox is gone and nothing is left.
    pub fn gather(&self) -> Option<Batch> {
        let mut batch = self.batches.recv().ok()?;
        while batch.works.len() < COMMIT_ENTRIES
            && batch.weight.bytes < COMMIT_BYTES
            && batch.weight.conditions < COMMIT_CONDITIONS
        {
            let Ok(more) = self.batches.try_recv() else { break };
            batch.works.extend(more.works);
            batch.weight.entries += more.weight.entries;
            batch.weight.bytes += more.weight.bytes;
            batch.weight.conditions += more.weight.conditions;
        }
        Some(batch)
    }

    /// Whether a submission waits.
    pub fn waits(&self) -> bool {
        !self.batches.is_empty()
    }

    /// The next submission, if one waits now.
    pub fn take_now(&self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }
}

impl Batch {
    /// The entries, and the guard that counts them as waiting until it is dropped.
    pub fn take(self, outlet: &Outlet) -> (Vec<Work>, Waiting) {
        (self.works, Waiting { stats: outlet.stats.clone(), weight: self.weight })
    }
}

/// Counts entries as waiting until they are judged or turned away.
pub struct Waiting {
    stats: Arc<ShardStats>,
    weight: Weight,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        dequeue(&self.stats, self.weight);
    }
}

fn enqueue(stats: &ShardStats, weight: Weight) {
    stats.queue_entries.rise(weight.entries);
    stats.queue_bytes.rise(weight.bytes);
}

fn dequeue(stats: &ShardStats, weight: Weight) {
    stats.queue_entries.fall(weight.entries);
    stats.queue_bytes.fall(weight.bytes);
}
