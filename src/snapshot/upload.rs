//! Bringing a spooled snapshot into the object store: rows, read back, then the manifest, read
//! back. On the objects' side thread; a manifest is never written before its rows are known to be
//! there bit by bit.

use bytes::Bytes;
use pumice_model::limits::MANIFEST_MAX;

use super::download::{ReadFault, chunks};
use super::place::Place;
use super::take::Spooled;
use crate::objects::{Objects, ObjectsFault};

/// Why a snapshot is not in the store.
#[derive(Debug, thiserror::Error)]
pub enum UploadFault {
    /// The store, or the spool.
    #[error(transparent)]
    Objects(#[from] ObjectsFault),
    /// What was read back is not what was sent.
    #[error("read back after the upload: {0}")]
    ReadBack(ReadFault),
}

/// Uploads a snapshot to its place; `sent` is told of bytes as they go. On a fault nothing of it is
/// left, as far as the store can be reached.
pub async fn upload(
    objects: &Objects,
    spooled: &Spooled,
    place: &Place,
    sent: &(dyn Fn(u64) + Sync),
) -> Result<(), UploadFault> {
    let done = send(objects, spooled, place, sent).await;
    if done.is_err()
        && let Err(fault) = remove(objects, place).await
    {
        // Rows without a manifest are no snapshot, and go a day later.
        tracing::debug!("what is left of {place} could not be removed: {fault}");
    }
    done
}

/// Removes a snapshot, its manifest first: while that may be there the rows stay.
pub async fn remove(objects: &Objects, place: &Place) -> Result<(), ObjectsFault> {
    objects.delete(&place.manifest()).await?;
    objects.delete(&place.rows()).await
}

async fn send(
    objects: &Objects,
    spooled: &Spooled,
    place: &Place,
    sent: &(dyn Fn(u64) + Sync),
) -> Result<(), UploadFault> {
    let (rows, manifest) = (place.rows(), place.manifest());
    objects.put_file(&rows, spooled.path(), sent).await?;
    read_rows_back(objects, spooled, &rows).await.map_err(UploadFault::ReadBack)?;
    let bytes = Bytes::from(spooled.manifest.encode());
    objects.put(&manifest, bytes.clone()).await?;
    match objects.get(&manifest, MANIFEST_MAX).await? {
        Some(stored) if stored == bytes => Ok(()),
        Some(_) => Err(UploadFault::ReadBack(ReadFault::Bad(format!("{manifest}: differs")))),
        None => Err(UploadFault::ReadBack(ReadFault::Gone(manifest))),
    }
}

async fn read_rows_back(objects: &Objects, spooled: &Spooled, key: &str) -> Result<(), ReadFault> {
    let wanted = spooled.manifest.packed();
    match objects.len(key).await? {
        Some(len) if len == wanted => {}
        Some(len) => return Err(ReadFault::Bad(format!("{key}: has {len} bytes, not {wanted}"))),
        None => return Err(ReadFault::Gone(key.to_owned())),
    }
    for chunk in chunks(&spooled.manifest.frames) {
        chunk.fetch(objects, key).await?;
    }
    Ok(())
}
