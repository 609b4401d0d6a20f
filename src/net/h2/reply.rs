//! Replies: heads as header blocks, bodies as DATA within the peer's windows (RFC 9113, section
//! 8.1). Answers to looks are written whole, straight into what the connection sends. On the core
//! of the connection; must never copy a body twice, nor ask a handler for more than has room.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING, UPGRADE};
use http::response::Parts;
use http::{HeaderName, Response};
use hyper::body::Body;

use super::connection::{Connection, Core, Leaving};
use super::frame::{self, Reason};
use super::streams::{Debt, Sending, Stream};
use super::window::Window;
use crate::net::{Service, Short};

/// Bytes of bodies that one look should not make more of.
const LOOK_MAX: usize = 256 << 10;

/// Entries that the list of what handlers took keeps room for while a connection is idle.
const TAKEN_KEPT: usize = 16;

/// What came of a stream's turn to send.
enum Turn {
    /// A frame was written, and there may be more.
    Wrote,
    /// Its handler, or the connection's window, has nothing now.
    Waits,
    /// Its own window is full: only a WINDOW_UPDATE wakes it.
    Blocked,
    /// The stream has ended.
    Ended,
}

impl<S: Service> Connection<S> {
    /// Answers what was noted.
    pub(super) fn look(&mut self, core: &mut Core<S>) {
        let Core { notes, ids, date, .. } = core;
        if ids.is_empty() {
            return;
        }
        let (date, service) = (date.now(), self.service.clone());
        let mut made = 0;
        let initial = self.theirs.initial_window;
        notes.look(&service, &mut |number, short| {
            made += short.body.len();
            match ids[number] {
                0 => {}
                id => self.short(id, short, date, Window::new(initial)),
            }
        });
        self.looks = match made {
            LOOK_MAX.. => (ids.len() / 2).max(1),
            _ if ids.len() >= self.looks => (2 * self.looks).min(self.limits.h2_streams as usize),
            _ => self.looks,
        };
        ids.clear();
    }

    /// Writes an answer to a stream that has this window and is not open any more.
    pub(super) fn short(&mut self, id: u32, short: &Short<'_>, date: &[u8], window: Window) {
        let room = self.window.room().min(window.room());
        let fits = short.body.len() <= room;
        let Self { out, encoder, .. } = self;
        let start = frame::begin_headers(out);
        encoder.begin(out);
        encoder.status(out, short.status);
        encoder.constant(out, "content-type", short.content_type);
        encoder.changing(out, "date", date);
        for (name, value) in short.fields {
            encoder.literal(out, name.as_bytes(), value);
        }
        let mut digits = itoa::Buffer::new();
        let length = digits.format(short.body.len());
        encoder.literal(out, b"content-length", length.as_bytes());
        frame::end_headers(out, start, id, short.body.is_empty(), self.theirs.max_frame);
        if !fits {
            return self.send_later(id, Bytes::copy_from_slice(short.body), window);
        }
        self.calm.sends(short.body.len());
        self.window.take(short.body.len());
        let mut rest = short.body;
        while !rest.is_empty() {
            let part = rest.split_off(..rest.len().min(self.theirs.max_frame)).unwrap_or_default();
            frame::data(&mut self.out, id, part, rest.is_empty());
        }
    }

    /// The peer's windows have no room for a body that is at hand.
    #[cold]
    fn send_later(&mut self, id: u32, piece: Bytes, window: Window) {
        let reply = Some(Sending { body: None, piece });
        self.streams.open(id, Stream { reply, ..Stream::waiting(window) });
        self.streams.wake(id);
    }

    /// A whole reply of a status alone, to a request that gets no handler.
    pub(super) fn say(&mut self, core: &mut Core<S>, id: u32, is_last: bool, status: u16) {
        let start = frame::begin_headers(&mut self.out);
        self.encoder.begin(&mut self.out);
        self.encoder.status(&mut self.out, status);
        self.encoder.changing(&mut self.out, "date", core.date.now());
        frame::end_headers(&mut self.out, start, id, true, self.theirs.max_frame);
        if !is_last {
            self.reset(id, Reason::No);
        }
    }

    /// The word that a peer waits for before it sends its body (RFC 9110, section 15.2.1).
    pub(super) fn say_continue(&mut self, id: u32) {
        let start = frame::begin_headers(&mut self.out);
        self.encoder.begin(&mut self.out);
        self.encoder.status(&mut self.out, 100);
        frame::end_headers(&mut self.out, start, id, false, self.theirs.max_frame);
    }

    /// A handler has answered.
    pub(super) fn answer(&mut self, core: &mut Core<S>, id: u32, response: Response<S::Body>) {
        let Some(stream) = self.streams.get(id) else { return };
        stream.handler = None;
        let (head, body) = response.into_parts();
        let has_no_body = stream.is_head || matches!(head.status.as_u16(), 204 | 304);
        let is_last = has_no_body || body.is_end_stream();
        let length = if is_last { None } else { body.size_hint().exact() };
        self.head(core, id, &head, length, is_last);
        if is_last {
            return self.finish(id);
        }
        if let Some(stream) = self.streams.get(id) {
            stream.reply = Some(Sending { body: Some(body), piece: Bytes::new() });
        }
        self.streams.wake(id);
    }

