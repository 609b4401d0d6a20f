//! Where snapshots live: a bucket, a directory, or either of them behaving badly on purpose. Runs
//! on the tokio runtime of the objects side thread, never on a core; it must never hand out bytes
//! of another length than asked for, nor call something stored that may not be.

mod directory;
mod fault;
mod faulty;
mod key;
mod patience;
mod s3;

use std::fmt;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

pub use directory::Directory;
pub use fault::ObjectsFault;
pub use faulty::{Fault, Faulty, Operation};
pub use patience::Patience;
pub use s3::S3;

use crate::settings::ObjectsSettings;

/// What is held in memory of a file on its way: an upload has two parts in flight, of which the
/// HTTP client keeps a copy each. S3 wants at least 5 MiB.
const PART_BYTES: u64 = 8 << 20;
/// S3 takes no more, so that an object has at most 78 GiB.
const PARTS_MAX: u64 = 10_000;
/// Twice what a snapshot's largest frame takes: a range comes out of a manifest, and a manifest may
/// be damaged.
const RANGE_BYTES_MAX: u64 = 16 << 20;
/// A listing is held in memory whole, about 200 bytes a key.
const LISTED_MAX: usize = 1_000_000;

/// A store of objects. Every method is bounded in time and memory and tries again where that may
/// help; a fault is the last word.
#[derive(Debug)]
pub enum Objects {
    /// A bucket.
    S3(S3),
    /// A directory.
    Directory(Directory),
    /// Another store, with faults on purpose; only tests make one.
    Faulty(Box<Faulty>),
}

/// What a listing says of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its key, as the other methods take it.
    pub key: String,
    /// Bytes.
    pub len: u64,
    /// When it was last written, by the store's own clock, in milliseconds since the epoch.
    pub modified_ms: i64,
}

/// Calls the same method of whichever store there is.
macro_rules! forward {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self {
            Self::S3(store) => store.$method($($argument),*).await,
            Self::Directory(store) => store.$method($($argument),*).await,
            Self::Faulty(store) => Box::pin(store.$method($($argument),*)).await,
        }
    };
}

impl Objects {
    /// Opens a store without touching the network: what S3 answers, the first call tells.
    ///
    /// # Errors
    ///
    /// `Settings`, with what is wrong and what would do.
    pub fn open(settings: &ObjectsSettings) -> Result<Self, ObjectsFault> {
        Self::open_with(settings, Patience::default())
    }

    /// [`Objects::open`] with other limits than usual on tries and their time.
    ///
    /// # Errors
    ///
    /// `Settings`, as above.
    pub fn open_with(settings: &ObjectsSettings, patience: Patience) -> Result<Self, ObjectsFault> {
        Ok(match settings {
            ObjectsSettings::Directory(root) => Self::Directory(Directory::open(root)?),
            ObjectsSettings::S3(settings) => Self::S3(S3::open(settings, patience)?),
        })
    }

    /// Stores a small object, in place of one that is there. A put that ends in a fault may or may
    /// not have stored it, but never a part of it.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectsFault> {
        key::check(key)?;
        forward!(self, put(key, bytes))
    }

    /// Stores what the file at `path` holds, part by part, at most two parts in memory; `sent` is
    /// told how many further bytes are there each time that some are. The file must not change
    /// meanwhile and is given away: it may be gone afterwards. Faults as with [`Objects::put`].
    pub async fn put_file(
        &self,
        key: &str,
        path: &Path,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ObjectsFault> {
        key::check(key)?;
        forward!(self, put_file(key, path, sent))
    }

    /// The whole object; `None` when it is not there.
    ///
    /// # Errors
    ///
    /// `Wrong` when it has more than `max` bytes, before any of them is read.
    pub async fn get(&self, key: &str, max: usize) -> Result<Option<Bytes>, ObjectsFault> {
        key::check(key)?;
        if let Self::Faulty(store) = self {
            return Box::pin(store.get(key, max)).await;
        }
        // By way of the length, so that nothing larger is read and nothing shorter taken for whole.
        match self.len(key).await? {
            None => Ok(None),
            Some(0) => Ok(Some(Bytes::new())),
            Some(len) if len > max as u64 => {
                Err(ObjectsFault::wrong(key, format!("has {len} bytes, at most {max} expected")))
            }
            Some(len) => match forward!(self, get_range(key, 0..len)) {
                Err(ObjectsFault::NotFound { .. }) => Ok(None),
                bytes => bytes.map(Some),
            },
        }
    }

    /// Exactly the bytes of `range`, at most 16 MiB.
    ///
    /// # Errors
    ///
    /// `Wrong` when the object has no such range, `NotFound` when there is no object.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, ObjectsFault> {
        key::check(key)?;
        let len = range.end.saturating_sub(range.start);
        if len > RANGE_BYTES_MAX {
            let what = format!("a range of {len} bytes was asked for, {RANGE_BYTES_MAX} at most");
            return Err(ObjectsFault::wrong(key, what));
        }
        if len == 0 {
            return Ok(Bytes::new());
        }
        forward!(self, get_range(key, range))
    }

    /// Bytes of the object; `None` when it is not there.
    pub async fn len(&self, key: &str) -> Result<Option<u64>, ObjectsFault> {
        key::check(key)?;
        forward!(self, len(key))
    }

    /// Every object whose key begins with `prefix`, any text, in the order of keys.
    ///
    /// # Errors
    ///
    /// `Wrong` when there are more than 1,000,000.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Object>, ObjectsFault> {
        let mut listed = forward!(self, list(prefix))?;
        listed.sort();
        Ok(listed)
    }

    /// Deletes an object; one that is not there is deleted.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectsFault> {
        key::check(key)?;
        forward!(self, delete(key))
    }
}

/// The place, as a person would write it.
impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3(store) => store.fmt(f),
            Self::Directory(store) => store.fmt(f),
            Self::Faulty(store) => store.fmt(f),
        }
    }
}

/// Runs what blocks on the disk where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> std::io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
}
