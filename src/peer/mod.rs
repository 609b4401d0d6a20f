//! Requests from one core to other nodes: HTTP/2 connections that are opened when they are first
//! needed, shared by the requests of the core and kept. Lives on its core; must never send a
//! request twice, nor let one wait longer than it was told.

mod body;
mod health;
mod node;
mod open;
mod tls;
mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use rustls::ClientConfig;

pub use body::Body;
pub use tls::client_tls;

use crate::rt;
use node::{CONNECTIONS, Peer};

/// Why another node gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// Nothing of the request has left: it may be sent to another.
    #[error("{0}")]
    Unsent(String),
    /// Some of it may have left, and what became of it is not known.
    #[error("{0}")]
    Unanswered(String),
}

/// The other nodes, as one core talks to them. Dropping it lets every connection end with the last
/// request on it.
#[derive(Default)]
pub struct Pool {
    tls: Option<Arc<ClientConfig>>,
    /// By `HOST:PORT`.
    peers: RefCell<HashMap<String, Rc<Peer>>>,
}

impl Pool {
    /// No connections yet; with `tls` nothing else is spoken.
    pub fn new(tls: Option<Arc<ClientConfig>>) -> Self {
        Self { tls, peers: RefCell::default() }
    }

    /// Sends `request`, whose target is a path and query, to the node at `place` (`HOST:PORT`), and
    /// waits until `deadline` for the head of its answer. The body comes as it is taken.
    ///
    /// # Errors
    /// As [`PeerFault`] says; at once when the node could not be reached a moment ago.
    pub async fn send(
        &self,
        place: &str,
        request: Request<Full<Bytes>>,
        deadline: Instant,
    ) -> Result<Response<Body>, PeerFault> {
        let peer = self.peer(place)?;
        let mut request = request;
        // A connection may end just before it is used; the next is a new one.
        for _ in 0..CONNECTIONS {
            let time = deadline.saturating_duration_since(Instant::now());
            let Some(flight) = rt::timeout(time, peer.flight()).await else {
                return Err(PeerFault::Unsent(format!("no connection to {place} within {time:?}")));
            };
            let flight = flight?;
            let time = deadline.saturating_duration_since(Instant::now());
            match rt::timeout(time, flight.send(request)).await {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err((_, Some(unsent)))) => request = unsent,
                Some(Err((fault, None))) => return Err(fault),
                None => {
                    let why = format!("no answer of {place} within {time:?}");
                    return Err(PeerFault::Unanswered(why));
                }
            }
        }
        Err(PeerFault::Unsent(format!("connections to {place} end as soon as they are used")))
    }

    /// Whether the node at `place` could be reached when it was last tried, or was never tried.
    pub fn is_well(&self, place: &str) -> bool {
        self.peers.borrow().get(place).is_none_or(|peer| peer.is_well())
    }

    /// Lets go of nodes that are no longer members.
    pub fn keep(&self, is_member: impl Fn(&str) -> bool) {
        self.peers.borrow_mut().retain(|place, _| is_member(place));
    }

    fn peer(&self, place: &str) -> Result<Rc<Peer>, PeerFault> {
        let mut peers = self.peers.borrow_mut();
        if let Some(peer) = peers.get(place) {
            return Ok(Rc::clone(peer));
        }
        let peer = Peer::new(place, self.tls.clone()).map_err(PeerFault::Unsent)?;
        peers.insert(place.to_owned(), Rc::clone(&peer));
        Ok(peer)
    }
}
