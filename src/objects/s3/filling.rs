//! Takes a body of a known length and nothing else. Objects side thread; it never holds more than
//! that length and a little of what is too much.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::s3::error::S3Error;
use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::miss::{self, Miss};

/// Enough to know an error document by.
const EXCESS_KEPT: usize = 1024;

/// The body of one answer.
pub struct Filling {
    bytes: Vec<u8>,
    wanted: usize,
    excess: bool,
}

impl Filling {
    pub fn new(wanted: usize) -> Self {
        Self { bytes: Vec::with_capacity(wanted), wanted, excess: false }
    }

    /// The body, when the answer was a range and brought exactly what it should have.
    pub fn finish(self, answer: Result<u16, S3Error>) -> Result<Bytes, Miss> {
        let Self { bytes, wanted, excess } = self;
        if excess {
            miss::error_document(&bytes)?;
            return Err(Miss::Damaged(format!("more than the {wanted} bytes of the range came")));
        }
        let status = answer?;
        if status != 206 {
            miss::error_document(&bytes)?;
            return Err(Miss::Damaged(format!("status {status} where a range was asked for")));
        }
        if bytes.len() != wanted {
            return Err(Miss::Damaged(format!("{} of {wanted} bytes came", bytes.len())));
        }
        Ok(Bytes::from(bytes))
    }
}

impl AsyncWrite for Filling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.len() > self.wanted - self.bytes.len() {
            self.excess = true;
            self.bytes.extend_from_slice(&bytes[..bytes.len().min(EXCESS_KEPT)]);
            return Poll::Ready(Err(io::Error::other("more bytes than asked for")));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
