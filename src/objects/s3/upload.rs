//! A file into the bucket, part by part. Objects side thread; an upload that fails is aborted, so
//! that nobody pays for parts that nobody sees.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ::s3::Bucket;
use ::s3::serde_types::Part;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::miss::Miss;
use super::{S3, stored};
use crate::objects::{ObjectsFault, PART_BYTES, PARTS_MAX, blocking};

/// Each costs two parts of memory: ours and the HTTP client's.
const PARTS_IN_FLIGHT: usize = 2;
const CONTENT_TYPE: &str = "application/octet-stream";

/// An upload that has begun.
struct Upload<'a> {
    key: &'a str,
    path: String,
    id: String,
    source: &'a Path,
    file: Arc<File>,
    len: u64,
}

impl S3 {
    pub(in crate::objects) async fn put_file(
        &self,
        key: &str,
        source: &Path,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ObjectsFault> {
        let local = |error| ObjectsFault::local(source, error);
        let owned = source.to_owned();
        let open = move || File::open(owned).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = blocking(open).await.map_err(local)?;
        let file = Arc::new(file);
        if len <= PART_BYTES {
            let bytes = blocking(move || read(&file, 0, len)).await.map_err(local)?;
            self.put(key, Bytes::from(bytes)).await?;
            sent(len);
            return Ok(());
        }
        if len > PART_BYTES * PARTS_MAX {
            let most = PART_BYTES * PARTS_MAX;
            return Err(ObjectsFault::wrong(key, format!("{len} bytes, an object has {most}")));
        }
        // Whoever asks for the length after a lost answer must know that it is not an old object's.
        let fresh = self.len(key).await?.is_none();
        let (path, id) = self.begin(key).await?;
        let upload = Upload { key, path, id, source, file, len };
        let done = match self.send(&upload, sent).await {
            Ok(parts) => self.complete(&upload, parts, fresh).await,
            Err(fault) => Err(fault),
        };
        if done.is_err() {
            self.abort(&upload).await;
        }
        done
    }

    async fn begin(&self, key: &str) -> Result<(String, String), ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let path = self.path(key);
            async move {
                let begun = bucket.initiate_multipart_upload(&path, CONTENT_TYPE).await?;
                Ok((path, begun.upload_id))
            }
        };
        self.persist("begin to upload", key, attempt).await
    }

    async fn send(
        &self,
        upload: &Upload<'_>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Part>, ObjectsFault> {
        let offsets = (0..upload.len).step_by(PART_BYTES as usize);
        let parts = stream::iter(offsets.map(|offset| self.send_part(upload, offset)));
        let told = |(part, bytes)| {
            sent(bytes);
            part
        };
        parts.buffered(PARTS_IN_FLIGHT).map_ok(told).try_collect().await
    }

    async fn send_part(
        &self,
        upload: &Upload<'_>,
        offset: u64,
    ) -> Result<(Part, u64), ObjectsFault> {
        let bytes = PART_BYTES.min(upload.len - offset);
        let number = (offset / PART_BYTES) as u32 + 1;
        // A file that does not read will not read better next time, so that this is no miss.
        let attempt = |bucket: Arc<Bucket>| {
            let (path, id, file) = (&upload.path, &upload.id, Arc::clone(&upload.file));
            async move {
                let chunk = match blocking(move || read(&file, offset, bytes)).await {
                    Ok(chunk) => chunk,
                    Err(error) => return Ok(Err(error)),
                };
                let sent = bucket.put_multipart_chunk(chunk, path, number, id, CONTENT_TYPE);
                let part = sent.await?;
                if part.etag.is_empty() {
                    return Err(Miss::Passing("an answer without an ETag".to_owned()));
                }
                Ok(Ok(part))
            }
        };
        let doing = format!("upload part {number} of");
        let part = self.persist(&doing, upload.key, attempt).await?;
        Ok((part.map_err(|error| ObjectsFault::local(upload.source, error))?, bytes))
    }

    /// The answer may get lost after S3 has put the object together, and S3 may then know nothing
    /// of the upload any more: the object itself says what happened.
    async fn complete(
        &self,
        upload: &Upload<'_>,
        parts: Vec<Part>,
        fresh: bool,
    ) -> Result<(), ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let parts = parts.clone();
            async move {
                bucket.complete_multipart_upload(&upload.path, &upload.id, parts).await?;
                Ok(())
            }
        };
        let completed = self.persist("complete the upload of", upload.key, attempt).await;
        if completed.is_err() && !fresh {
            return completed;
        }
        let attempt =
            |bucket: Arc<Bucket>| async move { stored(&bucket, &upload.path, upload.len).await };
        let stored = self.persist("find", upload.key, attempt).await;
        if stored.is_ok() { stored } else { completed.and(stored) }
    }

    async fn abort(&self, upload: &Upload<'_>) {
        let attempt = |bucket: Arc<Bucket>| async move {
            match bucket.abort_upload(&upload.path, &upload.id).await.map_err(Miss::from) {
                Err(Miss::Absent) => Ok(()),
                done => done,
            }
        };
        if let Err(fault) = self.persist("abort the upload of", upload.key, attempt).await {
            tracing::warn!(
                "upload {} is left behind: {fault}; a lifecycle rule of the bucket, \
                 AbortIncompleteMultipartUpload, removes such",
                upload.id
            );
        }
    }
}

fn read(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}
