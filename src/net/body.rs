//! The body of a request as it comes in, and taking the whole of it within a size and a time. On
//! the core of its connection; must never hold more than the size it was told, whatever the peer
//! declares.

use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http_body_util::BodyDataStream;
use hyper::body::{Body, Frame, SizeHint};

use super::h2::Inflow;
use crate::rt;

/// The body of a request, as its connection receives it.
#[derive(Debug)]
pub enum Incoming {
    /// There is none.
    Empty,
    /// Of a connection that hyper talks on.
    Hyper(hyper::body::Incoming),
    /// Of an HTTP/2 stream.
    Stream(Inflow),
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Hyper(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                polled.map_err(|_| BodyFault::Broken)
            }
            Self::Stream(body) => body.poll_part(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Hyper(body) => body.is_end_stream(),
            Self::Stream(body) => body.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Hyper(body) => body.size_hint(),
            Self::Stream(body) => body.size_hint(),
        }
    }
}

/// Why a body could not be taken. The connection may be used further over HTTP/2, and over HTTP/1
/// is closed after the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// It is, or says it is, longer than this many bytes.
    #[error("the body is longer than {0} bytes")]
    TooLarge(usize),
    /// It did not end within the time.
    #[error("the body did not end within {0:?}")]
    TimedOut(Duration),
    /// The core holds too many unfinished bodies.
    #[error("too many bodies are being received: at most {INTAKE} bytes of them at once")]
    Busy,
    /// The peer broke off, or sent bytes that are no body.
    #[error("the body broke off")]
    Broken,
}

/// Bytes of unfinished bodies that one core holds at most: sixteen of the largest.
const INTAKE: usize = 256 << 20;

/// Counts the bytes of unfinished bodies on one core.
#[derive(Debug, Default)]
pub struct Intake(Cell<usize>);

/// What one body adds to the count, until it is whole or given up.
struct Held<'i> {
    intake: &'i Intake,
    bytes: usize,
}

impl Held<'_> {
    fn grow(&mut self, more: usize) -> Result<(), BodyFault> {
        let all = self.intake.0.get() + more;
        if all > INTAKE {
            return Err(BodyFault::Busy);
        }
        self.intake.0.set(all);
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.intake.0.set(self.intake.0.get() - self.bytes);
    }
}

/// The whole body of a request, at most `max` bytes, if it ends within `time`. A body that says
/// too great a length is refused before it is read.
///
/// # Errors
/// As [`BodyFault`] says.
pub async fn collect(
    body: Incoming,
    max: usize,
    time: Duration,
    intake: &Intake,
) -> Result<Bytes, BodyFault> {
    let declared = body.size_hint().lower();
    if declared > max as u64 {
        return Err(BodyFault::TooLarge(max));
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    rt::timeout(time, gather(body, max, intake)).await.unwrap_or(Err(BodyFault::TimedOut(time)))
}

async fn gather(body: Incoming, max: usize, intake: &Intake) -> Result<Bytes, BodyFault> {
    let mut chunks = BodyDataStream::new(body);
    let mut held = Held { intake, bytes: 0 };
    // Most bodies are one chunk, which is handed on as it came.
    let mut whole = next(&mut chunks).await?.unwrap_or_default();
    let mut parts = BytesMut::new();
    while whole.len() + parts.len() <= max {
        let Some(chunk) = next(&mut chunks).await? else {
            return Ok(if parts.is_empty() { whole } else { parts.freeze() });
        };
        if parts.is_empty() {
            held.grow(whole.len())?;
            parts.extend_from_slice(&std::mem::take(&mut whole));
        }
        held.grow(chunk.len())?;
        parts.extend_from_slice(&chunk);
    }
    Err(BodyFault::TooLarge(max))
}

async fn next(chunks: &mut BodyDataStream<Incoming>) -> Result<Option<Bytes>, BodyFault> {
    chunks.next().await.transpose()
}
