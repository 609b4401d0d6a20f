//! One HTTP/2 connection as bytes in and bytes out (RFC 9113): frames are read from what a receive
//! brought, requests are answered together, and everything to be sent gathers in one buffer. On
//! the core of its connection; does no I/O, and must never read on while too much waits to be sent.

use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::future::{Abortable, Join, Ready};
use futures_util::stream::FuturesUnordered;

use super::body::Taken;
use super::calm::Calm;
use super::fault::Fault;
use super::frame::{self, Reason, flag, kind};
use super::head::Head;
use super::hpack::{Decoder, Encoder, Scratch};
use super::request::Block;
use super::settings::{self, Settings, WINDOW};
use super::streams::Streams;
use super::window::{Inbound, Window};
use crate::net::date::Date;
use crate::net::limits::Limits;
use crate::net::round::Notes;
use crate::net::watch::Peer;
use crate::net::{Asking, Service};

/// The dynamic table that we give a peer: what it may assume before it knows better.
const TABLE: usize = 4_096;

/// Requests in the first look of a connection: seven megabytes of the largest records.
const LOOKS_AT_FIRST: usize = 8;

/// What our own pings carry: the two questions a server has.
const IS_ALIVE: [u8; 8] = *b"is alive";
pub(super) const HAS_HEARD: [u8; 8] = *b"has left";

/// What connections of one core use in turn: buffers that an idle one need not have.
pub struct Core<S: Service> {
    pub(super) scratch: Scratch,
    pub(super) head: Head,
    pub(super) notes: Notes<S>,
    /// The streams of what was noted, in order; 0 where the peer has taken the request back.
    pub(super) ids: Vec<u32>,
    pub(super) away: S::Away,
    pub(super) date: Date,
}

impl<S: Service> Default for Core<S> {
    fn default() -> Self {
        Core {
            scratch: Scratch::default(),
            head: Head::default(),
            notes: Notes::default(),
            ids: Vec::new(),
            away: S::Away::default(),
            date: Date::default(),
        }
    }
}

/// A handler at work for a stream.
pub(super) type Work<S> = Abortable<Join<Ready<u32>, <S as Service>::Answering>>;

/// One connection.
pub struct Connection<S: Service> {
    pub(super) service: Rc<S>,
    pub(super) limits: Limits,
    pub(super) peer: Rc<Peer>,
    /// Bytes to send, of which `sent` are sent.
    pub(super) out: Vec<u8>,
    sent: usize,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    pub(super) theirs: Settings,
    /// What we may send on all streams together.
    pub(super) window: Window,
    /// What the peer may.
    pub(super) inbound: Inbound,
    pub(super) taken: Taken,
    /// A header block that has not ended.
    pub(super) block: Option<Box<Block>>,
    pub(super) streams: Streams<S::Body>,
    pub(super) working: FuturesUnordered<Work<S>>,
    /// What others are asked for; none until there is any.
    pub(super) asking: Option<FuturesUnordered<Asking<S::Told>>>,
    pub(super) calm: Calm,
    pub(super) has_settings: bool,
    pub(super) leaving: Leaving,
    /// Requests that are answered in one look at most: fewer while records are large.
    pub(super) looks: usize,
    /// The peer gives no more room, since it has ended its side.
    pub(super) is_deaf: bool,
    /// Whether replies wait only because so much waits to be sent.
    pub(super) is_held: bool,
    fault: Option<Fault>,
}

/// How far the end of a connection has come (section 6.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaving {
    No,
    /// The peer was told to open no more streams; what it has not heard is still served.
    Asked,
    /// The last stream was named, or the peer will open none: the end comes with its reply.
    Told,
}

impl<S: Service> Connection<S> {
    /// A connection whose preface was read (section 3.4).
    pub fn new(service: Rc<S>, limits: &Limits, peer: Rc<Peer>) -> Self {
        let mut out = Vec::new();
        settings::announce(&mut out, limits);
        let beat = peer.beat();
        Connection {
            service,
            limits: limits.clone(),
            peer,
            out,
            sent: 0,
            decoder: Decoder::new(TABLE, S::MATTERS),
            encoder: Encoder::new(),
            theirs: Settings::default(),
            window: Window::new(WINDOW),
            inbound: Inbound::new(limits.h2_connection_window.max(WINDOW)),
            taken: Taken::default(),
            block: None,
            streams: Streams::new(),
            working: FuturesUnordered::new(),
            asking: None,
            calm: Calm::new(limits.h2_pending_resets, limits.h2_error_resets, beat),
            has_settings: false,
            leaving: Leaving::No,
            looks: LOOKS_AT_FIRST,
            is_deaf: false,
            is_held: false,
            fault: None,
        }
    }

    /// Reads the whole frames that `bytes` begin with, and answers what needs no more than a look,
    /// if it is not to be answered together with what others ask, for which `core` has a seat.
    /// Returns how many bytes it is done with: what is left is an incomplete frame, or waits until
    /// more was sent ([`Self::is_full`]).
    pub fn receive(&mut self, core: &mut Core<S>, bytes: &[u8]) -> usize {
        self.calm.receive(self.peer.beat());
        let mut done = 0;
        while self.fault.is_none() && !self.is_full() {
            let Some(head) = frame::Head::parse(&bytes[done..]) else { break };
            if head.length > frame::PAYLOAD_MAX {
                self.break_off(core, Fault(Reason::FrameSize, "a frame above 16384 bytes"));
                break;
            }
            let payload = done + frame::HEAD;
            let Some(payload) = bytes.get(payload..payload + head.length) else { break };
            done += frame::HEAD + head.length;
            if let Err(fault) = self.frame(core, &head, payload) {
                self.break_off(core, fault);
            }
        }
        if core.notes.seat.is_none() {
            self.look(core);
        }
        self.ask(core);
        done
    }

