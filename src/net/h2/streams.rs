//! The streams of one connection that outlive the receive they came in: requests whose handler
//! runs, and replies that wait for the peer's windows. On the core of the connection.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::AbortHandle;

use super::body::Feed;
use super::window::{Inbound, Window};
use crate::net::watch::Peer;

/// Streams that we reset lately, whose frames are on their way and no fault of the peer's. More of
/// them than this are answered by another reset.
const RESETS_KNOWN: usize = 512;

/// One stream.
pub struct Stream<B> {
    /// What we may send.
    pub window: Window,
    /// What the peer may send.
    pub inbound: Inbound,
    /// Where its body goes; `None` once the peer has ended its side.
    pub feed: Option<Feed>,
    /// The handler, until it has answered.
    pub handler: Option<AbortHandle>,
    /// Whether the handler has had its first turn.
    pub has_run: bool,
    /// Whether the request was a HEAD.
    pub is_head: bool,
    /// The reply, once its head was written.
    pub reply: Option<Sending<B>>,
    /// Whether the reply has ended: the rest of the request is looked through and thrown away.
    pub is_answered: bool,
    /// Whether it stands in [`Streams::ready`].
    pub is_ready: bool,
    /// That the peer lets a reply wait.
    pub debt: Option<Debt>,
}

/// The rest of a reply.
pub struct Sending<B> {
    /// Where more comes from; `None` once the piece is the last.
    pub body: Option<B>,
    /// What is to be sent next.
    pub piece: Bytes,
}

/// Something that waits for the peer to take it, as the watch counts it.
pub struct Debt(Rc<Peer>);

impl Debt {
    /// From now on, until this is dropped.
    pub fn of(peer: &Rc<Peer>) -> Debt {
        peer.owes();
        Debt(Rc::clone(peer))
    }

    /// The peer took a part of it.
    pub fn takes(&self) {
        self.0.takes();
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        self.0.took();
    }
}

/// All of them, and what is known of those that are closed.
pub struct Streams<B> {
    open: BTreeMap<u32, Stream<B>>,
    /// Those that may have something to send, in turn.
    pub ready: VecDeque<u32>,
    /// The highest id the peer has used.
    pub last: u32,
    /// The ids it skipped when it last skipped some: never used, and closed (section 5.1.1).
    skipped: (u32, u32),
    resets: VecDeque<u32>,
}

impl<B> Stream<B> {
    /// One whose request has ended and which has no handler.
    pub fn waiting(window: Window) -> Self {
        Stream {
            window,
            inbound: Inbound::new(0),
            feed: None,
            handler: None,
            has_run: true,
            is_head: false,
            reply: None,
            is_answered: false,
            is_ready: false,
            debt: None,
        }
    }

    /// Bytes of its reply that are at hand and not sent.
    pub fn piece(&self) -> usize {
        self.reply.as_ref().map_or(0, |reply| reply.piece.len())
    }
}

impl<B> Streams<B> {
    /// None.
    pub fn new() -> Self {
        Streams {
            open: BTreeMap::new(),
            ready: VecDeque::new(),
            last: 0,
            skipped: (0, 0),
            resets: VecDeque::new(),
        }
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// An open stream.
    pub fn get(&mut self, id: u32) -> Option<&mut Stream<B>> {
        self.open.get_mut(&id)
    }

    /// Those that are open.
    pub fn each(&mut self) -> impl Iterator<Item = (u32, &mut Stream<B>)> {
        self.open.iter_mut().map(|(id, stream)| (*id, stream))
    }

    /// Whether nobody has used the id yet. A server opens no streams, so even ones stay idle.
    pub fn is_idle(&self, id: u32) -> bool {
        id > self.last || id.is_multiple_of(2)
    }

    /// Whether the peer passed the id over.
    pub fn was_skipped(&self, id: u32) -> bool {
        self.skipped.0 < id && id < self.skipped.1
    }

    /// The peer uses an idle id.
    #[inline]
    pub fn uses(&mut self, id: u32) {
        if id - self.last > 2 {
            self.skipped = (self.last, id);
        }
        self.last = id;
    }

    /// Opens a stream.
    pub fn open(&mut self, id: u32, stream: Stream<B>) {
        self.open.insert(id, stream);
    }

    /// A stream may have something to send.
    pub fn wake(&mut self, id: u32) {
        if let Some(stream) = self.open.get_mut(&id)
            && stream.reply.is_some()
            && !std::mem::replace(&mut stream.is_ready, true)
        {
            self.ready.push_back(id);
        }
    }

    /// Closes a stream, and ends its handler if it still runs.
    pub fn close(&mut self, id: u32) -> Option<Stream<B>> {
        let stream = self.open.remove(&id)?;
        if let Some(handler) = &stream.handler {
            handler.abort();
        }
        Some(stream)
    }

    /// Remembers that we reset a stream.
    pub fn remember_reset(&mut self, id: u32) {
        if self.resets.len() == RESETS_KNOWN {
            self.resets.pop_front();
        }
        self.resets.push_back(id);
    }

    /// The peer has reset a stream itself: nothing of it is on its way any more.
    pub fn forget_reset(&mut self, id: u32) {
        self.resets.retain(|known| *known != id);
    }

    /// Whether we reset this stream lately.
    pub fn was_reset(&self, id: u32) -> bool {
        self.resets.contains(&id)
    }

    /// Closes all of them.
    pub fn clear(&mut self) {
        self.open.clear();
        self.ready.clear();
    }

    /// Gives memory back that no stream needs.
    pub fn rest(&mut self) {
        if self.open.is_empty() && self.ready.capacity() > 0 {
            self.ready = VecDeque::new();
        }
    }
}
