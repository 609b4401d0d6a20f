//! Reads of several connections that are ready in one turn of their core, answered by one look:
//! alone, each would begin a transaction and wait for memory by itself. One a core; must never lose
//! an answer, nor keep a connection waiting once the others that were ready have been polled.
//!
//! A connection notes what it was asked, queues itself behind the tasks that are ready, and takes
//! its answers when it is polled again; whoever comes first finds none and looks for all.

use std::cell::RefCell;
use std::mem;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use pumice_model::time::Millis;

use super::service::{Service, Short};
use crate::clock;

/// Notes that are answered at once: their replies still fit a cache.
const NOTES: usize = 64;

/// Connections that may wait for the look, or be about to take its answers.
const SEATS: usize = 256;

/// Bytes of the replies of one look. What is beyond is asked again, alone.
const REPLIES: usize = 1 << 20;

/// Fields of a reply that is kept; one with more is asked again, alone.
const FIELDS: usize = 4;

/// Bytes that a buffer keeps for the next who asks.
const KEPT: usize = 4 << 10;

/// The round of a core.
pub(super) struct Round<S: Service>(Rc<RefCell<All<S>>>);

struct All<S: Service> {
    noted: S::Noted,
    /// Set while the service notes, and after, if it panicked.
    is_noting: bool,
    /// Who asked, by the number of the note: their place in `asking`, and which of theirs it is.
    askers: Vec<(usize, usize)>,
    asking: Vec<Asking>,
    free: Vec<usize>,
    /// Looks so far.
    looks: u64,
    /// When the last one began.
    looked_at: Millis,
}

/// What one connection asks, and what it is answered.
#[derive(Default)]
struct Asking {
    /// The look that answers it.
    look: u64,
    targets: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// In the order of the targets.
    replies: Vec<Option<Reply>>,
    bytes: Vec<u8>,
}

/// A [`Short`] whose field values and body lie in `bytes`, one behind the other.
struct Reply {
    status: u16,
    content_type: &'static str,
    start: usize,
    /// Names, and where the values end.
    fields: [(&'static str, usize); FIELDS],
    fields_len: usize,
    body: Range<usize>,
}

/// What a connection asks in a round. Dropping it gives the answers up.
pub(super) struct Seat<S: Service> {
    round: Rc<RefCell<All<S>>>,
    place: usize,
}

/// Where a connection notes what it is asked: with a seat, together with others.
pub(super) struct Notes<S: Service> {
    alone: S::Noted,
    pub(super) seat: Option<Seat<S>>,
}

/// A note whose connection has ended.
const NOBODY: usize = usize::MAX;

impl<S: Service> Default for Round<S> {
    fn default() -> Self {
        Round(Rc::new(RefCell::new(All {
            noted: S::Noted::default(),
            is_noting: false,
            askers: Vec::new(),
            asking: Vec::new(),
            free: Vec::new(),
            looks: 0,
            looked_at: 0,
        })))
    }
}

impl<S: Service> Round<S> {
    /// A seat without notes; `None` when too many connections have one.
    pub(super) fn seat(&self) -> Option<Seat<S>> {
        let mut all = self.0.borrow_mut();
        let place = match all.free.pop() {
            Some(place) => place,
            None if all.asking.len() < SEATS => {
                all.asking.push(Asking::default());
                all.asking.len() - 1
            }
            None => return None,
        };
        Some(Seat { round: Rc::clone(&self.0), place })
    }

    /// Whether somebody waits for the next look.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.0.borrow().askers.is_empty()
    }

    /// Whether the next look should be waited for no longer.
    pub(super) fn is_full(&self) -> bool {
        self.0.borrow().askers.len() >= NOTES
    }
}

impl<S: Service> Seat<S> {
    /// Notes a request as [`Service::note`] does.
    pub(super) fn note(&self, service: &S, target: &str) -> bool {
        let mut all = self.round.borrow_mut();
        let All { noted, is_noting, askers, asking, looks, .. } = &mut *all;
        if mem::replace(is_noting, true) {
            *noted = S::Noted::default();
            askers.clear();
            *looks += 1;
        }
        let is_noted = service.note(noted, target);
        *is_noting = false;
        if is_noted {
            let asking = &mut asking[self.place];
            askers.push((self.place, asking.ends.len()));
            asking.look = *looks;
            asking.targets.push_str(target);
            asking.ends.push(asking.targets.len());
            asking.replies.push(None);
        }
        is_noted
    }

    /// Looks for all who wait, if nobody has since this one noted; tells when the last look was.
    pub(super) fn looked_at(&self, service: &S) -> Millis {
        let mut all = self.round.borrow_mut();
        let asking = &all.asking[self.place];
        if asking.look == all.looks && !asking.ends.is_empty() {
            all.look(service);
        }
        all.looked_at
    }