    fn frame(
        &mut self,
        core: &mut Core<S>,
        head: &frame::Head,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let is_expected = match &self.block {
            Some(block) => head.kind == kind::CONTINUATION && head.stream == block.stream,
            None => head.kind != kind::CONTINUATION,
        };
        if !is_expected {
            return Err(Fault(Reason::Protocol, "a header block in pieces, or a piece of none"));
        }
        if !self.has_settings && (head.kind != kind::SETTINGS || head.has(flag::ACK)) {
            return Err(Fault(Reason::Protocol, "the first frame is no SETTINGS"));
        }
        match head.kind {
            kind::HEADERS => self.headers(core, head, payload),
            kind::CONTINUATION => self.continuation(core, head, payload),
            kind::DATA => self.data(core, head, payload),
            kind::WINDOW_UPDATE => self.window_update(core, head, payload),
            kind::RST_STREAM => self.is_reset(core, head, payload),
            kind::SETTINGS => self.settings(head, payload),
            kind::PING => self.pinged(head, payload),
            kind::PRIORITY => self.priority(head, payload),
            kind::GOAWAY => self.goaway(head, payload),
            kind::PUSH_PROMISE => Err(Fault(Reason::Protocol, "a client pushes nothing")),
            // Section 4.1: unknown types are ignored.
            _ => self.calm.idles(),
        }
    }

    /// Runs every handler that can go on, and writes what replies there are, as far as windows and
    /// the buffer have room.
    pub fn run(&mut self, core: &mut Core<S>, cx: &mut Context<'_>) {
        if self.fault.is_some() {
            return;
        }
        loop {
            // First, since what others have not answered gets a handler, which begins below.
            self.hear(core, cx);
            while let Poll::Ready(Some(worked)) = self.working.poll_next_unpin(cx) {
                if let Ok((id, response)) = worked {
                    self.answer(core, id, response);
                }
            }
            if !self.send(cx) {
                break;
            }
        }
        self.is_held |= self.is_full() && self.asking.is_some();
        self.streams.each().for_each(|(_, stream)| stream.has_run = true);
        self.give_windows();
    }

    /// Bytes to send.
    pub fn unsent(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// The first `n` of them were sent.
    pub fn sent(&mut self, n: usize) {
        self.sent += n;
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
        } else if self.sent >= self.limits.h2_send_buffer.max(self.out.len() / 2) {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Whether so much waits to be sent that nothing more is read or made.
    pub fn is_full(&self) -> bool {
        self.out.len() - self.sent >= self.limits.h2_send_buffer
    }

    /// Whether replies can go on now that what was written is sent.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether nothing is left to be done but to send what is to be sent.
    pub fn is_over(&self) -> bool {
        self.fault.is_some() || (self.leaving == Leaving::Told && self.streams.len() == 0)
    }

    /// What the peer did wrong, if that ended the connection.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Whether a header block has begun and not ended.
    pub fn is_in_head(&self) -> bool {
        self.block.is_some()
    }

    /// The server is finishing: the peer opens no more streams once it has heard.
    pub fn leave(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Asked;
            frame::goaway(&mut self.out, frame::STREAM_MAX, Reason::No, "");
            frame::ping(&mut self.out, 0, &HAS_HEARD);
        }
    }

    /// The peer will send nothing more: neither bodies, nor room for replies.
    pub fn hang_up(&mut self) {
        (self.leaving, self.is_deaf) = (Leaving::Told, true);
        let open = self.streams.each().filter(|(_, stream)| {
            let is_blocked = stream.window.room() == 0 && stream.piece() > 0;
            stream.feed.is_some() || is_blocked
        });
        let unfinished: Vec<u32> = open.map(|(id, _)| id).collect();
        for id in unfinished {
            self.streams.close(id);
        }
    }

    /// Asks the peer for a sign of life.
    pub fn ask_alive(&mut self) {
        frame::ping(&mut self.out, 0, &IS_ALIVE);
    }

    /// Ends the connection for a fault of the peer's. What it asked before is answered.
    fn break_off(&mut self, core: &mut Core<S>, fault: Fault) {
        self.look(core);
        let Fault(reason, text) = fault;
        frame::goaway(&mut self.out, self.streams.last, reason, text);
        self.fault = Some(fault);
        self.streams.clear();
        (self.working, self.asking) = (FuturesUnordered::new(), None);
    }

    /// Ends a stream for a fault of the peer's, or because it is one too many.
    pub(super) fn refuse(
        &mut self,
        core: &mut Core<S>,
        id: u32,
        reason: Reason,
    ) -> Result<(), Fault> {
        cancel(core, id);
        self.reset(id, reason);
        if reason == Reason::RefusedStream { self.calm.idles() } else { self.calm.errs() }
    }

    /// Ends a stream before its time.
    pub(super) fn reset(&mut self, id: u32, reason: Reason) {
        self.streams.close(id);
        self.streams.remember_reset(id);
        frame::reset(&mut self.out, id, reason);
    }
}

/// Takes a request back that was noted; true when there was one.
pub(super) fn cancel<S: Service>(core: &mut Core<S>, id: u32) -> bool {
    let place = core.ids.iter_mut().rfind(|noted| **noted == id);
    place.map(|noted| *noted = 0).is_some()
}
