//! Takes the whole body of a request, within a size and a time. It must never hold more than the
//! size it was told, whatever the peer declares.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http_body_util::BodyDataStream;
use hyper::body::{Body, Incoming};

use crate::rt;

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
    /// The peer broke off, or sent bytes that are no body.
    #[error("the body broke off")]
    Broken,
}

/// The whole body of a request, at most `max` bytes, if it ends within `time`. A body that says
/// too great a length is refused before it is read.
///
/// # Errors
/// As [`BodyFault`] says.
pub async fn collect(body: Incoming, max: usize, time: Duration) -> Result<Bytes, BodyFault> {
    let declared = body.size_hint().lower();
    if declared > max as u64 {
        return Err(BodyFault::TooLarge(max));
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    rt::timeout(time, gather(body, max)).await.unwrap_or(Err(BodyFault::TimedOut(time)))
}

async fn gather(body: Incoming, max: usize) -> Result<Bytes, BodyFault> {
    let mut chunks = BodyDataStream::new(body);
    // Most bodies are one chunk, which is handed on as it came.
    let mut whole = next(&mut chunks).await?.unwrap_or_default();
    let mut parts = BytesMut::new();
    while whole.len() + parts.len() <= max {
        let Some(chunk) = next(&mut chunks).await? else {
            return Ok(if parts.is_empty() { whole } else { parts.freeze() });
        };
        if parts.is_empty() {
            parts.extend_from_slice(&std::mem::take(&mut whole));
        }
        parts.extend_from_slice(&chunk);
    }
    Err(BodyFault::TooLarge(max))
}

async fn next(chunks: &mut BodyDataStream<Incoming>) -> Result<Option<Bytes>, BodyFault> {
    chunks.next().await.transpose().map_err(|_| BodyFault::Broken)
}
