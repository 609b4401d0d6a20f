//! Moves the bytes of one HTTP/2 connection between its socket and [`Connection`]: one receive, all
//! of its answers, one send. It is the connection's task on its core; an idle one must hold no
//! buffer.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBuf, Write};

use super::connection::{Connection, Core};
use super::fault::Fault;
use super::frame::{self, kind};
use crate::net::Service;
use crate::net::connection::Shared;
use crate::net::round::{Round, Seat};
use crate::net::watch::{Order, Peer};
use crate::net::wire::Wire;
use crate::rt;

/// Bytes of one receive, beside what the last one left.
const RECEIVE: usize = 64 << 10;

/// Receives of one connection before the others get their turn.
const RECEIVES_A_TURN: usize = 4;

/// Bytes of a receive that asks for a row or two. One that asks for more has rows enough of its own
/// to be looked up side by side.
const ASKS_LITTLE: usize = 256;

/// Bytes that a buffer may keep for the next connection. A larger one was made by a rare reply.
const KEPT: usize = 256 << 10;

/// What the HTTP/2 connections of one listener use in turn.
pub struct Buffers<S: Service> {
    core: Core<S>,
    receive: Vec<u8>,
    send: Vec<u8>,
}

impl<S: Service> Default for Buffers<S> {
    fn default() -> Self {
        let receive = vec![0; RECEIVE + frame::HEAD + frame::PAYLOAD_MAX];
        Buffers { core: Core::default(), receive, send: Vec::new() }
    }
}

/// A connection and its socket.
struct Talk<S: Service> {
    wire: Wire,
    connection: Connection<S>,
    /// What was received and not read: an incomplete frame, or frames that wait.
    rest: Vec<u8>,
    /// Whether `rest` has whole frames.
    waits: bool,
    has_ended: bool,
    is_told: bool,
    /// Requests that are answered together with those of others, and their streams.
    asked: Option<Seat<S>>,
    ids: Vec<u32>,
}

/// Serves a connection whose preface was read, until it has ended.
///
/// # Errors
/// When the socket fails.
pub async fn serve<S: Service>(
    wire: Wire,
    peer: &Rc<Peer>,
    shared: &Shared<S>,
) -> io::Result<Option<Fault>> {
    let connection = Connection::new(shared.service.clone(), &shared.limits, Rc::clone(peer));
    let (rest, waits, has_ended, is_told) = (Vec::new(), false, false, false);
    let (asked, ids) = (None, Vec::new());
    let mut talk = Talk { wire, connection, rest, waits, has_ended, is_told, asked, ids };
    peer.hears();
    poll_fn(|cx| {
        // Taken for the turn: what a panic leaves behind in them goes with it.
        let mut buffers = shared.buffers.take().unwrap_or_default();
        let polled = talk.turn(&mut buffers, &shared.round, peer, cx);
        shared.buffers.replace(Some(buffers));
        polled
    })
    .await?;
    poll_fn(|cx| Pin::new(&mut talk.wire).poll_shutdown(cx)).await?;
    Ok(talk.connection.fault())
}

impl<S: Service> Talk<S> {
    fn turn(
        &mut self,
        buffers: &mut Buffers<S>,
        round: &Round<S>,
        peer: &Peer,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection.out.capacity() == 0 {
            mem::swap(&mut self.connection.out, &mut buffers.send);
        }
        let polled = self.talk(buffers, round, peer, cx);
        if self.connection.unsent().is_empty() {
            let mut send = mem::take(&mut self.connection.out);
            send.shrink_to(KEPT);
            if send.capacity() > buffers.send.capacity() {
                buffers.send = send;
            }
        }
        polled
    }

