//! Where the frames of one snapshot come from: a rows object, or a peer that streams them. On the
//! objects' side thread; what comes is checked against the manifest either way.

use bytes::Bytes;
use pumice_model::manifest::Frame;

use super::download::{Chunk, ReadFault};
use super::holder::Stream;
use crate::objects::Objects;

/// Rows to be fetched, chunk after chunk.
pub enum Rows<'a> {
    /// An object of the store.
    Object {
        /// Where it lies.
        objects: &'a Objects,
        /// Its key.
        key: String,
    },
    /// What a holder sends.
    Holder(Box<Stream>),
}

impl Rows<'_> {
    /// What they are, for faults.
    pub fn name(&self) -> &str {
        match self {
            Self::Object { key, .. } => key,
            Self::Holder(stream) => stream.name(),
        }
    }

    /// The frames of `chunk`, every one of them as the manifest names it. Chunks are fetched in
    /// their order: a stream has no other.
    pub async fn fetch(&mut self, chunk: &Chunk<'_>) -> Result<Vec<(Bytes, Frame)>, ReadFault> {
        match self {
            Self::Object { objects, key } => chunk.fetch(objects, key).await,
            Self::Holder(stream) => {
                let bytes = stream.exactly(chunk.bytes()).await?;
                chunk.cut(bytes, stream.name())
            }
        }
    }
}
