//! The body of a peer's answer, as it comes. On the core of its connection; must end, whole or
//! broken off, however long the peer is silent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};

use super::node::Flight;
use crate::rt::Sleep;

/// How long a peer may be silent in the middle of an answer that is being taken.
const SILENCE: Duration = Duration::from_secs(5);

/// The body of a peer's answer.
pub struct Body {
    incoming: Incoming,
    /// Until when the next piece must have come; `None` while nobody waits for one.
    patience: Option<Sleep>,
    _flight: Flight,
}

/// The answer broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection or the stream ended before the body did.
    #[error("the answer of a peer broke off: {0}")]
    Off(String),
    /// The peer was silent for too long.
    #[error("a peer was silent for {SILENCE:?} in the middle of its answer")]
    Silent,
}

impl Body {
    pub(super) fn new(incoming: Incoming, flight: Flight) -> Self {
        Self { incoming, patience: None, _flight: flight }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.patience = None;
            let broken = |fault: hyper::Error| Broken::Off(super::node::causes(&fault));
            return Poll::Ready(frame.map(|frame| frame.map_err(broken)));
        }
        let patience = this.patience.get_or_insert_with(|| Sleep::until(Instant::now() + SILENCE));
        ready!(Pin::new(patience).poll(cx));
        Poll::Ready(Some(Err(Broken::Silent)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
