//! What can be wrong with an object store, told apart by what the reader of it can do. Any thread;
//! a text never holds a secret.

use std::io;
use std::path::PathBuf;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsFault {
    /// The store cannot be used as it is set up. Somebody must change a setting.
    #[error("object store: {0}")]
    Settings(String),
    /// There is no such object.
    #[error("{key}: not in the object store")]
    NotFound {
        /// The object.
        key: String,
    },
    /// The store understood, and refuses. Trying again does not help.
    #[error("{key}: {what}")]
    Denied {
        /// The object, or the prefix of a listing.
        key: String,
        /// What was being done, status, code and remedy.
        what: String,
    },
    /// Every try failed in a way that may pass. Worth another try later.
    #[error("{key}: {what}")]
    Unavailable {
        /// The object, or the prefix of a listing.
        key: String,
        /// What was being done, how often it was tried, how the last try ended.
        what: String,
    },
    /// What came is not what should have come, or what was asked for cannot be.
    #[error("{key}: {what}")]
    Wrong {
        /// The object, or the prefix of a listing.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The local file that was to be stored cannot be read.
    #[error("{path}: {source}", path = .path.display())]
    Local {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ObjectsFault {
    /// True when the same call may succeed later with nobody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    pub(super) fn wrong(key: &str, what: impl Into<String>) -> Self {
        Self::Wrong { key: key.to_owned(), what: what.into() }
    }

    pub(super) fn local(path: &std::path::Path, source: io::Error) -> Self {
        Self::Local { path: path.to_owned(), source }
    }
}
