//! What can go wrong that is no part of the log: the machine's faults, in the two kinds that a
//! shard can answer. Never holds an outcome, and nothing here is ever retried.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use heed::MdbError;

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No room: the disk, a quota or the map is full. Reads go on; writing heals by itself when
    /// there is room.
    #[error("no room for a write: {0}; free space on the disk of the data directory")]
    Full(String),
    /// The stored state cannot be trusted any further: the disk failed, or bytes are damaged.
    #[error("the shard is broken: {0}; restore it")]
    Broken(String),
}

impl Fault {
    /// A fault of stored bytes or of the caller, in words.
    pub(crate) fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }

    /// What a failed write means. LMDB calls a short write EIO, though all it says is that the
    /// disk is full; so after an EIO a mebibyte is tried. Taking a failed sync for a full disk
    /// would do no harm: a transaction writes all its pages anew, and nothing that was
    /// committed waits for a later sync.
    pub(crate) fn of_write(error: heed::Error, dir: &Path) -> Self {
        let short = matches!(&error, heed::Error::Io(e) if e.raw_os_error() == Some(libc::EIO));
        if short && !has_room(dir) {
            return Self::Full(format!("{error} on a full disk"));
        }
        Self::from(error)
    }
}

impl From<heed::Error> for Fault {
    fn from(error: heed::Error) -> Self {
        let full = match &error {
            heed::Error::Mdb(error) => *error == MdbError::MapFull,
            heed::Error::Io(error) => is_full(error),
            _ => false,
        };
        if full { Self::Full(error.to_string()) } else { Self::Broken(error.to_string()) }
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn has_room(dir: &Path) -> bool {
    let path = dir.join("room.probe");
    let tried = File::create(&path).and_then(|mut file| file.write_all(&[1; 1024 * 1024]));
    // Best effort: a probe that stays behind is overwritten by the next one.
    let _ = std::fs::remove_file(&path);
    !tried.is_err_and(|error| is_full(&error))
}
