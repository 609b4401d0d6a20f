//! How the log asks for a snapshot: a partition that is empty, or behind what the log still has,
//! wants one restored before it follows. From the log's thread to the thread of the objects.

use pumice_model::ids::{Offset, Partition};
use pumice_shards::Position;
use tokio::sync::{mpsc, oneshot};

/// Partitions that may want at a time, waiting for their turn.
const WAITING: usize = 64;

/// One partition's wish.
#[derive(Debug)]
pub struct Want {
    /// Whose rows.
    pub partition: Partition,
    /// The snapshot's next offset must be at least this: the first that the log still has.
    pub covers: Offset,
    /// And at most this: the log's end. A snapshot from beyond is of another log, unless the log
    /// says that it has come so far meanwhile.
    pub at_most: Offset,
    /// Asks whether a snapshot is of this log, before anything of it is made live.
    pub proofs: Proving,
    /// Where the partition stands afterwards; `None` when no good snapshot fits.
    pub reply: oneshot::Sender<Result<Option<Position>, String>>,
}

/// Whether the log has a record with this hash at an offset, or nothing there any more.
#[derive(Debug)]
pub struct Question {
    /// Where a snapshot's last entry stood.
    pub at: Offset,
    /// The hash of its record; 0 asks only whether the log has come so far.
    pub hash: u64,
    /// The answer; dropped when the node stops.
    pub reply: oneshot::Sender<bool>,
}

/// The way of questions, back to who wants.
pub type Proving = mpsc::Sender<Question>;

/// The asking end.
pub type Wanting = mpsc::Sender<Want>;
/// The end that restores.
pub type Wanted = mpsc::Receiver<Want>;

/// A way for wants.
pub fn wants() -> (Wanting, Wanted) {
    mpsc::channel(WAITING)
}
