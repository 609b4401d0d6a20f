//! The plain GETs of one receive, noted together, looked up together, and answered in their order.
//! One a core, lent to the connection that is being served; must hold nothing of a connection when
//! it is given back.

use std::ops::Range;

use super::head::{self, Head};
use super::reply;
use crate::net::Service;
use crate::net::date::Date;

/// Bytes of one receive, a partial head from before included.
const INPUT: usize = 64 << 10;

/// Requests that are looked up at once.
pub(super) const NOTED: usize = 64;

/// Bytes of replies that are made before the peer has to take some: what a socket's buffer holds
/// or a little more. A reply that is longer by itself is made alone.
const OUTPUT: usize = 256 << 10;

/// Room that a buffer may keep from a long answer.
const KEPT: usize = 1 << 20;

/// What a connection borrows while its requests are answered.
pub(in crate::net) struct Batch<N> {
    /// What was received.
    pub(super) input: Box<[u8]>,
    /// Replies in the order of their requests.
    pub(super) output: Vec<u8>,
    noted: N,
    asked: Vec<Asked>,
    /// Replies in the order of the looks.
    looked: Vec<u8>,
    pub(super) date: Date,
}

/// One request: where its head ends in the input, and where its reply lies in `looked`, with its
/// status; nowhere while there is none.
struct Asked {
    end: usize,
    reply: Range<usize>,
    status: u16,
}

/// What was done with an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Done {
    /// Bytes of it that are answered.
    pub(super) taken: usize,
    /// What the bytes behind these are.
    pub(super) next: Next,
    /// Whether the last reply says that the connection ends.
    pub(super) closes: bool,
}

/// What comes behind the requests that are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, or the beginning of a head.
    Partial,
    /// More requests, once what is there is written.
    More,
    /// What is not for a look.
    Other,
}

/// How the requests of a connection are taken.
pub(super) struct Terms<'t, S: Service> {
    pub(super) service: &'t S,
    /// The longest head.
    pub(super) head_size: usize,
    /// Whether the connection ends behind what has come.
    pub(super) finishes: bool,
}

impl<N: Default> Default for Batch<N> {
    fn default() -> Self {
        Batch {
            input: vec![0; INPUT].into(),
            output: Vec::new(),
            noted: N::default(),
            asked: Vec::new(),
            looked: Vec::new(),
            date: Date::default(),
        }
    }
}

impl<N: Default> Batch<N> {
    /// Answers the plain GETs that the first `filled` bytes of the input begin with, until there is
    /// enough to write. `most` requests are looked up at once; it falls where replies turn out to
    /// be long, and rises again.
    pub(super) fn answer<S: Service<Noted = N>>(
        &mut self,
        filled: usize,
        most: &mut usize,
        terms: &Terms<'_, S>,
    ) -> Done {
        let mut taken = 0;
        loop {
            let next = self.note(taken..filled, *most, terms);
            let noted_to = self.asked.last().map_or(taken, |asked| asked.end);
            let closes = terms.finishes && !self.asked.is_empty() && noted_to == filled;
            let before = self.output.len();
            let whole = self.look(terms.service, closes);
            taken = self.asked[..whole].last().map_or(taken, |asked| asked.end);
            if whole < self.asked.len() {
                *most = (*most / 2).max(1);
                return Done { taken, next: Next::More, closes: false };
            }
            if self.output.len() - before < OUTPUT / 4 {
                *most = (*most * 2).min(NOTED);
            }
            if next != Next::More || self.output.len() > OUTPUT / 2 {
                return Done { taken, next, closes };
            }
        }
    }

    /// Notes what it may, and tells what comes behind it.
    fn note<S: Service<Noted = N>>(
        &mut self,
        unread: Range<usize>,
        most: usize,
        terms: &Terms<'_, S>,
    ) -> Next {
        self.asked.clear();
        let mut at = unread.start;
        while self.asked.len() < most {
            let bytes = &self.input[at..unread.end];
            match head::read(bytes, terms.head_size, S::MATTERS) {
                Head::Plain { target, length } if terms.service.note(&mut self.noted, target) => {
                    at += length;
                    self.asked.push(Asked { end: at, reply: 0..0, status: 0 });
                }
                Head::Partial => return Next::Partial,
                Head::Plain { .. } | Head::Other => return Next::Other,
            }
        }
        if at == unread.end { Next::Partial } else { Next::More }
    }

    /// Answers what is noted; tells how many of it, from the first on, have their reply in the
    /// output. The others are put off, and their replies, if they had any, thrown away.
    fn look<S: Service<Noted = N>>(&mut self, service: &S, closes: bool) -> usize {
        let Self { output, noted, asked, looked, date, .. } = self;
        let Some(last) = asked.len().checked_sub(1) else { return 0 };
        looked.clear();
        let (date, made) = (date.now(), output.len());
        let mut goes_up = true;
        let mut due = 0;
        service.look(noted, &mut |number, short| {
            let start = looked.len();
            if made + start > 0 && made + start + short.body.len() > OUTPUT {
                return service.thrown_away(short.status);
            }
            reply::write(looked, short, date, closes && number == last);
            (asked[number].reply, asked[number].status) = (start..looked.len(), short.status);
            goes_up &= number == due;
            due = number + 1;
        });
        let whole = asked.iter().position(|asked| asked.reply.is_empty()).unwrap_or(asked.len());
        let put_off = asked[whole..].iter().filter(|asked| !asked.reply.is_empty());
        put_off.for_each(|asked| service.thrown_away(asked.status));
        if output.is_empty() && goes_up && due == whole {
            std::mem::swap(output, looked);
        } else {
            for asked in &asked[..whole] {
                output.extend_from_slice(&looked[asked.reply.clone()]);
            }
        }
        whole
    }

    /// Lets go of what a connection has left.
    pub(super) fn clear(&mut self) {
        self.output.clear();
        for buffer in [&mut self.output, &mut self.looked] {
            if buffer.capacity() > KEPT {
                *buffer = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::round::tests::{Echo, LARGE};

    #[test]
    fn replies_without_room_are_made_again_in_their_order_and_count_once() {
        let targets = [LARGE, "/1", LARGE, "/2", "/3", LARGE];
        let heads = targets.map(|target| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let heads = heads.concat();
        let (service, mut batch) = (Echo::default(), Batch::default());
        batch.input[..heads.len()].copy_from_slice(heads.as_bytes());
        let terms = Terms { service: &service, head_size: 1_024, finishes: false };
        let (mut filled, mut most, mut said) = (heads.len(), NOTED, Vec::new());
        while filled > 0 {
            let done = batch.answer(filled, &mut most, &terms);
            assert_ne!(done.next, Next::Other);
            batch.input.copy_within(done.taken..filled, 0);
            filled -= done.taken;
            said.extend_from_slice(&batch.output);
            batch.clear();
        }
        let said = String::from_utf8_lossy(&said);
        let bodies = said.split("\r\n\r\n").skip(1).map(|body| body.split("HTTP/1.1").next());
        let bodies: Vec<_> = bodies.flatten().collect();
        let large = Echo::body(LARGE);
        let wanted = targets.map(|target| if target == LARGE { &large } else { target });
        assert!(bodies == wanted, "other bodies, or in another order");
        assert_eq!(service.answers(), targets.len());
    }
}
