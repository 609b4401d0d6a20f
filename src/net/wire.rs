//! What hyper reads from and writes to: a stream, with the bytes that were read to tell its
//! protocol put back in front, and the peer's debts kept as bytes move. One per connection, on its
//! core.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::watch::{Order, Peer};
use crate::rt::Stream;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that are thrown away at once while a peer leaves, how often in one turn, and how many of
/// one peer: more than it can have on its way within our windows and its socket's buffers.
const DISCARD: usize = 4_096;
const DISCARDS_A_TURN: usize = 16;
const DISCARD_MAX: usize = 8 << 20;

/// The protocol that a connection's first bytes speak. All that is not HTTP/2 is left to HTTP/1,
/// which refuses what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// A connection, read and written.
pub(super) struct Wire {
    stream: Stream,
    peer: Rc<Peer>,
    /// The first bytes, of which `given..len` have still to be read by hyper.
    first: [u8; PREFACE.len()],
    len: usize,
    given: usize,
    has_heads: bool,
    is_blocked: bool,
    /// Bytes thrown away since our side ended; `None` before.
    discarded: Option<usize>,
}

impl Wire {
    pub(super) fn new(stream: Stream, peer: Rc<Peer>) -> Wire {
        let first = [0; PREFACE.len()];
        let (has_heads, is_blocked, discarded) = (true, false, None);
        Wire { stream, peer, first, len: 0, given: 0, has_heads, is_blocked, discarded }
    }

    /// Reads until it is clear what the peer speaks. `None` when it said nothing: it has closed,
    /// or the server is finishing.
    pub(super) async fn protocol(&mut self) -> io::Result<Option<Protocol>> {
        loop {
            let before = self.len;
            let spoke = poll_fn(|cx| {
                let polled = self.poll_first(cx);
                let is_over = before == 0 && self.peer.order(cx) >= Order::Finish;
                if polled.is_pending() && is_over { Poll::Ready(Ok(())) } else { polled }
            });
            spoke.await?;
            if self.first[..self.len] != PREFACE[..self.len] {
                return Ok(Some(Protocol::Http1));
            }
            if self.len == PREFACE.len() {
                self.has_heads = false;
                self.peer.head_ended();
                return Ok(Some(Protocol::Http2));
            }
            if self.len == before {
                return Ok((before > 0).then_some(Protocol::Http1));
            }
        }
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = ReadBuf::new(&mut self.first[self.len..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer.unfilled()))?;
        self.len += buffer.filled().len();
        Poll::Ready(Ok(()))
    }

    /// Throws away what the peer still sends, until it ends its side too, had its time, or goes on
    /// and on.
    fn poll_left(&mut self, cx: &mut Context<'_>, discarded: usize) -> Poll<io::Result<()>> {
        let (mut all, mut bytes) = (discarded, [0; DISCARD]);
        for _ in 0..DISCARDS_A_TURN {
            if self.peer.had_time_to_leave() || all > DISCARD_MAX {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer.unfilled()));
            // A peer that is lost has left as well.
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            all += buffer.filled().len();
            self.discarded = Some(all);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Keeps the peer's debt: it owes us room in its socket from the first write that finds none
    /// until one finds some.
    fn keep<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() != self.is_blocked {
            self.is_blocked = !self.is_blocked;
            if self.is_blocked { self.peer.owes() } else { self.peer.took() }
        }
        written
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.given < this.len {
            let end = this.len.min(this.given + buffer.remaining());
            buffer.put_slice(&this.first[this.given..end]);
            this.given = end;
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if this.has_heads {
            this.peer.head_comes();
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.keep(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.keep(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The stream buffers nothing.
        Poll::Ready(Ok(()))
    }

    /// Ends our side, and then waits for the peer's end: a socket that is closed with bytes unread
    /// is reset, and a reply that the peer has not taken from its own socket yet is lost with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let discarded = match self.discarded {
            Some(discarded) => discarded,
            None => {
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                self.peer.leaves();
                0
            }
        };
        self.discarded = Some(discarded);
        self.poll_left(cx, discarded)
    }
}
