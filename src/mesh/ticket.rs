//! Where outcomes go home to. A core keeps one slot for each request that waits; the owner of a
//! shard sends answers back by (core, slot, generation, index). Lives on one core, never shared.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pumice_model::outcome::Verdict;

/// The address of one entry's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The core that waits.
    pub core: u16,
    slot: u32,
    generation: u32,
    /// Which entry of the request.
    index: u32,
}

/// What the owner tells of one entry.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Where to.
    pub ticket: Ticket,
    /// The outcome, or why there is none.
    pub answer: Answer,
}

/// An outcome, or why there is none.
pub type Answer = Result<Verdict, Unmade>;

/// Why an entry has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// The shard had no room; certain that nothing was appended.
    Full,
    /// The shard was broken already; certain that nothing was appended.
    Broken,
    /// The shard broke while committing: the entry may or may not be there.
    Unknown,
}

/// The slots of one core.
#[derive(Clone)]
pub struct Tickets {
    core: u16,
    slots: Rc<RefCell<Slots>>,
}

#[derive(Default)]
struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    missing: usize,
    answers: Vec<Option<Answer>>,
    waker: Option<Waker>,
}

impl Tickets {
    /// No slots yet, for `core`.
    pub fn new(core: u16) -> Self {
        Self { core, slots: Rc::default() }
    }

    /// A slot that waits for `entries` outcomes.
    pub fn open(&self, entries: usize) -> Waiting {
        let mut slots = self.slots.borrow_mut();
        let at = slots.free.pop().unwrap_or_else(|| {
            slots.all.push(Slot::default());
            // Far fewer requests than 2^32 fit in memory.
            (slots.all.len() - 1) as u32
        });
        let slot = &mut slots.all[at as usize];
        slot.missing = entries;
        slot.answers.clear();
        slot.answers.resize(entries, None);
        slot.waker = None;
        Waiting { tickets: self.clone(), slot: at, generation: slot.generation }
    }

    /// Puts an answer into its slot; one that nobody waits for any more is dropped.
    pub fn tell(&self, told: Told) {
        let mut slots = self.slots.borrow_mut();
        let Some(slot) = slots.all.get_mut(told.ticket.slot as usize) else { return };
        if slot.generation != told.ticket.generation {
            return;
        }
        let Some(answer) = slot.answers.get_mut(told.ticket.index as usize) else { return };
        if answer.replace(told.answer).is_none() {
            slot.missing -= 1;
        }
        if slot.missing == 0
            && let Some(waker) = slot.waker.take()
        {
            waker.wake();
        }
    }
}

/// Resolves to the answers in entry order. Dropping it frees the slot; late answers are ignored.
pub struct Waiting {
    tickets: Tickets,
    slot: u32,
    generation: u32,
}

impl Waiting {
    /// The ticket of the entry at `index`.
    pub fn ticket(&self, index: usize) -> Ticket {
        let core = self.tickets.core;
        // A request has at most BATCH_MAX entries.
        Ticket { core, slot: self.slot, generation: self.generation, index: index as u32 }
    }
}

impl Future for Waiting {
    type Output = Vec<Answer>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Vec<Answer>> {
        let mut slots = self.tickets.slots.borrow_mut();
        let slot = &mut slots.all[self.slot as usize];
        if slot.missing > 0 {
            slot.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(slot.answers.drain(..).flatten().collect())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut slots = self.tickets.slots.borrow_mut();
        let slot = &mut slots.all[self.slot as usize];
        slot.generation = slot.generation.wrapping_add(1);
        slot.answers = Vec::new();
        slot.waker = None;
        slots.free.push(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use pumice_model::ids::{Offset, Partition, Token};
    use pumice_model::outcome::Outcome;

    use super::*;

    fn verdict(offset: u64) -> Answer {
        let token = Token { partition: Partition(0), offset: Offset(offset) };
        Ok(Verdict { outcome: Outcome::Applied { created: true }, token })
    }

    fn poll(waiting: &mut Waiting) -> Poll<Vec<Answer>> {
        Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn answers_come_in_entry_order_when_the_last_is_there() {
        let tickets = Tickets::new(0);
        let mut waiting = tickets.open(2);
        tickets.tell(Told { ticket: waiting.ticket(1), answer: verdict(8) });
        assert!(poll(&mut waiting).is_pending());
        tickets.tell(Told { ticket: waiting.ticket(0), answer: verdict(7) });
        let Poll::Ready(answers) = poll(&mut waiting) else { panic!("both were told") };
        let offsets = answers.iter().map(|a| a.map(|v| v.token.offset.0));
        assert!(offsets.eq([Ok(7), Ok(8)]));
    }

    #[test]
    fn a_late_answer_reaches_nobody_else() {
        let tickets = Tickets::new(0);
        let gone = tickets.open(1);
        let late = gone.ticket(0);
        drop(gone);
        let mut next = tickets.open(1);
        tickets.tell(Told { ticket: late, answer: verdict(1) });
        assert!(poll(&mut next).is_pending());
    }
}
