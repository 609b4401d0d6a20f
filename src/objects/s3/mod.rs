//! A bucket of S3 or of something that speaks it, over rust-s3. Objects side thread; what the wire
//! brings is believed only as far as lengths, statuses and ETags bear it out.

mod credentials;
mod filling;
mod list;
mod miss;
mod upload;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use ::s3::Bucket;
use ::s3::region::Region;
use bytes::Bytes;
use tokio::time::{sleep, timeout};

use super::{ObjectsFault, Patience};
use crate::settings::S3Settings;
use credentials::Keys;
use filling::Filling;
use miss::Miss;

/// A bucket as a store.
#[derive(Debug)]
pub struct S3 {
    keys: Keys,
    /// Empty, or ends with a slash.
    prefix: String,
    patience: Patience,
    /// For people.
    place: String,
}

impl S3 {
    pub(super) fn open(settings: &S3Settings, patience: Patience) -> Result<Self, ObjectsFault> {
        // The library's own retries are one number for the process, and know no deadline.
        ::s3::set_retries(0);
        let S3Settings { bucket: name, region, .. } = settings;
        let endpoint = match &settings.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None if region.starts_with("cn-") => format!("https://s3.{region}.amazonaws.com.cn"),
            None => format!("https://s3.{region}.amazonaws.com"),
        };
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            let what = format!("endpoint {endpoint:?} must begin with http:// or https://");
            return Err(ObjectsFault::Settings(what));
        }
        if name.is_empty() || name.contains('/') {
            return Err(ObjectsFault::Settings(format!("{name:?} is no name of a bucket")));
        }
        let place = format!("s3://{name}/{} at {endpoint}", settings.prefix);
        let region = Region::Custom { region: region.clone(), endpoint };
        let keys = Keys::new(name, region, settings.path_style, settings.credentials.as_ref())?;
        let prefix = match settings.prefix.as_str() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self { keys, prefix, patience, place })
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let (path, bytes) = (self.path(key), bytes.clone());
            async move {
                let answer = bucket.put_object(&path, &bytes).await?;
                if answer.as_slice().is_empty() {
                    return Err(Miss::Passing("an answer without an ETag".to_owned()));
                }
                stored(&bucket, &path, bytes.len() as u64).await
            }
        };
        self.persist("put", key, attempt).await
    }

    pub(super) async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let (path, Range { start, end }) = (self.path(key), range.clone());
            async move {
                let mut body = Filling::new((end - start) as usize);
                let answer =
                    bucket.get_object_range_to_writer(path, start, Some(end - 1), &mut body).await;
                body.finish(answer)
            }
        };
        self.persist("get", key, attempt).await
    }

    pub(super) async fn len(&self, key: &str) -> Result<Option<u64>, ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let path = self.path(key);
            async move { len(&bucket, &path).await }
        };
        self.persist("look for", key, attempt).await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), ObjectsFault> {
        let attempt = |bucket: Arc<Bucket>| {
            let path = self.path(key);
            async move {
                match bucket.delete_object(path).await {
                    Ok(answer) => miss::error_document(answer.as_slice()),
                    Err(fault) => match Miss::from(fault) {
                        Miss::Absent => Ok(()),
                        miss => Err(miss),
                    },
                }
            }
        };
        self.persist("delete", key, attempt).await
    }

    fn path(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Tries until it works, cannot work, or patience is at its end.
    async fn persist<T, F>(
        &self,
        doing: &str,
        key: &str,
        attempt: impl Fn(Arc<Bucket>) -> F,
    ) -> Result<T, ObjectsFault>
    where
        F: Future<Output = Result<T, Miss>>,
    {
        let Patience { tries, mut pause, deadline } = self.patience;
        let mut tried = 0;
        loop {
            tried += 1;
            let one_try = async {
                let bucket = self.keys.bucket().await?;
                let answer = attempt(Arc::clone(&bucket)).await;
                if let Err(Miss::Stale(_)) = &answer {
                    self.keys.forget(&bucket).await;
                }
                answer
            };
            let answer = timeout(deadline, one_try).await;
            let late = |_| Err(Miss::Passing(format!("no answer in {} ms", deadline.as_millis())));
            let miss = match answer.unwrap_or_else(late) {
                Ok(done) => return Ok(done),
                Err(miss) => miss,
            };
            if tried >= tries || !miss.may_pass() {
                return Err(miss.into_fault(doing, key, tried));
            }
            tracing::debug!("{doing} {key}: try {tried} of {tries}: {miss}");
            sleep(pause).await;
            pause *= 2;
        }
    }
}

impl fmt::Display for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

async fn len(bucket: &Bucket, path: &str) -> Result<Option<u64>, Miss> {
    match bucket.head_object(path).await {
        Ok((head, _)) => {
            let len = head.content_length.and_then(|len| u64::try_from(len).ok());
            len.map(Some).ok_or_else(|| Miss::Damaged("an answer without a length".to_owned()))
        }
        Err(fault) => match Miss::from(fault) {
            Miss::Absent => Ok(None),
            miss => Err(miss),
        },
    }
}

/// Proves that an object of this length is there now.
async fn stored(bucket: &Bucket, path: &str, wanted: u64) -> Result<(), Miss> {
    match len(bucket, path).await? {
        Some(len) if len == wanted => Ok(()),
        Some(len) => Err(Miss::Damaged(format!("{len} of its {wanted} bytes are stored"))),
        None => Err(Miss::Damaged("it is not there after it was stored".to_owned())),
    }
}
