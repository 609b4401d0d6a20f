//! One other node: its connections, who of the core's requests flies on which, and when a new one
//! is opened. On its core; never more than [`CONNECTIONS`] of them.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::future::poll_fn;
use std::hash::{BuildHasher, Hasher};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::PeerFault;
use super::body::Body;
use super::health::Health;
use super::open::open;
use crate::rt;

/// Connections of one core to one node: the node serves each on one of its cores.
pub(super) const CONNECTIONS: usize = 4;
/// Requests on one connection before another is opened.
const BUSY: usize = 64;
/// Requests on one connection at most: what a node of ours takes at once.
pub(super) const FULL: usize = 256;
/// How long opening one may take, until the node has answered on it: five times around the world.
const OPENING: Duration = Duration::from_secs(2);

/// One other node.
pub(super) struct Peer {
    way: Way,
    connections: RefCell<Vec<Rc<Connection>>>,
    health: RefCell<Health>,
    is_opening: Cell<bool>,
    /// Who waits for it; bounded by the requests of the core.
    waiting: RefCell<Vec<Waker>>,
}

/// How it is reached.
#[derive(Clone)]
pub(super) struct Way {
    /// `HOST:PORT`.
    pub(super) place: String,
    scheme: Scheme,
    authority: Authority,
    /// What TLS is spoken with, to whom; `None` is cleartext.
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// One connection to it.
pub(super) struct Connection {
    sender: RefCell<SendRequest<Full<Bytes>>>,
    flights: Cell<usize>,
    way: Way,
}

/// Why a request got no answer, with the request where it has not left.
pub(super) type Failed = (PeerFault, Option<Request<Full<Bytes>>>);

/// A request that is on a connection until its answer has been taken.
pub(super) struct Flight(Rc<Connection>);

impl Peer {
    /// A node that was not tried yet.
    pub(super) fn new(place: &str, tls: Option<Arc<ClientConfig>>) -> Result<Rc<Self>, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{place} is no HOST:PORT: {why}");
        let authority: Authority = place.parse().map_err(|fault| wrong(&fault))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = |config| match ServerName::try_from(host) {
            Ok(name) => Ok((config, name)),
            Err(fault) => Err(wrong(&fault)),
        };
        let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
        let tls = tls.map(name).transpose()?;
        let way = Way { place: place.to_owned(), scheme, authority, tls };
        Ok(Rc::new(Self {
            way,
            connections: RefCell::default(),
            health: RefCell::default(),
            is_opening: Cell::new(false),
            waiting: RefCell::default(),
        }))
    }

    /// Whether the last try to reach it went well.
    pub(super) fn is_well(&self) -> bool {
        self.health.borrow().is_well(Instant::now())
    }

    /// A connection with room for a request, counted as on it.
    pub(super) async fn flight(self: &Rc<Self>) -> Result<Flight, PeerFault> {
        poll_fn(|cx| self.poll_flight(cx)).await
    }

    fn poll_flight(self: &Rc<Self>, cx: &Context<'_>) -> Poll<Result<Flight, PeerFault>> {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.sender.borrow().is_closed());
        let (count, best) = (connections.len(), connections.iter().min_by_key(|c| c.flights.get()));
        let flights = best.map(|best| best.flights.get());
        if flights.is_none_or(|flights| flights >= BUSY) && count < CONNECTIONS {
            let health = self.health.borrow();
            match health.pauses(Instant::now()) {
                Some(why) if count == 0 => {
                    return Poll::Ready(Err(PeerFault::Unsent(why.to_owned())));
                }
                Some(_) => {}
                None if self.is_opening.replace(true) => {}
                None => rt::spawn_local(Self::open_another(Rc::downgrade(self))),
            }
        }
        match best {
            Some(best) if best.flights.get() < FULL => {
                Poll::Ready(Ok(Flight::begin(Rc::clone(best))))
            }
            Some(_) if !self.is_opening.get() => {
                let why = format!("{} requests are in flight to it already", FULL * count);
                Poll::Ready(Err(PeerFault::Unsent(why)))
            }
            _ => {
                self.waiting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Opens one; who waits is woken whatever comes of it.
    async fn open_another(peer: Weak<Self>) {
        let Some(asked) = peer.upgrade() else { return };
        let way = asked.way.clone();
        drop(asked);
        let opened = rt::timeout(OPENING, open(&way)).await;
        let opened = opened.unwrap_or_else(|| Err(format!("no answer within {OPENING:?}")));
        let Some(peer) = peer.upgrade() else { return };
        match opened {
            Ok(sender) => {
                peer.health.borrow_mut().well();
                let (sender, flights) = (RefCell::new(sender), Cell::new(0));
                let connection = Connection { sender, flights, way };
                peer.connections.borrow_mut().push(Rc::new(connection));
            }
            Err(why) => {
                let why = format!("cannot reach {}: {why}", way.place);
                peer.health.borrow_mut().failed(Instant::now(), why, spread());
            }
        }
        peer.is_opening.set(false);
        peer.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// A number from 0 to 1, another with each call.
fn spread() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

impl Way {
    /// A path and query as HTTP/2 sends it, with scheme and authority.
    pub(super) fn to(&self, target: &Uri) -> Result<Uri, http::Error> {
        let target = target.path_and_query().cloned();
        let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let builder = Uri::builder().scheme(self.scheme.clone());
        builder.authority(self.authority.clone()).path_and_query(target).build()
    }
}

impl Flight {
    fn begin(connection: Rc<Connection>) -> Self {
        connection.flights.set(connection.flights.get() + 1);
        Self(connection)
    }

    /// Sends a request; the head of its answer.
    pub(super) async fn send(
        self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, Failed> {
        let connection = &self.0;
        match connection.way.to(request.uri()) {
            Ok(target) => *request.uri_mut() = target,
            Err(fault) => return Err((PeerFault::Unsent(fault.to_string()), None)),
        }
        let sent = connection.sender.borrow_mut().try_send_request(request);
        match sent.await {
            Ok(answer) => Ok(answer.map(|body| Body::new(body, self))),
            Err(mut fault) => {
                let (unsent, why) = (fault.take_message(), causes(fault.error()));
                Err(match unsent {
                    Some(request) => (PeerFault::Unsent(why), Some(request)),
                    None => (PeerFault::Unanswered(why), None),
                })
            }
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.flights.set(self.0.flights.get() - 1);
    }
}

/// What went wrong, with what lies below it: hyper's own words say little.
pub(super) fn causes(fault: &(dyn Error + 'static)) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
