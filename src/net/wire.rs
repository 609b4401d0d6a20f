//! What hyper reads from and writes to: a stream, with the bytes that were read to tell its
//! protocol put back in front, and the peer's debts kept as bytes move. One per connection, on its
//! core.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::tls::Tls;
use super::watch::{Order, Peer};
use crate::rt::{Secured, Stream};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a TLS client sends first: a record of the handshake (RFC 8446, section 5.1). No HTTP
/// begins so.
const HANDSHAKE: u8 = 0x16;

/// What a peer that speaks cleartext is told where only TLS is spoken.
const TLS_ONLY: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    connection: close\r\ncontent-length: 40\r\n\r\nonly TLS is spoken here: ask by https://";

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
    line: Secured,
    peer: Rc<Peer>,
    /// Bytes that were received and put back, of which `given` are read again.
    first: Vec<u8>,
    given: usize,
    has_heads: bool,
    is_blocked: bool,
    /// Bytes thrown away since our side ended; `None` before.
    discarded: Option<usize>,
}

impl Wire {
    pub(super) fn new(stream: Stream, peer: Rc<Peer>) -> Wire {
        let (line, first, has_heads) = (Secured::new(stream), Vec::new(), true);
        Wire { line, peer, first, given: 0, has_heads, is_blocked: false, discarded: None }
    }

    /// Reads until it is clear what the peer speaks, inside TLS if it speaks that. `None` when it
    /// said nothing: it has closed, or the server is finishing; or when it is refused.
    pub(super) async fn protocol(&mut self, tls: Option<&Tls>) -> io::Result<Option<Protocol>> {
        if let Some(tls) = tls {
            poll_fn(|cx| self.poll_begun(cx)).await?;
            if self.first.first() == Some(&HANDSHAKE) {
                let session = tls.session().map_err(io::Error::other)?;
                self.line.secure(session, &std::mem::take(&mut self.first))?;
                poll_fn(|cx| self.line.poll_secured(cx)).await?;
            } else if tls.is_only() && !self.first.is_empty() {
                // As much of it as there is room for.
                poll_fn(|cx| Pin::new(&mut *self).poll_write(cx, TLS_ONLY)).await?;
                poll_fn(|cx| Pin::new(&mut *self).poll_shutdown(cx)).await?;
                return Ok(None);
            }
        }
        loop {
            let before = self.first.len();
            if !PREFACE.starts_with(&self.first) {
                return Ok(Some(Protocol::Http1));
            }
            if before == PREFACE.len() {
                self.has_heads = false;
                self.first = Vec::new();
                self.peer.head_ended();
                return Ok(Some(Protocol::Http2));
            }
            poll_fn(|cx| self.poll_begun(cx)).await?;
            if self.first.len() == before {
                return Ok((before > 0).then_some(Protocol::Http1));
            }
        }
    }

    /// Receives some of the first bytes; ready without any when there are none and the server is
    /// finishing.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.poll_first(cx);
        let is_over = self.first.is_empty() && self.peer.order(cx) >= Order::Finish;
        if polled.is_pending() && is_over { Poll::Ready(Ok(())) } else { polled }
    }

    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; PREFACE.len()];
        let mut buffer = ReadBuf::new(&mut bytes[self.first.len()..]);
        ready!(Pin::new(&mut self.line).poll_read(cx, buffer.unfilled()))?;
        self.first.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Puts `bytes` back in front of what has not been received yet; all else has been read.
    pub(super) fn put_back(&mut self, bytes: Vec<u8>) {
        (self.first, self.given) = (bytes, 0);
    }

    /// Throws away what the peer still sends, until it ends its side too, had its time, or goes on
    /// and on.
    fn poll_left(&mut self, cx: &mut Context<'_>, discarded: usize) -> Poll<io::Result<()>> {
        let (mut all, mut bytes) = (discarded, [0; DISCARD]);
        for _ in 0..DISCARDS_A_TURN {
            if self.peer.had_time_to_leave() || all > DISCARD_MAX {
                return Poll::Ready(Ok(()));
            }
            // A peer that is lost has left as well.
            match ready!(self.line.poll_discard(cx, &mut bytes)) {
                Ok(0) | Err(_) => return Poll::Ready(Ok(())),
                Ok(more) => all += more,
            }
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
        if this.given < this.first.len() {
            let end = this.first.len().min(this.given + buffer.remaining());
            buffer.put_slice(&this.first[this.given..end]);
            this.given = end;
            if end == this.first.len() {
                (this.first, this.given) = (Vec::new(), 0);
            }
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.line).poll_read(cx, buffer))?;
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
        let written = Pin::new(&mut self.line).poll_write(cx, bytes);
        self.keep(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.line).poll_write_vectored(cx, slices);
        self.keep(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.line).poll_flush(cx);
        // What has no buffer is flushed even while the socket has no room.
        if self.line.buffers() { self.keep(flushed) } else { flushed }
    }

    /// Ends our side, and then waits for the peer's end: a socket that is closed with bytes unread
    /// is reset, and a reply that the peer has not taken from its own socket yet is lost with it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let discarded = match self.discarded {
            Some(discarded) => discarded,
            None => {
                ready!(Pin::new(&mut self.line).poll_shutdown(cx))?;
                self.peer.leaves();
                0
            }
        };
        self.discarded = Some(discarded);
        self.poll_left(cx, discarded)
    }
}
