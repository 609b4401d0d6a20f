//! The bodies of answers: nothing, one piece, or pages that are made as the client takes them.
//! On the core that serves the request; a page is read in one transaction, and the core does other
//! work between two pages.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as _, Frame, SizeHint};

use crate::mesh::handover::{Piece, Taking};
use crate::{peer, rt};

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
    /// What another node answers, as it comes.
    Peer(Box<peer::Body>),
    /// A whole partition, as the snapshots' thread gives it.
    Handover {
        /// What comes.
        taking: Box<Taking>,
        /// Bytes that are still to come.
        left: u64,
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

    /// The whole of it, at most `most` bytes.
    ///
    /// # Errors
    /// When it is longer, or breaks off.
    pub async fn whole(mut self, most: usize) -> Result<Bytes, Cut> {
        let mut all = Vec::new();
        if let Self::Whole(bytes) = self {
            return Ok(bytes);
        }
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut self).poll_frame(cx)).await {
            let Ok(bytes) = frame?.into_data() else { continue };
            if all.len() + bytes.len() > most {
                return Err(Cut(format!("the answer is longer than {most} bytes")));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all.into())
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
            Self::Peer(body) => {
                let frame = ready!(Pin::new(body).poll_frame(context));
                return Poll::Ready(frame.map(|frame| frame.map_err(|off| Cut(off.to_string()))));
            }
            Self::Handover { left: 0, .. } => None,
            Self::Handover { taking, left } => match ready!(taking.poll_next(context)) {
                Some(Piece::Bytes(bytes)) => {
                    *left = left.saturating_sub(bytes.len() as u64);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Piece::Broken(why)) => Some(Err(Cut(why))),
                _ => Some(Err(Cut("the giving end has gone".to_owned()))),
            },
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
            Self::Handover { left, .. } => *left == 0,
            Self::Peer(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pages { .. } => SizeHint::default(),
            Self::Handover { left, .. } => SizeHint::with_exact(*left),
            Self::Peer(body) => body.size_hint(),
        }
    }
}
