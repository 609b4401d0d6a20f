//! Frames of a rows object, fetched a few at a time and checked as they come. On the objects' side
//! thread; never holds more than one chunk.

use std::ops::Range;

use bytes::Bytes;
use pumice_model::manifest::Frame;

use super::frames;
use crate::objects::{Objects, ObjectsFault};

/// Frames that are fetched in one request have this many bytes, or are one frame: enough that a
/// request's latency is small beside its bytes.
const CHUNK_BYTES: u64 = 2 << 20;

/// Why a snapshot was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    /// It was not there, or is not there any more.
    #[error("{0}: not in the object store")]
    Gone(String),
    /// It is not what it should be.
    #[error("{0}")]
    Bad(String),
    /// It is of another namespace, or of a later version of this program.
    #[error("{0}")]
    Foreign(String),
    /// The store did not answer; nothing is known of the snapshot.
    #[error(transparent)]
    Store(ObjectsFault),
    /// The peer that sends it broke off.
    #[error("{0}")]
    Off(String),
}

impl From<ObjectsFault> for ReadFault {
    fn from(fault: ObjectsFault) -> Self {
        match fault {
            ObjectsFault::NotFound { key } => Self::Gone(key),
            ObjectsFault::Wrong { .. } => Self::Bad(fault.to_string()),
            fault => Self::Store(fault),
        }
    }
}

/// Frames that lie side by side.
#[derive(Clone, Debug)]
pub struct Chunk<'m> {
    /// The frames.
    pub frames: &'m [Frame],
    /// Where they lie in the object.
    pub range: Range<u64>,
}

/// All frames of an object, in chunks.
pub fn chunks(mut frames: &[Frame]) -> impl Iterator<Item = Chunk<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut end = start + u64::from(frames.first()?.packed);
        let mut taken = 1;
        while let Some(frame) = frames.get(taken) {
            let more = end + u64::from(frame.packed);
            if more - start > CHUNK_BYTES {
                break;
            }
            (end, taken) = (more, taken + 1);
        }
        let (chunk, rest) = frames.split_at(taken);
        let range = start..end;
        (frames, start) = (rest, end);
        Some(Chunk { frames: chunk, range })
    })
}

impl Chunk<'_> {
    /// The frames, every one of them as the manifest names it.
    pub async fn fetch(
        &self,
        objects: &Objects,
        key: &str,
    ) -> Result<Vec<(Bytes, Frame)>, ReadFault> {
        let bytes = objects.get_range(key, self.range.clone()).await?;
        self.cut(bytes, key)
    }

    /// Bytes of all its frames.
    pub fn bytes(&self) -> usize {
        // A few frames, each of one MiB and a little.
        (self.range.end - self.range.start) as usize
    }

    /// Cuts the bytes of the chunk into its frames, every one of them as the manifest names it.
    pub fn cut(&self, bytes: Bytes, key: &str) -> Result<Vec<(Bytes, Frame)>, ReadFault> {
        let mut bytes = bytes;
        let mut fetched = Vec::with_capacity(self.frames.len());
        let mut at = self.range.start;
        for frame in self.frames {
            let packed = bytes.split_to(bytes.len().min(frame.packed as usize));
            frames::check(&packed, frame).map_err(|fault| bad(key, at, &fault))?;
            at += u64::from(frame.packed);
            fetched.push((packed, *frame));
        }
        Ok(fetched)
    }
}

fn bad(key: &str, at: u64, fault: &frames::FrameFault) -> ReadFault {
    ReadFault::Bad(format!("{key} at byte {at}: {fault}"))
}

/// The rows of one fetched frame, for [`frames::rows`].
pub fn unpack(key: &str, packed: &[u8], frame: &Frame) -> Result<Vec<u8>, ReadFault> {
    frames::unpack(packed, frame).map_err(|fault| ReadFault::Bad(format!("{key}: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_frame_once() {
        let frame = |packed| Frame { packed, plain: 1, hash: 0 };
        let (small, half, whole) = (frame(1_000), frame(1 << 20), frame((1 << 20) + 9_000));
        let frames = [small, half, small, half, half, whole, whole, small];
        let mut seen = 0;
        let mut at = 0;
        for chunk in chunks(&frames) {
            assert_eq!(chunk.range.start, at);
            let bytes: u64 = chunk.frames.iter().map(|frame| u64::from(frame.packed)).sum();
            assert_eq!(chunk.range.end - chunk.range.start, bytes);
            assert!(bytes <= CHUNK_BYTES || chunk.frames.len() == 1);
            at = chunk.range.end;
            seen += chunk.frames.len();
        }
        assert_eq!(seen, frames.len());
        assert_eq!(chunks(&[]).count(), 0);
    }
}