    /// Answers all that was noted, each once, as [`Service::look`] does.
    pub(super) fn look(self, service: &S, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        self.looked_at(service);
        let asking = mem::take(&mut self.round.borrow_mut().asking[self.place]);
        for (number, kept) in asking.replies.iter().enumerate() {
            match kept {
                Some(kept) => kept.tell(&asking.bytes, |short| reply(number, short)),
                None => alone(service, asking.target(number), |short| reply(number, short)),
            }
        }
        self.round.borrow_mut().asking[self.place] = asking;
    }
}

impl<S: Service> Default for Notes<S> {
    fn default() -> Self {
        Notes { alone: S::Noted::default(), seat: None }
    }
}

impl<S: Service> Notes<S> {
    /// [`Service::note`].
    pub(super) fn note(&mut self, service: &S, target: &str) -> bool {
        match &self.seat {
            Some(seat) => seat.note(service, target),
            None => service.note(&mut self.alone, target),
        }
    }

    /// [`Service::look`].
    pub(super) fn look(&mut self, service: &S, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        match self.seat.take() {
            Some(seat) => seat.look(service, reply),
            None => service.look(&mut self.alone, reply),
        }
    }
}

impl<S: Service> All<S> {
    /// Answers all who wait. Whose reply is not kept asks again, alone: of a look that panics it is
    /// not known whom it panicked for.
    fn look(&mut self, service: &S) {
        let Self { noted, is_noting, askers, asking, looks, looked_at, .. } = self;
        *looked_at = clock::now();
        let mut looked = mem::take(noted);
        let mut room = REPLIES;
        // A note that panicked has left nobody knows what.
        if !mem::take(is_noting) {
            let look = || {
                service.look(&mut looked, &mut |number, short| {
                    let (place, nth) = askers[number];
                    if place == NOBODY {
                        return;
                    }
                    if short.body.len() <= room && asking[place].keep(nth, short) {
                        room -= short.body.len();
                    } else {
                        service.thrown_away(short.status);
                    }
                });
            };
            if catch_unwind(AssertUnwindSafe(look)).is_ok() {
                *noted = looked;
            }
        }
        askers.clear();
        *looks += 1;
    }
}

impl<S: Service> Drop for Seat<S> {
    fn drop(&mut self) {
        let mut all = self.round.borrow_mut();
        let All { askers, asking, free, looks, .. } = &mut *all;
        let asking = &mut asking[self.place];
        if asking.look == *looks {
            let own = askers.iter_mut().filter(|(place, _)| *place == self.place);
            own.for_each(|(place, _)| *place = NOBODY);
        }
        asking.clear();
        free.push(self.place);
    }
}

/// What is said of a request that could be looked for when it came and cannot any more: what it
/// asks for has moved to another node meanwhile.
const MOVED: Short<'static> = Short {
    status: 503,
    content_type: "text/plain; charset=utf-8",
    fields: &[("retry-after", b"1")],
    body: b"what was asked for has moved meanwhile: ask again",
};

/// Looks for one request by itself.
#[cold]
fn alone<S: Service>(service: &S, target: &str, mut reply: impl FnMut(&Short<'_>)) {
    let mut noted = S::Noted::default();
    if service.note(&mut noted, target) {
        service.look(&mut noted, &mut |_, short| reply(short));
    } else {
        reply(&MOVED);
    }
}

impl Asking {
    fn target(&self, number: usize) -> &str {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.targets[start..self.ends[number]]
    }

    /// False when the reply is not one that can be kept.
    fn keep(&mut self, nth: usize, short: &Short<'_>) -> bool {
        let mut fields = [("", 0); FIELDS];
        if short.fields.len() > FIELDS {
            return false;
        }
        let start = self.bytes.len();
        for (kept, (name, value)) in fields.iter_mut().zip(short.fields) {
            self.bytes.extend_from_slice(value);
            *kept = (name, self.bytes.len());
        }
        let body = self.bytes.len();
        self.bytes.extend_from_slice(short.body);
        self.replies[nth] = Some(Reply {
            status: short.status,
            content_type: short.content_type,
            start,
            fields,
            fields_len: short.fields.len(),
            body: body..self.bytes.len(),
        });
        true
    }

    fn clear(&mut self) {
        self.targets.clear();
        self.ends.clear();
        self.replies.clear();
        self.bytes.clear();
        self.targets.shrink_to(KEPT);
        self.bytes.shrink_to(KEPT);
    }
}

impl Reply {
    fn tell(&self, bytes: &[u8], then: impl FnOnce(&Short<'_>)) {
        let mut start = self.start;
        let fields = self.fields.map(|(name, end)| {
            let value = bytes.get(start..end).unwrap_or_default();
            start = end;
            (name, value)
        });
        let (status, content_type) = (self.status, self.content_type);
        let (fields, body) = (&fields[..self.fields_len], &bytes[self.body.clone()]);
        then(&Short { status, content_type, fields, body });
    }
}

#[cfg(test)]
pub(super) mod tests;
