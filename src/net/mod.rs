//! HTTP/1.1 and HTTP/2 on one port, in clear text (prior knowledge) and inside TLS: a listener a
//! core, whose connections never leave it. The handler answers; this layer keeps peers within
//! [`Limits`] and must never buffer more than they say.

pub mod body;
mod connection;
mod date;
mod drain;
mod h1;
pub mod h2;
mod limits;
mod reply;
mod round;
mod service;
mod tls;
mod watch;
mod wire;

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;

use futures_util::future::select;

pub use drain::Drain;
pub use limits::Limits;
pub use service::{Asking, Field, Service, Short};
pub use tls::{Tls, TlsFault};

use crate::rt::{self, Listener, Stream};
use crate::stats::net::NetStats;
use connection::{End, Shared, converse};
use round::Round;
use watch::Watch;

/// Connections accepted before the requests of others get a turn.
const ACCEPTS_A_TURN: usize = 64;

/// Where connections come in.
pub struct Door {
    /// Accepts them.
    pub listener: Listener,
    /// What TLS is spoken with, to those that do; `None` speaks cleartext alone.
    pub tls: Option<Arc<Tls>>,
}

impl From<Listener> for Door {
    fn from(listener: Listener) -> Door {
        Door { listener, tls: None }
    }
}

/// Serves every connection of `door` with `service`, until `drain` is started and the last of
/// them has ended. Returns within `limits.drain_time` of that, and a second: those that are not
/// done by then are cut and counted.
///
/// A service that panics ends its connection, with all requests in progress on it, and no other.
pub async fn serve<S: Service>(
    door: impl Into<Door>,
    service: Rc<S>,
    limits: Limits,
    drain: Drain,
    stats: Arc<NetStats>,
) {
    let Door { listener, tls } = door.into();
    let watch = Watch::new(&limits);
    let (most, drain_time) = (limits.connections, limits.drain_time);
    let http1 = connection::http1(&limits);
    let shared = Rc::new(Shared {
        service,
        limits,
        tls,
        http1,
        h1: h1::Lent::default(),
        round: Round::default(),
        buffers: RefCell::default(),
    });
    let admit = |stream: Stream| {
        stats.accepted.add(1);
        if watch.len() < most {
            admit(stream, &watch, &shared, &stats);
        } else {
            stats.over_limit.add(1);
        }
    };
    let mut beat = pin!(watch.beat());

    let accept = async {
        loop {
            for _ in 0..ACCEPTS_A_TURN {
                match listener.accept().await {
                    Ok((stream, _)) => admit(stream),
                    Err(_) => stats.accept_failed.add(1),
                }
            }
            rt::yield_now().await;
        }
    };
    select(select(pin!(accept), beat.as_mut()), pin!(drain.started())).await;

    // What is in the backlog would be reset with the listener.
    while let Some((stream, _)) = listener.accept_now() {
        admit(stream);
    }
    drop(listener);
    watch.finish();
    let emptied = pin!(watch.emptied());
    if rt::timeout(drain_time, select(emptied, beat)).await.is_none() {
        stats.cut_at_drain.add(watch.len() as u64);
        watch.end();
        watch.emptied().await;
    }
}

/// Starts the task of one connection.
fn admit<S: Service>(
    stream: Stream,
    watch: &Rc<Watch>,
    shared: &Rc<Shared<S>>,
    stats: &Arc<NetStats>,
) {
    let (member, shared, stats) = (watch.join(), Rc::clone(shared), Arc::clone(stats));
    rt::spawn_local(async move {
        stats.open.rise(1);
        match converse(stream, &member, &shared).await {
            End::Late => stats.timed_out.add(1),
            End::Breach => stats.protocol_errors.add(1),
            End::Panicked => stats.panicked.add(1),
            End::Closed | End::Drained => {}
        }
        stats.open.fall(1);
        stats.closed.add(1);
    });
}
