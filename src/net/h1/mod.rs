//! A connection that speaks HTTP/1.1 and, so far, asks with plain GETs: all that one receive brings
//! are answered together, by one write. One task of its core; it must leave whatever it does not
//! take for a plain GET, to the byte, to hyper.

mod batch;
mod head;
mod reply;

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, Write};

use super::connection::Shared;
use super::round::Seat;
use super::service::Service;
use super::watch::{Order, Peer};
use super::wire::Wire;
use crate::rt;
use batch::{Batch, Next, Terms};
use head::Head;

/// Receives of one connection before the others of its core get their turn.
const TURNS: usize = 4;

/// The buffers of a core, which each connection borrows for as long as it looks at what came. One
/// that panics takes them along.
pub(super) struct Lent<S: Service>(Cell<Option<Box<Batch<S::Noted>>>>);

impl<S: Service> Default for Lent<S> {
    fn default() -> Self {
        Lent(Cell::default())
    }
}

/// How the plain part of a connection ended.
pub(super) enum Ended {
    /// With the connection.
    Closed,
    /// These bytes, and what follows them, are another's.
    Other(Vec<u8>),
}

/// One connection between two turns. An idle one holds no buffer.
struct Plain<'c, S: Service> {
    peer: &'c Peer,
    shared: &'c Shared<S>,
    /// A request that is answered together with those of others.
    asked: Option<Seat<S>>,
    /// What was received and is not answered.
    rest: Vec<u8>,
    /// Replies that the socket had no room for, of which `sent` bytes are gone.
    unsent: Vec<u8>,
    sent: usize,
    /// How many requests are looked up at once.
    most: usize,
    next: Step,
}

/// What comes after the replies that are made are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Receive,
    Answer,
    Leave,
    Close,
}

/// Answers plain GETs until there are no more of them.
///
/// # Errors
/// When the connection is lost.
pub(super) async fn serve<S: Service>(
    wire: &mut Wire,
    peer: &Peer,
    shared: &Shared<S>,
) -> io::Result<Ended> {
    let mut plain = Plain {
        peer,
        shared,
        asked: None,
        rest: Vec::new(),
        unsent: Vec::new(),
        sent: 0,
        most: batch::NOTED,
        next: Step::Receive,
    };
    let ended = poll_fn(|cx| plain.poll(wire, cx)).await?;
    if matches!(ended, Ended::Closed) {
        poll_fn(|cx| Pin::new(&mut *wire).poll_shutdown(cx)).await?;
    }
    Ok(ended)
}

impl<'c, S: Service> Plain<'c, S> {
    fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<Ended>> {
        for _ in 0..TURNS {
            ready!(self.poll_send(wire, cx))?;
            match self.next {
                Step::Receive | Step::Answer => {}
                Step::Leave => {
                    return Poll::Ready(Ok(Ended::Other(std::mem::take(&mut self.rest))));
                }
                Step::Close => return Poll::Ready(Ok(Ended::Closed)),
            }
            let mut batch = self.shared.h1.0.take().unwrap_or_default();
            let turned = self.poll_turn(&mut batch, wire, cx);
            batch.clear();
            self.shared.h1.0.set(Some(batch));
            ready!(turned)?;
        }
        // The others of this core get theirs.
        rt::queue_again(cx);
        Poll::Pending
    }

    /// One receive, what it asks, and the write of the replies, as far as the socket has room.
    fn poll_turn(
        &mut self,
        batch: &mut Batch<S::Noted>,
        wire: &mut Wire,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let finishes = self.peer.ordered() >= Order::Finish;
        if let Some(seat) = self.asked.take() {
            return Poll::Ready(self.answer(seat, batch, finishes, wire, cx));
        }
        let mut filled = self.rest.len();
        batch.input[..filled].copy_from_slice(&self.rest);
        if self.next == Step::Receive {
            let mut buffer = ReadBuf::new(&mut batch.input[filled..]);
            let received = Pin::new(&mut *wire).poll_read(cx, buffer.unfilled())?;
            let received = received.map(|()| buffer.filled().len());
            if received == Poll::Ready(0) || (received.is_pending() && finishes && filled == 0) {
                self.next = Step::Close;
                return Poll::Ready(Ok(()));
            }
            filled += ready!(received);
        }
        if let Some(seat) = self.ask(&batch.input[..filled]) {
            if self.shared.round.is_full() || !rt::others_are_ready() {
                return Poll::Ready(self.answer(seat, batch, finishes, wire, cx));
            }
            self.asked = Some(seat);
            // Behind those that are ready, and before any socket is looked at.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let head_size = self.shared.limits.head_size;
        let terms = Terms { service: &*self.shared.service, head_size, finishes };
        let done = batch.answer(filled, &mut self.most, &terms);
        self.keep(&batch.input[done.taken..filled]);
        self.next = match done.next {
            _ if done.closes => Step::Close,
            Next::Partial => Step::Receive,
            Next::More => Step::Answer,
            Next::Other => Step::Leave,
        };
        self.time_head(done.taken > 0);
        Poll::Ready(self.send(&batch.output, wire, cx))
    }

    /// Notes a request that came by itself, to be answered together with those of others.
    fn ask(&mut self, bytes: &[u8]) -> Option<Seat<S>> {
        let Shared { service, limits, round, .. } = self.shared;
        if !round.is_waited_for() && !rt::others_are_ready() {
            return None;
        }
        match head::read(bytes, limits.head_size, S::MATTERS) {
            Head::Plain { target, length } if length == bytes.len() => {
                round.seat().filter(|seat| seat.note(&**service, target))
            }
            _ => None,
        }
    }

    /// Answers what was asked together with others.
    fn answer(
        &mut self,
        seat: Seat<S>,
        batch: &mut Batch<S::Noted>,
        finishes: bool,
        wire: &mut Wire,
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        let Batch { output, date, .. } = batch;
        let service = &*self.shared.service;
        let date = date.at(seat.looked_at(service));
        seat.look(service, &mut |_, short| {
            reply::write(output, short, date, finishes);
        });
        self.rest = Vec::new();
        self.next = if finishes { Step::Close } else { Step::Receive };
        self.time_head(true);
        self.send(&batch.output, wire, cx)
    }

    /// Keeps what is not answered yet.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.rest = Vec::new();
        } else {
            self.rest.clear();
            self.rest.extend_from_slice(rest);
        }
    }

    /// Has the watch time the head that is awaited, if one has begun.
    fn time_head(&self, is_next: bool) {
        if is_next {
            self.peer.head_ended();
        }
        // While replies wait for the peer we do not read on, and a head is none of its delay.
        if !self.rest.is_empty() && self.next != Step::Answer && self.unsent.is_empty() {
            self.peer.head_comes();
        }
    }

    /// Writes `replies`, and keeps what the socket has no room for.
    fn send(&mut self, replies: &[u8], wire: &mut Wire, cx: &mut Context<'_>) -> io::Result<()> {
        let mut left = replies;
        while !left.is_empty() {
            match Pin::new(&mut *wire).poll_write(cx, left)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => left = &left[written..],
                Poll::Pending => break,
            }
        }
        self.unsent.extend_from_slice(left);
        Ok(())
    }

    fn poll_send(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            match ready!(Pin::new(&mut *wire).poll_write(cx, &self.unsent[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.sent += written,
            }
        }
        if self.sent > 0 {
            (self.unsent, self.sent) = (Vec::new(), 0);
        }
        Pin::new(wire).poll_flush(cx)
    }
}
