//! Where outcomes go home to. A core keeps one slot for each request that waits; the owner of a
//! shard sends answers back by (core, slot, generation, index). Lives on one core, never shared.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use pumice_model::ids::Token;
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

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The log has it, and nobody has judged it yet. An outcome follows, for who waits for it.
    Logged(Token),
    /// It is judged.
    Judged(Verdict),
    /// It has no outcome.
    Unmade(Unmade),
}

/// What an answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The log has the entry.
    Logged,
    /// The entry is judged.
    Judged,
}

/// Why an entry has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmade {
    /// The shard had no room; certain that nothing was appended.
    Full,
    /// The shard was broken already; certain that nothing was appended.
    Broken,
    /// The log could not be reached; certain that nothing was appended.
    Unsent,
    /// The shard broke while committing, or the log did not answer: the entry may or may not be
    /// there.
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
    until: Option<Until>,
    missing: usize,
    answers: Vec<Option<Answer>>,
    waker: Option<Waker>,
}

impl Tickets {
    /// No slots yet, for `core`.
    pub fn new(core: u16) -> Self {
        Self { core, slots: Rc::default() }
    }

    /// A slot that waits for `entries` answers.
    pub fn open(&self, entries: usize, until: Until) -> Waiting {
        let mut slots = self.slots.borrow_mut();
        let at = slots.free.pop().unwrap_or_else(|| {
            slots.all.push(Slot::default());
            // Far fewer requests than 2^32 fit in memory.
            (slots.all.len() - 1) as u32
        });
        let slot = &mut slots.all[at as usize];
        slot.until = Some(until);
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
        let final_for = |answer: &Answer| {
            !matches!(answer, Answer::Logged(_)) || slot.until == Some(Until::Logged)
        };
        if answer.as_ref().is_some_and(final_for) {
            return;
        }
        if final_for(&told.answer) {
            slot.missing -= 1;
        }
        // What the log is known to have cannot become certain not to be there.
        let logged = matches!(answer, Some(Answer::Logged(_)));
        *answer = Some(match told.answer {
            Answer::Unmade(_) if logged => Answer::Unmade(Unmade::Unknown),
            told => told,
        });
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

    /// Gives the wait up: what was told so far, `None` where nothing was.
    pub fn give_up(self) -> Vec<Option<Answer>> {
        let mut slots = self.tickets.slots.borrow_mut();
        std::mem::take(&mut slots.all[self.slot as usize].answers)
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
    use pumice_model::ids::{Offset, Partition};
    use pumice_model::outcome::Outcome;

    use super::*;

    fn verdict(offset: u64) -> Answer {
        let token = Token { partition: Partition(0), offset: Offset(offset) };
        Answer::Judged(Verdict { outcome: Outcome::Applied { created: true }, token })
    }

    fn logged(offset: u64) -> Answer {
        Answer::Logged(Token { partition: Partition(0), offset: Offset(offset) })
    }

    fn poll(waiting: &mut Waiting) -> Poll<Vec<Answer>> {
        Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn answers_come_in_entry_order_when_the_last_is_there() {
        let tickets = Tickets::new(0);
        let mut waiting = tickets.open(2, Until::Judged);
        tickets.tell(Told { ticket: waiting.ticket(1), answer: verdict(8) });
        assert!(poll(&mut waiting).is_pending());
        tickets.tell(Told { ticket: waiting.ticket(0), answer: verdict(7) });
        let Poll::Ready(answers) = poll(&mut waiting) else { panic!("both were told") };
        assert_eq!(answers, [verdict(7), verdict(8)]);
    }

    #[test]
    fn that_the_log_has_it_is_enough_for_who_waits_for_that_alone() {
        let tickets = Tickets::new(0);
        let mut durable = tickets.open(1, Until::Logged);
        let mut judged = tickets.open(1, Until::Judged);
        tickets.tell(Told { ticket: durable.ticket(0), answer: logged(3) });
        tickets.tell(Told { ticket: judged.ticket(0), answer: logged(3) });
        assert_eq!(poll(&mut durable), Poll::Ready(vec![logged(3)]));
        assert!(poll(&mut judged).is_pending());
        tickets.tell(Told { ticket: judged.ticket(0), answer: verdict(3) });
        assert_eq!(poll(&mut judged), Poll::Ready(vec![verdict(3)]));
        let late = tickets.open(1, Until::Judged);
        tickets.tell(Told { ticket: late.ticket(0), answer: logged(4) });
        assert_eq!(late.give_up(), [Some(logged(4))]);
    }

    #[test]
    fn a_late_answer_reaches_nobody_else() {
        let tickets = Tickets::new(0);
        let gone = tickets.open(1, Until::Judged);
        let late = gone.ticket(0);
        drop(gone);
        let mut next = tickets.open(1, Until::Judged);
        tickets.tell(Told { ticket: late, answer: verdict(1) });
        assert!(poll(&mut next).is_pending());
    }
}