    fn head(
        &mut self,
        core: &mut Core<S>,
        id: u32,
        head: &Parts,
        length: Option<u64>,
        is_last: bool,
    ) {
        let Self { out, encoder, .. } = self;
        let start = frame::begin_headers(out);
        encoder.begin(out);
        encoder.status(out, head.status.as_u16());
        for (name, value) in &head.headers {
            if !is_of_connection(name) {
                encoder.literal(out, name.as_str().as_bytes(), value.as_bytes());
            }
        }
        if !head.headers.contains_key(DATE) {
            encoder.changing(out, "date", core.date.now());
        }
        if let Some(length) = length.filter(|_| !head.headers.contains_key(CONTENT_LENGTH)) {
            let mut digits = itoa::Buffer::new();
            encoder.literal(out, b"content-length", digits.format(length).as_bytes());
        }
        frame::end_headers(out, start, id, is_last, self.theirs.max_frame);
    }

    /// The reply has ended. A peer that still sends its body may end it; one that has much to send,
    /// or that the connection would have to wait for, is told to stop (section 8.1).
    fn finish(&mut self, id: u32) {
        if self.leaving == Leaving::No
            && let Some(stream) = self.streams.get(id)
            && stream.feed.is_some()
            && stream.inbound.is_half_free()
        {
            (stream.is_answered, stream.reply, stream.debt) = (true, None, None);
            return;
        }
        let stream = self.streams.close(id);
        if stream.is_some_and(|stream| stream.feed.is_some()) {
            self.reset(id, Reason::No);
        }
    }

    /// Gives every stream that is ready one turn. True when frames were written.
    pub(super) fn send(&mut self, cx: &mut Context<'_>) -> bool {
        let mut wrote = false;
        self.is_held = false;
        for _ in 0..self.streams.ready.len() {
            if self.is_full() {
                self.is_held = true;
                return false;
            }
            let Some(id) = self.streams.ready.pop_front() else { break };
            match self.turn(id, cx) {
                Turn::Wrote => {
                    wrote = true;
                    self.streams.ready.push_back(id);
                }
                Turn::Waits => self.streams.ready.push_back(id),
                Turn::Blocked | Turn::Ended => {}
            }
        }
        self.streams.rest();
        wrote
    }

    fn turn(&mut self, id: u32, cx: &mut Context<'_>) -> Turn {
        let Some(stream) = self.streams.get(id) else { return Turn::Ended };
        let Some(reply) = &mut stream.reply else { return Turn::Ended };
        if reply.piece.is_empty() {
            match reply.fill(cx) {
                Poll::Pending => return Turn::Waits,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(Broken)) => {
                    self.reset(id, Reason::Internal);
                    return Turn::Ended;
                }
            }
        }
        let room = self.window.room().min(stream.window.room()).min(self.theirs.max_frame);
        let n = reply.piece.len().min(room);
        if n == 0 && !reply.piece.is_empty() {
            if self.is_deaf {
                self.streams.close(id);
                return Turn::Ended;
            }
            stream.debt.get_or_insert_with(|| Debt::of(&self.peer));
            stream.is_ready = stream.window.room() > 0;
            return if stream.is_ready { Turn::Waits } else { Turn::Blocked };
        }
        let is_last = reply.body.is_none() && n == reply.piece.len();
        if n > 0 || is_last {
            frame::data(&mut self.out, id, &reply.piece[..n], is_last);
        }
        reply.piece.advance(n);
        stream.window.take(n);
        self.window.take(n);
        self.calm.sends(n);
        match &stream.debt {
            Some(debt) if !reply.piece.is_empty() => debt.takes(),
            _ => stream.debt = None,
        }
        if is_last {
            self.finish(id);
            return Turn::Ended;
        }
        Turn::Wrote
    }

    /// Tells the peer of the room that handlers made.
    pub(super) fn give_windows(&mut self) {
        let mut all = 0;
        let mut taken = self.taken.borrow_mut();
        for (id, n) in taken.drain(..) {
            all += n;
            if let Some(stream) = self.streams.get(id)
                && stream.feed.is_some()
                && !stream.is_answered
                && let Some(more) = stream.inbound.give(n)
            {
                frame::window_update(&mut self.out, id, more);
            }
        }
        taken.shrink_to(TAKEN_KEPT);
        drop(taken);
        if let Some(more) = self.inbound.give(all) {
            frame::window_update(&mut self.out, 0, more);
        }
    }
}

/// The handler could not make the rest of its reply.
struct Broken;

impl<B: Body<Data = Bytes> + Unpin> Sending<B> {
    /// Asks the handler for the next piece.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let Some(body) = &mut self.body else { return Poll::Ready(Ok(())) };
        let is_over = match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => true,
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Broken)),
            Poll::Ready(Some(Ok(frame))) => {
                // No handler of ours makes trailers.
                self.piece = frame.into_data().unwrap_or_default();
                body.is_end_stream()
            }
        };
        if is_over {
            self.body = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Fields that HTTP/2 does not have (section 8.2.2).
fn is_of_connection(name: &HeaderName) -> bool {
    name == CONNECTION
        || name == TRANSFER_ENCODING
        || name == UPGRADE
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
