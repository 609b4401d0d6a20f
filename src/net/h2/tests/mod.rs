//! The connection as frames in and frames out, without a socket: one file a group of rules. What
//! the server looks like from outside is tested in `tests/h2_protocol.rs`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod away;
mod floods;
mod flow;
mod heads;
mod looks;
mod random;
mod states;
mod steering;

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

use super::connection::{Connection, Core};
use super::frame::{self, Head, Reason, flag, kind};
use super::hpack::{Decoder, Scratch};
use crate::net::body::Incoming;
use crate::net::limits::Limits;
use crate::net::watch::{Member, Watch};
use crate::net::{Asking, Service, Short};

thread_local! {
    /// Whether others have answered by now.
    static OTHERS_TELL: Cell<bool> = const { Cell::new(false) };
}

/// Answers `/look/N` by a look, and the rest by a handler: `/N` with that many bytes, `/length`
/// with the length of the request's body, `/never` not at all. Others are asked for `/away/N`: they
/// answer with so many bytes, or, when `N` is no number, not.
struct Sample;

impl Service for Sample {
    type Body = Full<Bytes>;
    type Answering = LocalBoxFuture<'static, Response<Full<Bytes>>>;
    type Noted = Vec<usize>;
    type Away = Vec<(u32, String)>;
    type Told = Vec<(u32, String)>;

    const MATTERS: &'static [&'static str] = &["if-match"];

    fn answer(&self, request: Request<Incoming>) -> Self::Answering {
        async move {
            let path = request.uri().path().to_owned();
            let body = match path.as_str() {
                "/never" => std::future::pending().await,
                "/length" => match request.into_body().collect().await {
                    Ok(body) => body.to_bytes().len().to_string().into(),
                    Err(fault) => fault.to_string().into(),
                },
                path => vec![b'x'; path[1..].parse().unwrap_or(0)].into(),
            };
            Response::new(Full::new(body))
        }
        .boxed_local()
    }

    fn note(&self, noted: &mut Vec<usize>, target: &str) -> bool {
        let length = target.strip_prefix("/look/").map(|length| length.parse::<usize>().unwrap());
        noted.extend(length);
        length.is_some()
    }

    fn look(&self, noted: &mut Vec<usize>, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        for (number, length) in noted.drain(..).enumerate() {
            let body = vec![b'x'; length];
            let fields = [("etag", b"\"0-1\"".as_slice())];
            let content_type = "application/json";
            reply(number, &Short { status: 200, content_type, fields: &fields, body: &body });
        }
    }

    fn note_away(&self, away: &mut Self::Away, id: u32, target: &str) -> bool {
        let is_away = target.starts_with("/away/");
        away.extend(is_away.then(|| (id, target.to_owned())));
        is_away
    }

    fn ask(&self, away: &mut Self::Away) -> Vec<Asking<Self::Told>> {
        let asked = std::mem::take(away);
        if asked.is_empty() {
            return Vec::new();
        }
        vec![Box::pin(poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            if OTHERS_TELL.get() { Poll::Ready(asked.clone()) } else { Poll::Pending }
        }))]
    }

    fn tell(&self, told: &Self::Told, with: &mut dyn FnMut(u32, Result<&Short<'_>, &str>)) {
        for (id, target) in told {
            let (status, content_type, fields) = (200, "application/json", &[][..]);
            match target["/away/".len()..].parse() {
                Ok(length) => {
                    let body = vec![b'x'; length];
                    with(*id, Ok(&Short { status, content_type, fields, body: &body }));
                }
                // As if it were /5.
                Err(_) => with(*id, Err("/5")),
            }
        }
    }
}

/// What the server said in one frame.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// A reply's head: stream, status, whether the reply ended with it.
    Head(u32, u16, bool),
    /// DATA: stream, bytes, whether the reply ended with it.
    Data(u32, usize, bool),
    Reset(u32, u32),
    Goaway(u32, u32),
    Settings(Vec<u8>),
    SettingsAck,
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Window(u32, u32),
}

/// A client that says what it likes, one receive after the other.
struct Client {
    connection: Connection<Sample>,
    core: Core<Sample>,
    decoder: Decoder,
    _member: Member,
}

