//! One connection from its first byte to its end, whichever HTTP it speaks: `h1` and hyper talk
//! the one, `h2` the other. It is one task of its core, and whatever goes wrong in it must end it
//! alone.

use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use futures_util::FutureExt;
use http::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::body::Incoming;
use super::limits::Limits;
use super::reply::Answering;
use super::round::Round;
use super::service::Service;
use super::tls::Tls;
use super::watch::{Member, Order, Peer};
use super::wire::{Protocol, Wire};
use super::{h1, h2};
use crate::rt::Stream;

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Closed by either side, or lost.
    Closed,
    /// The peer kept us waiting too long.
    Late,
    /// The peer broke the protocol.
    Breach,
    /// The drain's time was over.
    Drained,
    /// The handler panicked.
    Panicked,
}

/// What all connections of a listener share.
pub(super) struct Shared<S: Service> {
    pub(super) service: Rc<S>,
    pub(super) limits: Limits,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) http1: http1::Builder,
    pub(super) h1: h1::Lent<S>,
    pub(super) round: Round<S>,
    /// Free unless a connection of HTTP/2 has its turn.
    pub(super) buffers: RefCell<Option<h2::Buffers<S>>>,
}

/// Talks with one peer until the connection has ended.
pub(super) async fn converse<S: Service>(
    stream: Stream,
    member: &Member,
    shared: &Shared<S>,
) -> End {
    let peer = member.peer();
    let mut talk = pin!(AssertUnwindSafe(talk(stream, peer, shared)).catch_unwind());
    poll_fn(|cx| match peer.order(cx) {
        Order::EndLate => Poll::Ready(End::Late),
        Order::EndDrain => Poll::Ready(End::Drained),
        Order::Serve | Order::Finish => {
            talk.as_mut().poll(cx).map(|talked| talked.unwrap_or(End::Panicked))
        }
    })
    .await
}

async fn talk<S: Service>(stream: Stream, peer: &Rc<Peer>, shared: &Shared<S>) -> End {
    let mut wire = Wire::new(stream, Rc::clone(peer));
    match wire.protocol(shared.tls.as_deref()).await {
        Ok(Some(Protocol::Http1)) => talk_http1(wire, peer, shared).await,
        Ok(Some(Protocol::Http2)) => match h2::serve(wire, peer, shared).await {
            Ok(Some(_)) => End::Breach,
            Ok(None) | Err(_) => End::Closed,
        },
        // A peer that was lost before it said what it speaks has no fault worth telling.
        Ok(None) | Err(_) => End::Closed,
    }
}

async fn talk_http1<S: Service>(mut wire: Wire, peer: &Rc<Peer>, shared: &Shared<S>) -> End {
    match h1::serve(&mut wire, peer, shared).await {
        Ok(h1::Ended::Other(bytes)) => wire.put_back(bytes),
        Ok(h1::Ended::Closed) | Err(_) => return End::Closed,
    }
    let (peer_of_service, answers) = (Rc::clone(peer), Rc::clone(&shared.service));
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answering = Answering::begin(&peer_of_service);
        let reply = answers.answer(request.map(Incoming::Hyper));
        async move { Ok::<_, Infallible>(reply.await.map(|body| answering.with(body))) }
    });
    let mut connection = pin!(shared.http1.serve_connection(wire, service));
    let mut told = false;
    let talked = poll_fn(|cx| {
        // First what has come: a connection that has begun nothing is closed at once.
        let talked = connection.as_mut().poll(cx);
        if talked.is_ready() || told || peer.order(cx) != Order::Finish {
            return talked;
        }
        told = true;
        connection.as_mut().graceful_shutdown();
        connection.as_mut().poll(cx)
    });
    talked.await.map_or_else(|fault| end_by(&fault), |()| End::Closed)
}

/// The HTTP/1 side of `limits`.
pub(super) fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .keep_alive(true)
        .half_close(true)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.h1_buffer)
        // hyper's would end idle connections too; the watch times heads.
        .header_read_timeout(None);
    builder
}

fn end_by(fault: &hyper::Error) -> End {
    let is_lost = fault.source().is_some_and(|source| source.is::<io::Error>());
    if fault.is_timeout() {
        End::Late
    } else if is_lost || fault.is_incomplete_message() || fault.is_canceled() {
        End::Closed
    } else {
        End::Breach
    }
}
