//! One connection from its first byte to its end, whichever HTTP it speaks; hyper does the talking.
//! It is one task of its core, and whatever goes wrong in it must end it alone.

use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use futures_util::FutureExt;
use http::Request;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;

use super::body::Incoming;
use super::limits::Limits;
use super::reply::Answering;
use super::service::Service;
use super::streams::{Started, Streams};
use super::watch::{Member, Order, Peer};
use super::wire::{Protocol, Wire};
use crate::rt;
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
pub(super) struct Shared<S> {
    pub(super) service: Rc<S>,
    pub(super) limits: Limits,
    pub(super) http1: http1::Builder,
}

/// Talks with one peer until the connection has ended.
pub(super) async fn converse<S: Service>(
    stream: Stream,
    member: &Member,
    shared: &Shared<S>,
) -> End {
    let peer = member.peer();
    let mut talk = pin!(AssertUnwindSafe(talk(stream, peer, shared)).catch_unwind());
    poll_fn(|cx| {
        // A peer that always has more to say keeps this task queued: the others get their turn.
        rt::look_again();
        match peer.order(cx) {
            Order::EndLate => Poll::Ready(End::Late),
            Order::EndDrain => Poll::Ready(End::Drained),
            Order::Serve | Order::Finish => talk.as_mut().poll(cx).map(|talked| match talked {
                Ok(Ok(())) => End::Closed,
                Ok(Err(fault)) => end_by(&fault),
                Err(_) => End::Panicked,
            }),
        }
    })
    .await
}

async fn talk<S: Service>(
    stream: Stream,
    peer: &Rc<Peer>,
    shared: &Shared<S>,
) -> hyper::Result<()> {
    let mut wire = Wire::new(stream, Rc::clone(peer));
    // A peer that was lost before it said what it speaks has no fault worth telling.
    let Ok(Some(protocol)) = wire.protocol().await else { return Ok(()) };
    let (peer_of_service, answers) = (Rc::clone(peer), Rc::clone(&shared.service));
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let answering = Answering::begin(&peer_of_service);
        let reply = answers.answer(request.map(Incoming::Hyper));
        async move { Ok::<_, Infallible>(reply.await.map(|body| answering.with(body))) }
    });
    match protocol {
        Protocol::Http1 => {
            let mut connection = pin!(shared.http1.serve_connection(wire, service));
            let mut told = false;
            poll_fn(|cx| {
                if !told && peer.order(cx) == Order::Finish {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
                connection.as_mut().poll(cx)
            })
            .await
        }
        Protocol::Http2 => {
            let mut streams = Streams::default();
            let builder = http2(&shared.limits, streams.start());
            let mut connection = pin!(builder.serve_connection(wire, service));
            let mut told = false;
            poll_fn(|cx| {
                if !told && peer.order(cx) == Order::Finish {
                    told = true;
                    connection.as_mut().graceful_shutdown();
                }
                let talked = connection.as_mut().poll(cx);
                // After the connection, so that all it has read is answered by one flush.
                streams.run(cx);
                talked
            })
            .await
        }
    }
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

fn http2(limits: &Limits, start: Started) -> http2::Builder<Started> {
    let mut builder = http2::Builder::new(start);
    builder
        .timer(rt::HyperTimer)
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(limits.h2_stream_window)
        .initial_connection_window_size(limits.h2_connection_window)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_send_buf_size(limits.h2_send_buffer)
        .keep_alive_interval(limits.h2_ping_after)
        .keep_alive_timeout(limits.h2_ping_time)
        .max_pending_accept_reset_streams(limits.h2_pending_resets)
        .max_local_error_reset_streams(limits.h2_error_resets);
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