impl Client {
    /// Behind the preface, before any frame of the client's.
    fn raw(limits: Limits) -> (Self, Vec<Said>) {
        let member = Watch::new(&limits).join();
        let connection = Connection::new(Rc::new(Sample), &limits, Rc::clone(member.peer()));
        let (core, decoder) = (Core::default(), Decoder::new(4_096, &[]));
        let mut client = Client { connection, core, decoder, _member: member };
        let said = client.said();
        (client, said)
    }

    /// Behind the exchange of settings.
    fn with(limits: Limits, settings: &[(u16, u32)]) -> Self {
        let (mut client, _) = Self::raw(limits);
        let mut bytes = Vec::new();
        frame::settings(&mut bytes, settings);
        assert_eq!(client.say(&bytes), [Said::SettingsAck]);
        client
    }

    fn new() -> Self {
        Self::with(Limits::default(), &[])
    }

    /// One receive of whole frames, and all that is said to it.
    fn say(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut rest, mut said) = (bytes, Vec::new());
        loop {
            let done = self.connection.receive(&mut self.core, rest);
            rest = &rest[done..];
            self.connection.run(&mut self.core, &mut cx);
            let more = self.said();
            if more.is_empty() {
                return said;
            }
            said.extend(more);
        }
    }

    fn said(&mut self) -> Vec<Said> {
        let bytes = self.connection.unsent().to_vec();
        self.connection.sent(bytes.len());
        let (mut rest, mut said) = (&bytes[..], Vec::new());
        while let Some(head) = Head::parse(rest) {
            let payload = &rest[frame::HEAD..frame::HEAD + head.length];
            rest = &rest[frame::HEAD + head.length..];
            said.push(self.read(&head, payload));
        }
        assert!(rest.is_empty(), "half a frame was sent");
        said
    }

    fn read(&mut self, head: &Head, payload: &[u8]) -> Said {
        let number = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
        let (id, is_last) = (head.stream, head.has(flag::END_STREAM));
        match head.kind {
            kind::HEADERS => {
                let mut status = 0;
                let fields = |_, name: &[u8], value: &[u8]| {
                    if name == b":status" {
                        status = std::str::from_utf8(value).unwrap().parse().unwrap();
                    }
                };
                self.decoder.decode(payload, &mut Scratch::default(), fields).unwrap();
                Said::Head(id, status, is_last)
            }
            kind::DATA => Said::Data(id, payload.len(), is_last),
            kind::RST_STREAM => Said::Reset(id, number(0)),
            kind::GOAWAY => Said::Goaway(number(0), number(4)),
            kind::SETTINGS if head.has(flag::ACK) => Said::SettingsAck,
            kind::SETTINGS => Said::Settings(payload.to_vec()),
            kind::PING if head.has(flag::ACK) => Said::Pong(payload.to_vec()),
            kind::PING => Said::Ping(payload.to_vec()),
            kind::WINDOW_UPDATE => Said::Window(id, number(0)),
            kind => panic!("a server says no frame of type {kind}"),
        }
    }

    /// Says something that ends the connection with `reason`.
    fn breaks(mut self, bytes: &[u8], reason: Reason) {
        let said = self.say(bytes);
        let last = said.last();
        assert!(matches!(last, Some(Said::Goaway(_, code)) if *code == reason as u32), "{said:?}");
        assert_eq!(self.connection.fault().map(|fault| fault.0), Some(reason));
        assert!(self.connection.is_over());
    }
}

/// A frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    Head { length: payload.len(), kind, flags, stream }.put(&mut bytes);
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The header block of a good request with more fields behind it.
fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields =
        vec![(":method", method), (":scheme", "http"), (":authority", "pumice"), (":path", path)];
    fields.extend_from_slice(more);
    block(&fields)
}

/// HEADERS of a GET.
fn get(stream: u32, path: &str) -> Vec<u8> {
    let flags = flag::END_HEADERS | flag::END_STREAM;
    frame(kind::HEADERS, flags, stream, &request("GET", path, &[]))
}

/// HEADERS of a POST whose body follows.
fn post(stream: u32, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, flag::END_HEADERS, stream, &request("POST", path, more))
}

fn window_update(stream: u32, more: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

fn reset(stream: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// A whole reply with a body.
fn whole(stream: u32, length: usize) -> [Said; 2] {
    [Said::Head(stream, 200, false), Said::Data(stream, length, true)]
}
