//! A reply on its way to the peer: passes on what the handler made, and keeps the peer's debt for
//! every piece of it until the peer has taken that. Lives on its connection's core.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::watch::Peer;

/// A request between the end of its head and the end of its reply.
pub(super) struct Answering(Rc<Peer>);

/// What the handler gave for a body.
pub(super) struct Reply<B> {
    body: B,
    answering: Answering,
}

/// A piece of a reply. It waits in hyper while the peer's windows or its socket are full, and is
/// dropped when its last byte is written: the debt is exactly its life.
pub(super) struct Piece {
    bytes: Bytes,
    peer: Rc<Peer>,
}

impl Answering {
    pub(super) fn begin(peer: &Rc<Peer>) -> Answering {
        peer.answers();
        Answering(Rc::clone(peer))
    }

    /// The reply's head is ready.
    pub(super) fn with<B>(self, body: B) -> Reply<B> {
        Reply { body, answering: self }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answered();
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Reply<B> {
    type Data = Piece;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let peer = &self.answering.0;
        polled.map_ok(|frame| frame.map_data(|bytes| Piece::new(bytes, peer)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Piece {
    fn new(bytes: Bytes, peer: &Rc<Peer>) -> Piece {
        peer.owes();
        Piece { bytes, peer: Rc::clone(peer) }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, n: usize) {
        self.bytes.advance(n);
        self.peer.takes();
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.peer.took();
    }
}
