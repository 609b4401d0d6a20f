//! The bodies of answers: nothing, one piece, or pages that are made as the client takes them.
//! On the core that serves the request; a page is read in one transaction, and the core does other
//! work between two pages.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use crate::rt;

/// The body of an answer.
pub enum Body {
    /// No byte.
    Empty,
    /// One piece.
    Whole(Bytes),
    /// Pages, until there are no more.
    Pages {
        /// Makes the next page.
        next: Box<dyn FnMut() -> Page>,
        /// Whether the core has done other work since the last page.
        rested: bool,
    },
}

/// The next piece of a paged body; `None` at the end.
pub type Page = Option<Result<Bytes, Cut>>;

/// The answer had begun and cannot be finished: the stream is reset, never ended as if whole.
#[derive(Debug)]
pub struct Cut(pub String);

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Cut {}

impl Body {
    /// A body of pages.
    pub fn pages(next: impl FnMut() -> Page + 'static) -> Self {
        Self::Pages { next: Box::new(next), rested: true }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Whole(bytes.into())
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let this = self.get_mut();
        let page = match this {
            Self::Empty => None,
            Self::Whole(bytes) => Some(Ok(std::mem::take(bytes))),
            Self::Pages { rested, .. } if !*rested => {
                *rested = true;
                rt::queue_again(context);
                return Poll::Pending;
            }
            Self::Pages { next, rested } => {
                *rested = false;
                let page = next();
                if matches!(page, Some(Ok(_))) {
                    return Poll::Ready(page.map(|bytes| bytes.map(Frame::data)));
                }
                page
            }
        };
        *this = Self::Empty;
        Poll::Ready(page.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Pages { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pages { .. } => SizeHint::default(),
        }
    }
}
