//! How the cluster's thread tells the log's which partitions to follow. Bounded; the cluster's
//! thread waits while the log's is behind, and sees in [`crate::stats::progress`] what came of it.

use pumice_model::ids::Partition;
use tokio::sync::mpsc;

/// Changes that wait, at most.
const WAITING: usize = 64;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Follow it from where the shard stands, restoring it first where that is the way.
    Follow(Partition),
    /// Follow it no more, and drop its rows in bounded pieces.
    Release(Partition),
}

/// The telling end.
pub type Holds = mpsc::Sender<Hold>;
/// The end that follows.
pub type Held = mpsc::Receiver<Hold>;

/// A way for changes.
pub fn holds() -> (Holds, Held) {
    mpsc::channel(WAITING)
}
