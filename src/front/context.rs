//! What one core answers requests with: a reader on every shard, an inbox into every owner, its
//! own tickets and counts. Made once a core, shared by its requests, never crosses to another.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;
use pumice_shards::{Fault, Reader, View};

use super::elsewhere::Elsewhere;
use super::looks::Looks;
use super::problem::Problem;
use crate::clock;
use crate::mesh::handover::Asking;
use crate::mesh::inbox::Inbox;
use crate::mesh::positions::Positions;
use crate::mesh::routes::Routes;
use crate::mesh::ticket::Tickets;
use crate::net::body::Intake;
use crate::settings::ClusterSettings;
use crate::stats::core::CoreStats;
use crate::stats::progress::{Following, Lag, PartitionProgress, Progress};

/// What one core answers requests with.
pub struct Context {
    /// What all nodes agree on.
    pub cluster: ClusterSettings,
    /// A reader on every shard of the node, by shard number.
    pub readers: Vec<Reader>,
    /// The inbox of every shard, by shard number.
    pub inboxes: Vec<Inbox>,
    /// Where outcomes come home to.
    pub tickets: Tickets,
    /// How far every partition is applied.
    pub positions: Positions,
    /// How every partition stands to the log; `None` where the data directory is the log.
    pub progress: Option<Arc<Progress>>,
    /// What this core counts.
    pub stats: Arc<CoreStats>,
    /// One line a request.
    pub access_log: bool,
    /// What unfinished request bodies hold.
    pub intake: Intake,
    /// Whether the node has begun to end.
    pub draining: Rc<Cell<bool>>,
    /// Where partitions are to be had; `None` for a node that is alone and has them all.
    pub routes: Rc<RefCell<Option<Arc<Routes>>>>,
    /// The other nodes.
    pub elsewhere: Elsewhere,
    /// What reads for other nodes are answered with.
    pub looks: RefCell<Looks>,
    /// Lists of all partitions that are being made.
    pub listing: Cell<usize>,
    /// Gives whole partitions to them; `None` for a node that is alone.
    pub handover: Option<Asking>,
}

impl Context {
    /// Whether the node serves: from its first request on, or once it has caught up with its log,
    /// until it drains; broken shards included, since those still answer reads.
    pub fn ready(&self) -> bool {
        let next = |partition| self.positions.next(partition).unwrap_or(Offset(0));
        !self.draining.get() && self.progress.as_ref().is_none_or(|log| log.started(next))
    }

    /// Whether what is written into `partition` can be applied here.
    pub fn can_follow(&self, partition: Partition) -> Result<(), Problem> {
        let progress = self.progress.as_ref().and_then(|progress| progress.of(partition));
        match progress.map(PartitionProgress::following) {
            Some(Following::Broken) => Err(Problem::cannot_follow(partition)),
            _ => Ok(()),
        }
    }

    /// How far `partition` is behind the log.
    pub fn lag(&self, partition: Partition) -> Lag {
        let progress = self.progress.as_ref().and_then(|progress| progress.of(partition));
        let (Some(progress), Some(next)) = (progress, self.positions.next(partition)) else {
            return Lag::None;
        };
        progress.lag(next, clock::now())
    }

    /// Where partitions are to be had; `None` for a node that is alone.
    pub fn routes(&self) -> Option<Arc<Routes>> {
        self.routes.borrow().clone()
    }

    /// Whether there is no other node.
    pub fn is_alone(&self) -> bool {
        self.routes.borrow().is_none()
    }

    /// This node's name, where it is not alone.
    pub fn node(&self) -> Option<HeaderValue> {
        let routes = self.routes.borrow();
        let me = routes.as_ref().and_then(|routes| routes.nodes.get(routes.me))?;
        HeaderValue::from_str(&me.id).ok()
    }

    /// How far `partition` is applied.
    pub fn next(&self, partition: Partition) -> Offset {
        self.positions.next(partition).unwrap_or(Offset(0))
    }

    /// Whether reads of `partition` are answered from what this node has.
    pub fn answers(&self, partition: Partition) -> bool {
        self.is_alone()
            || self
                .progress
                .as_ref()
                .and_then(|progress| progress.of(partition))
                .is_none_or(|progress| progress.holding().answers())
    }

    /// The partition of a pk.
    pub fn partition(&self, pk: &str) -> Partition {
        self.cluster.hash.partition(pk.as_bytes(), self.cluster.partitions)
    }

    /// The reader of the shard that holds `partition`.
    pub fn reader(&self, partition: Partition) -> &Reader {
        &self.readers[self.shard(partition)]
    }

    /// The number of the shard that holds `partition`.
    pub fn shard(&self, partition: Partition) -> usize {
        usize::from(partition.shard(self.readers.len() as u16).0)
    }

    /// Reads `partition`'s shard in one transaction, on this thread; `look` is told the time.
    pub fn read<R>(
        &self,
        partition: Partition,
        look: impl FnOnce(&View<'_>, Millis) -> Result<R, Fault>,
    ) -> Result<R, Problem> {
        self.has_state(partition)?;
        let result = self.read_shard(self.shard(partition), look)??;
        // What was let go of meanwhile looks as if nothing had ever been there.
        self.has_state(partition)?;
        Ok(result)
    }

    /// The same for a shard by its number, whatever is known of its partitions.
    pub fn read_shard<R>(
        &self,
        shard: usize,
        look: impl FnOnce(&View<'_>, Millis) -> R,
    ) -> Result<R, Problem> {
        let now = clock::now();
        self.stats.reading_since.set(now.unsigned_abs());
        let result = self.readers[shard].read(|view| look(view, now));
        self.stats.reading_since.set(0);
        Ok(result?)
    }

    /// Whether anything is known of `partition`.
    pub fn has_state(&self, partition: Partition) -> Result<(), Problem> {
        match self.progress.as_ref().and_then(|all| all.of(partition)) {
            Some(progress) if !progress.holding().has_state() => Err(Problem::moved(partition)),
            Some(progress)
                if !progress.has_state(self.positions.next(partition).unwrap_or(Offset(0))) =>
            {
                Err(Problem::no_state(partition))
            }
            _ => Ok(()),
        }
    }
}
