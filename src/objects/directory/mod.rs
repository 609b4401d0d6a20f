//! Objects as files below a root, of this machine or mounted from another. Objects side thread,
//! with the disk's waiting on its blocking pool; an object must never be seen half written.

mod aside;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::{LISTED_MAX, Object, ObjectsFault, PART_BYTES, blocking, key};
use aside::{Aside, tidy_above};

/// A directory as a store.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
}

impl Directory {
    pub(super) fn open(root: &Path) -> Result<Self, ObjectsFault> {
        let fault = |source| {
            let root = root.display();
            ObjectsFault::Settings(format!("{root}: {source}: name a directory that can be made"))
        };
        fs::create_dir_all(root).map_err(fault)?;
        Ok(Self { root: root.into() })
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectsFault> {
        let target = self.root.join(key);
        let write = move || {
            let mut aside = Aside::beside(&target)?;
            aside.file.write_all(&bytes)?;
            aside.place(&target)
        };
        blocking(write).await.map_err(|source| fault("put", key, source))
    }

    pub(super) async fn put_file(
        &self,
        key: &str,
        path: &Path,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ObjectsFault> {
        let local = |source| ObjectsFault::local(path, source);
        let failed = |source| fault("put", key, source);
        let target = self.root.join(key);
        let from = path.to_owned();
        let open = move || File::open(from).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (wanted, source) = blocking(open).await.map_err(local)?;
        let (from, beside) = (path.to_owned(), target.clone());
        let begin = move || {
            let mut aside = Aside::beside(&beside)?;
            let moved = aside.take(&from)?;
            Ok((aside, moved))
        };
        let (mut aside, moved) = blocking(begin).await.map_err(failed)?;
        let mut stored = 0;
        if moved {
            stored = wanted;
            sent(wanted);
        }
        let source = Arc::new(source);
        while stored < wanted {
            let from = Arc::clone(&source);
            let step = move || {
                let bytes = io::copy(&mut from.take(PART_BYTES), &mut aside.file)?;
                Ok((aside, bytes))
            };
            let bytes;
            (aside, bytes) = blocking(step).await.map_err(failed)?;
            if bytes == 0 {
                return Err(local(ErrorKind::UnexpectedEof.into()));
            }
            stored += bytes;
            sent(bytes);
        }
        blocking(move || aside.place(&target)).await.map_err(failed)
    }

    pub(super) async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, ObjectsFault> {
        let path = self.root.join(key);
        let Range { start, end } = range.clone();
        let read = move || {
            let mut bytes = vec![0; (end - start) as usize];
            File::open(path)?.read_exact_at(&mut bytes, start)?;
            Ok(Bytes::from(bytes))
        };
        blocking(read).await.map_err(|source| match source.kind() {
            ErrorKind::UnexpectedEof => {
                ObjectsFault::wrong(key, format!("ends before byte {end}: it is truncated"))
            }
            _ => fault("get", key, source),
        })
    }

    pub(super) async fn len(&self, key: &str) -> Result<Option<u64>, ObjectsFault> {
        let path = self.root.join(key);
        match blocking(move || fs::metadata(path)).await {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(absent) if is_absent(&absent) => Ok(None),
            Err(source) => Err(fault("look for", key, source)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Object>, ObjectsFault> {
        let (root, wanted) = (Arc::clone(&self.root), prefix.to_owned());
        let listed = blocking(move || walk(&root, &wanted)).await;
        let listed = listed.map_err(|source| fault("list", prefix, source))?;
        if listed.len() > LISTED_MAX {
            let what = format!("more than {LISTED_MAX} objects: prune, or use another directory");
            return Err(ObjectsFault::wrong(prefix, what));
        }
        Ok(listed)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), ObjectsFault> {
        let (path, root) = (self.root.join(key), Arc::clone(&self.root));
        let remove = move || {
            fs::remove_file(&path)?;
            tidy_above(&path, &root)
        };
        match blocking(remove).await {
            Err(absent) if is_absent(&absent) => Ok(()),
            done => done.map_err(|source| fault("delete", key, source)),
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dir:{}", self.root.display())
    }
}

/// One more than allowed at most, so that the caller sees that there are too many.
fn walk(root: &Path, prefix: &str) -> io::Result<Vec<Object>> {
    let mut listed = Vec::new();
    let first = match prefix.rsplit_once('/') {
        Some((directory, _)) if key::check(directory).is_err() => return Ok(listed),
        Some((directory, _)) => root.join(directory),
        None => root.to_owned(),
    };
    let mut directories = vec![first];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(&directory) {
            Err(gone) if is_absent(&gone) => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            let below = path.strip_prefix(root).unwrap_or(&path).to_str();
            let Some(below) = below.filter(|below| key::check(below).is_ok()) else {
                continue;
            };
            let metadata = match fs::metadata(&path) {
                Err(gone) if is_absent(&gone) => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                directories.push(path);
            } else if below.starts_with(prefix) {
                let since = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let modified_ms = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
                listed.push(Object { key: below.to_owned(), len: metadata.len(), modified_ms });
            }
            if listed.len() > LISTED_MAX {
                return Ok(listed);
            }
        }
    }
    Ok(listed)
}

fn is_absent(fault: &io::Error) -> bool {
    matches!(fault.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn fault(doing: &str, key: &str, source: io::Error) -> ObjectsFault {
    let key = key.to_owned();
    let told = |remedy| format!("could not {doing} it: {source}: {remedy}");
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory if doing == "get" => {
            ObjectsFault::NotFound { key }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            ObjectsFault::Denied { key, what: told("let this process write to the directory") }
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ObjectsFault::Unavailable { key, what: told("make room") }
        }
        _ => ObjectsFault::Unavailable { key, what: told("see to the disk, then try again") },
    }
}
