//! The loop that owns a shard: takes entries in log order, applies them in one commit and sends
//! every outcome home. A named thread for each shard, never a serving core's; nothing else may
//! write to the shard.

mod embedded;
mod fed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{io, thread};

use pumice_model::entry::Logged;
use pumice_model::ids::{Offset, ShardId};
use pumice_model::outcome::Verdict;
use pumice_shards::{Fault, Writer};

use crate::mesh::feed::Feed;
use crate::mesh::home::Home;
use crate::mesh::inbox::Outlet;
use crate::mesh::positions::Positions;
use crate::mesh::ticket::{Answer, Ticket, Told, Unmade};
use crate::rt;
use crate::stats::progress::Progress;
use crate::stats::shard::ShardStats;

/// Where entries come from.
pub enum Source {
    /// The cores: the owner itself gives them their places.
    Cores(Outlet),
    /// A log that has placed them already.
    Log(Feed, Arc<Progress>),
}

/// What one owner works with.
pub struct Owner {
    /// The shard.
    pub shard: ShardId,
    /// How many shards the node has.
    pub shards: u16,
    /// Its only writer.
    pub writer: Writer,
    /// Where outcomes go.
    pub home: Home,
    /// Where progress is published.
    pub positions: Positions,
    /// What is counted.
    pub stats: Arc<ShardStats>,
    /// Set when nobody waits for outcomes any more: what is not applied by then need not be.
    pub abandoned: Arc<AtomicBool>,
}

/// The thread of an owner; it gives the writer back.
pub type Joining = thread::JoinHandle<Writer>;

impl Owner {
    /// Runs the loop on a thread of its own, kept off `serving` CPUs where there are others, until
    /// every sender of its source is gone and all that was sent is judged.
    pub fn spawn(self, source: Source, serving: &[usize]) -> io::Result<Joining> {
        let name = format!("shard-{}", self.shard);
        rt::thread::background(&name, serving, move || match source {
            Source::Cores(outlet) => self.own(&outlet),
            Source::Log(feed, progress) => self.follow(feed, &progress),
        })
    }

    fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// One commit. A fault or a panic is told as what is certain about the batch: after a full
    /// disk that nothing was appended, after anything else nothing is certain.
    fn apply(&mut self, logged: &[Logged], verdicts: &mut Vec<Verdict>) -> Result<(), Unmade> {
        let began = Instant::now();
        verdicts.clear();
        let done = catch_unwind(AssertUnwindSafe(|| self.writer.apply(logged, verdicts)));
        let stats = &self.stats;
        match done {
            Ok(Ok(())) => {
                stats.commit.record_time(began.elapsed());
                stats.batch_entries.record(logged.len() as u64);
                stats.entries.add(logged.len() as u64);
                verdicts.iter().for_each(|verdict| stats.judged(verdict.outcome));
                stats.set_serving();
                for entry in logged {
                    self.positions.reached(entry.partition, Offset(entry.offset.0 + 1));
                }
                Ok(())
            }
            Ok(Err(fault)) => Err(self.faulted(&fault)),
            Err(_) => {
                tracing::error!("apply panicked: the shard takes no more writes, reads go on");
                stats.set_broken("apply panicked".to_owned());
                Err(Unmade::Unknown)
            }
        }
    }

    fn faulted(&self, fault: &Fault) -> Unmade {
        match fault {
            Fault::Full(_) => {
                if self.stats.set_full() {
                    tracing::warn!("{fault}; writes get 503 until there is room, reads go on");
                }
                Unmade::Full
            }
            Fault::Broken(_) => {
                tracing::error!(
                    "{fault}; the shard takes no more writes, reads of its last good \
                     state go on; check the disk, then restart or restore the data directory"
                );
                self.stats.set_broken(fault.to_string());
                Unmade::Unknown
            }
        }
    }

    /// A bounded piece of removing what no generation needs any more. Whether there is more.
    fn sweep(&mut self) -> bool {
        match self.writer.sweep() {
            Ok(more) => more,
            // The next entry finds out by itself; litter alone stops no writes.
            Err(Fault::Full(_)) => false,
            Err(fault) => {
                self.faulted(&fault);
                false
            }
        }
    }
}

fn told(ticket: Ticket, answer: Answer) -> Told {
    Told { ticket, answer }
}