    fn talk(
        &mut self,
        buffers: &mut Buffers<S>,
        round: &Round<S>,
        peer: &Peer,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_told && peer.order(cx) >= Order::Finish {
            self.is_told = true;
            self.connection.leave();
        }
        if peer.is_silent() {
            self.connection.ask_alive();
            peer.is_asked();
        }
        for _ in 0..RECEIVES_A_TURN {
            // Then the socket was not asked, and will not wake us, though it may have more.
            let was_full = self.connection.is_full();
            let received = self.receive(buffers, round, peer, cx)?;
            self.connection.run(&mut buffers.core, cx);
            let sent = self.send(peer, cx)?;
            if self.asked.is_some() {
                // Behind those that are ready, and before any socket is looked at.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if sent.is_ready() && self.connection.is_over() {
                return Poll::Ready(Ok(()));
            }
            let goes_on =
                received.is_ready() || was_full || self.connection.is_held() || self.waits;
            if sent.is_pending() || !goes_on {
                return Poll::Pending;
            }
        }
        rt::queue_again(cx);
        Poll::Pending
    }

    /// Takes in what has come. Pending when nothing has, or nothing more is taken for now.
    fn receive(
        &mut self,
        buffers: &mut Buffers<S>,
        round: &Round<S>,
        peer: &Peer,
        cx: &mut Context<'_>,
    ) -> io::Result<Poll<()>> {
        let Buffers { core, receive, .. } = buffers;
        if self.asked.is_some() {
            core.notes.seat = self.asked.take();
            core.ids.append(&mut self.ids);
            self.connection.look(core);
            return Ok(Poll::Ready(()));
        }
        if self.connection.is_full() || self.connection.fault().is_some() {
            return Ok(Poll::Pending);
        }
        let kept = self.rest.len();
        let mut length = kept;
        if !self.waits {
            if self.has_ended {
                return Ok(Poll::Pending);
            }
            let mut buffer = ReadBuf::new(&mut receive[kept..]);
            let read = Pin::new(&mut self.wire).poll_read(cx, buffer.unfilled());
            let Poll::Ready(read) = read else { return Ok(Poll::Pending) };
            read?;
            length += buffer.filled().len();
            if length == kept {
                self.has_ended = true;
                self.connection.hang_up();
                return Ok(Poll::Pending);
            }
            peer.hears();
        }
        receive[..kept].copy_from_slice(&self.rest);
        if length <= ASKS_LITTLE && (round.is_waited_for() || rt::others_are_ready()) {
            core.notes.seat = round.seat();
        }
        let done = self.connection.receive(core, &receive[..length]);
        self.wait(core, round);
        self.waits = self.connection.is_full();
        let rest = &receive[done..length];
        if rest.is_empty() {
            self.rest = Vec::new();
        } else {
            self.rest.clear();
            self.rest.extend_from_slice(rest);
        }
        // While we do not read on, a head that has begun is none of the peer's delay.
        if !self.waits && (self.connection.is_in_head() || is_of_head(rest)) {
            peer.head_comes();
        } else {
            peer.head_ended();
        }
        Ok(Poll::Ready(()))
    }

    /// Puts the look for what was noted off until others have noted too, if any are ready.
    fn wait(&mut self, core: &mut Core<S>, round: &Round<S>) {
        if core.ids.is_empty() {
            core.notes.seat = None;
        } else if round.is_full() || !rt::others_are_ready() {
            self.connection.look(core);
        } else {
            self.asked = core.notes.seat.take();
            self.ids.append(&mut core.ids);
        }
    }

    /// Sends what there is; pending when the socket takes no more.
    fn send(&mut self, peer: &Peer, cx: &mut Context<'_>) -> io::Result<Poll<()>> {
        while !self.connection.unsent().is_empty() {
            let written = Pin::new(&mut self.wire).poll_write(cx, self.connection.unsent());
            match written {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    let was_full = self.connection.is_full();
                    self.connection.sent(written?);
                    // While we do not read, taking much is a sign of life. A ping that went into
                    // the socket's buffer is none.
                    if was_full {
                        peer.hears();
                    }
                }
            }
        }
        // What TLS keeps is not sent yet.
        Ok(Pin::new(&mut self.wire).poll_flush(cx)?)
    }
}

/// Whether an incomplete frame belongs to a head, which has its time.
fn is_of_head(rest: &[u8]) -> bool {
    matches!(rest, [_, _, _, kind::HEADERS | kind::CONTINUATION, ..])
}
