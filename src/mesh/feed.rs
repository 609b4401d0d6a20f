//! What reaches the owner of a shard when the order comes from elsewhere: entries that the log has
//! placed, and work on the shard itself such as a restore. Senders are tasks of the side threads
//! and wait while the owner is behind; the owner's thread takes.

use pumice_model::entry::Logged;
use pumice_model::ids::Partition;
use pumice_shards::Writer;
use tokio::sync::mpsc;

use super::ticket::Ticket;

/// Messages that wait for one owner, at most. Each is what one fetch brought, so that the bytes
/// are bounded by the fetch's own limit.
const MESSAGES: usize = 8;

/// One message for an owner.
pub enum Fed {
    /// Entries of one partition in log order.
    Entries(Entries),
    /// Work on the shard, between two commits.
    Job(Job),
}

/// What one fetch brought.
#[derive(Default)]
pub struct Entries {
    /// The entries, of one partition, offsets rising.
    pub logged: Vec<Logged>,
    /// Where each entry's outcome goes; `None` for those of other processes.
    pub homes: Vec<Option<Ticket>>,
}

/// Work on a shard that is no entry. The owner publishes the partition's position afterwards.
pub struct Job {
    /// Whose position may have changed.
    pub partition: Partition,
    /// Runs on the owner's thread; must be short, since entries wait meanwhile.
    pub run: Box<dyn FnOnce(&mut Writer) + Send>,
}

/// The putting end.
pub type Feeder = mpsc::Sender<Fed>;
/// The taking end, on the owner's thread.
pub type Feed = mpsc::Receiver<Fed>;

/// A way into one owner.
pub fn feed() -> (Feeder, Feed) {
    mpsc::channel(MESSAGES)
}
