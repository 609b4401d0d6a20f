//! Opens a connection to another node: TCP, TLS where it is spoken, HTTP/2, and one request that
//! shows that somebody answers on it. On its core; a connection that nobody answers on must never
//! be given to a request.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::client::conn::http2::{self, SendRequest};

use super::node::{FULL, Way, causes};
use super::wire;
use crate::rt::{self, Sleep};

/// A peer that says nothing for so long is asked for a sign of life, also while nothing is asked
/// of it: a write must not be the first to find out. Of 300 nodes with 16 cores each that is a
/// thousand pings a second among them all.
const PING_AFTER: Duration = Duration::from_secs(4);
/// How long the sign may take.
const PING_TIME: Duration = Duration::from_secs(2);
/// What a peer may send of one answer before it is taken: a client that stalls makes us hold no
/// more. Of all together it may send as much as all can have, or stalled ones would hold up others.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * FULL as u32;
/// Bytes of a peer's answer head.
const HEAD: u32 = 64 << 10;

/// Opens one. Its requests are sent by what is returned; it ends when that is dropped, after the
/// last answer.
pub(super) async fn open(way: &Way) -> Result<SendRequest<Full<Bytes>>, String> {
    let socket = rt::connect(&way.place).await.map_err(|fault| fault.to_string())?;
    let wire = wire::over(socket, way.tls.clone()).await.map_err(|fault| fault.to_string())?;
    let shaken = http2::Builder::new(Tasks)
        .timer(Timers)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIME)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD)
        .handshake(wire);
    let (mut sender, connection) = shaken.await.map_err(|fault| causes(&fault))?;
    rt::spawn_local(async move {
        // Whoever waits for an answer on it is told.
        let _ = connection.await;
    });
    let mut hello = Request::new(Full::default());
    *hello.uri_mut() = way.to(&Uri::from_static("/up")).map_err(|fault| fault.to_string())?;
    let answer = sender.send_request(hello).await.map_err(|fault| causes(&fault))?;
    match answer.status() {
        StatusCode::OK => Ok(sender),
        other => Err(format!("it answered {other} to GET /up")),
    }
}

/// Where hyper's tasks run: on this core.
#[derive(Clone)]
struct Tasks;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        rt::spawn_local(task);
    }
}

/// What hyper's pings are timed by.
struct Timers;

impl hyper::rt::Timer for Timers {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep::until(deadline))
    }
}

impl hyper::rt::Sleep for Sleep {}
