//! The entries of one partition that were never sent, in order. Log's thread; bounded by the
//! shard's inbox, which counts them until they leave.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pumice_model::entry::{Entry, Origin};
use pumice_model::ids::ProducerId;

use super::configs::OVERHEAD;
use crate::mesh::inbox::{Waiting, Work};
use crate::mesh::ticket::Ticket;

/// How long an entry may wait before its client hears that nothing was appended.
const UNSENT: Duration = Duration::from_secs(5);
/// Bytes of records of one batch, at most, unless one record alone has more.
const BATCH_BYTES: usize = 1_000_000;
/// Entries of one batch, at most: their acknowledgement goes home at once.
const BATCH_ENTRIES: usize = 8_192;
/// Bytes that a record adds to its key and value.
const RECORD: usize = 32;

/// Entries in order.
#[derive(Default)]
pub struct Queue(VecDeque<Queued>);

struct Queued {
    entry: Entry,
    home: Ticket,
    since: Instant,
    waiting: Rc<Waiting>,
}

/// Entries that go into the log together.
pub struct Flight {
    /// The sequence of the first; the others follow it.
    pub first: u64,
    /// Where each outcome goes.
    pub homes: Vec<Ticket>,
    /// Keys and values.
    pub records: Vec<(Option<Bytes>, Bytes)>,
    /// When the oldest came.
    pub since: Instant,
    /// Counts them as waiting, until it is dropped.
    _waiting: Vec<Rc<Waiting>>,
}

impl Queue {
    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts an entry behind the others.
    pub fn push(&mut self, work: Work, waiting: &Rc<Waiting>) {
        let Work { entry, home, .. } = work;
        self.0.push_back(Queued { entry, home, since: Instant::now(), waiting: waiting.clone() });
    }

    /// Takes out what has waited for too long.
    pub fn too_old(&mut self, now: Instant) -> Vec<Ticket> {
        let old = |queued: &Queued| now.duration_since(queued.since) > UNSENT;
        let count = self.0.iter().take_while(|queued| old(queued)).count();
        self.0.drain(..count).map(|queued| queued.home).collect()
    }

    /// Takes out everything.
    pub fn drain(&mut self) -> Vec<Ticket> {
        self.0.drain(..).map(|queued| queued.home).collect()
    }

    /// Takes the next batch of at most `batch_max` bytes out and gives its entries the sequences
    /// from `first` on. `None` when nothing waits.
    pub fn depart(&mut self, producer: ProducerId, first: u64, batch_max: usize) -> Option<Flight> {
        let since = self.0.front()?.since;
        let room = BATCH_BYTES.min(batch_max.saturating_sub(OVERHEAD));
        let (mut homes, mut records, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        for sequence in first.. {
            let Some(next) = self.0.front() else { break };
            // The key is for others who read the topic; we go by what stands in the entry.
            let key = next.entry.mutations.first().map(|mutation| mutation.pk.clone());
            let size = next.entry.encoded_len() + key.as_ref().map_or(0, String::len) + RECORD;
            if !records.is_empty() && (bytes + size > room || records.len() == BATCH_ENTRIES) {
                break;
            }
            let Some(mut next) = self.0.pop_front() else { break };
            next.entry.origin = Some(Origin { producer, sequence });
            records.push((key.map(Bytes::from), Bytes::from(next.entry.encode())));
            homes.push(next.home);
            if waiting.last().is_none_or(|last| !Rc::ptr_eq(last, &next.waiting)) {
                waiting.push(next.waiting);
            }
            bytes += size;
        }
        Some(Flight { first, homes, records, since, _waiting: waiting })
    }
}
