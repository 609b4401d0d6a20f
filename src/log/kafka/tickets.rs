//! Where the outcomes of this process's own entries go, from the moment they are sent until the log
//! brings them back. Log's thread; bounded in number and in time.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use pumice_model::ids::Partition;

use crate::mesh::ticket::Ticket;

/// Nobody waits longer for a write.
const KEPT: Duration = Duration::from_secs(35);
/// Entries on their way through the log, at most.
const MAX: usize = 400_000;

/// Tickets by partition and sequence.
#[derive(Default)]
pub struct Tickets {
    partitions: RefCell<HashMap<Partition, VecDeque<Sent>>>,
    count: Cell<usize>,
}

struct Sent {
    sequence: u64,
    ticket: Ticket,
    at: Instant,
}

/// What the log's having a sequence means.
#[derive(Default)]
pub struct Sighted {
    /// The ticket of that very entry.
    pub ticket: Option<Ticket>,
    /// Those of lower sequences that the log did not have before it: never to be applied.
    pub passed: Vec<Ticket>,
}

impl Tickets {
    /// Whether as many as `more` find room.
    pub fn has_room(&self, more: usize) -> bool {
        self.count.get() + more <= MAX
    }

    /// Keeps the tickets of consecutive sequences, higher than all before.
    pub fn put(&self, partition: Partition, first: u64, tickets: impl Iterator<Item = Ticket>) {
        let mut partitions = self.partitions.borrow_mut();
        let sent = partitions.entry(partition).or_default();
        let (before, at) = (sent.len(), Instant::now());
        sent.extend((first..).zip(tickets).map(|(sequence, ticket)| Sent { sequence, ticket, at }));
        self.count.set(self.count.get() + sent.len() - before);
    }

    /// Forgets those from `first` on: they are told otherwise.
    pub fn withdraw(&self, partition: Partition, first: u64) {
        self.change(partition, |sent| {
            while sent.back().is_some_and(|last| last.sequence >= first) {
                sent.pop_back();
            }
        });
    }

    /// The log has the entry `sequence`.
    pub fn sighted(&self, partition: Partition, sequence: u64) -> Sighted {
        let mut sighted = Sighted::default();
        self.change(partition, |sent| {
            while let Some(first) = pop_if(sent, |first| first.sequence <= sequence) {
                if first.sequence == sequence {
                    sighted.ticket = Some(first.ticket);
                } else {
                    sighted.passed.push(first.ticket);
                }
            }
        });
        sighted
    }

    /// The lowest and the highest sequence that wait for a partition.
    pub fn waiting(&self, partition: Partition) -> Option<(u64, u64)> {
        let partitions = self.partitions.borrow();
        let sent = partitions.get(&partition)?;
        Some((sent.front()?.sequence, sent.back()?.sequence))
    }

    /// All of a partition, which nothing will be told about by the log any more.
    pub fn clear(&self, partition: Partition) -> Vec<Ticket> {
        let mut all = Vec::new();
        self.change(partition, |sent| all.extend(sent.drain(..).map(|sent| sent.ticket)));
        all
    }

    /// Forgets those that nobody can be waiting for.
    pub fn sweep(&self, now: Instant) {
        let partitions: Vec<Partition> = self.partitions.borrow().keys().copied().collect();
        for partition in partitions {
            let old = |sent: &Sent| now.duration_since(sent.at) > KEPT;
            self.change(partition, |sent| while pop_if(sent, old).is_some() {});
        }
    }

    fn change(&self, partition: Partition, change: impl FnOnce(&mut VecDeque<Sent>)) {
        if let Some(sent) = self.partitions.borrow_mut().get_mut(&partition) {
            let before = sent.len();
            change(sent);
            self.count.set(self.count.get() + sent.len() - before);
        }
    }
}

fn pop_if(sent: &mut VecDeque<Sent>, wanted: impl FnOnce(&Sent) -> bool) -> Option<Sent> {
    sent.front().is_some_and(wanted).then(|| sent.pop_front()).flatten()
}

#[cfg(test)]
mod tests {
    use crate::mesh::ticket::{Tickets as Slots, Until, Waiting};

    use super::*;

    const P: Partition = Partition(3);

    fn tickets(waiting: &Waiting) -> impl Iterator<Item = Ticket> {
        (0..4).map(|index| waiting.ticket(index))
    }

    #[test]
    fn a_sequence_takes_its_ticket_and_those_it_passed() {
        let (sent, waiting) = (Tickets::default(), Slots::new(0).open(4, Until::Judged));
        sent.put(P, 7, tickets(&waiting));
        assert_eq!(sent.waiting(P), Some((7, 10)));
        let sighted = sent.sighted(P, 9);
        assert_eq!(sighted.ticket, Some(waiting.ticket(2)));
        assert_eq!(sighted.passed, [waiting.ticket(0), waiting.ticket(1)]);
        assert!(sent.sighted(P, 9).ticket.is_none(), "a repeat finds nothing");
        assert_eq!(sent.waiting(P), Some((10, 10)));
        assert_eq!(sent.clear(P), [waiting.ticket(3)]);
        assert_eq!(sent.waiting(P), None);
        assert_eq!(sent.count.get(), 0);
    }

    #[test]
    fn old_ones_and_withdrawn_ones_go() {
        let (sent, waiting) = (Tickets::default(), Slots::new(0).open(4, Until::Judged));
        sent.put(P, 1, tickets(&waiting));
        sent.withdraw(P, 3);
        assert!(sent.sighted(P, 3).ticket.is_none());
        assert_eq!(sent.count.get(), 0, "sequences 1 and 2 were passed");
        sent.put(P, 5, tickets(&waiting));
        sent.sweep(Instant::now() + KEPT + Duration::from_secs(1));
        assert!(sent.has_room(MAX));
    }
}
