//! The body of a reply on its way to the peer: passes through what the handler made, and notes in
//! whose debt its time passes. Lives on its connection's core.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Frame, SizeHint};

use super::watch::Peer;

/// A request between the end of its head and the end of its reply.
pub(super) struct Answering(Rc<Peer>);

/// What the handler gave for a body.
pub(super) struct Reply<B> {
    body: B,
    answering: Answering,
    /// The peer has something to take, as opposed to the handler something to make.
    is_owed: bool,
}

impl Answering {
    pub(super) fn begin(peer: &Rc<Peer>) -> Answering {
        peer.answers();
        Answering(Rc::clone(peer))
    }

    /// The reply's head is ready.
    pub(super) fn with<B: Body>(self, body: B) -> Reply<B> {
        self.0.owes();
        Reply { body, answering: self, is_owed: true }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl<B> Reply<B> {
    /// Whoever polls has room: the debt is the peer's again only once there is something.
    fn keep(&mut self, is_owed: bool) {
        let peer = &self.answering.0;
        match (std::mem::replace(&mut self.is_owed, is_owed), is_owed) {
            (false, true) => peer.owes(),
            (true, true) => peer.takes(),
            (true, false) => peer.took(),
            (false, false) => {}
        }
    }
}

impl<B: Body + Unpin> Body for Reply<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.keep(matches!(polled, Poll::Ready(Some(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Reply<B> {
    fn drop(&mut self) {
        self.keep(false);
    }
}
