//! The loop that owns a shard: takes what its inbox holds, lets the log place it, applies it in
//! one commit and sends every outcome home. A named thread for each shard, never a serving core's;
//! nothing else may write to the shard.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{io, thread};

use pumice_model::entry::Logged;
use pumice_model::ids::{Offset, ShardId};
use pumice_model::outcome::Verdict;
use pumice_shards::{Fault, Writer};

use crate::clock;
use crate::log::embedded;
use crate::mesh::home::Home;
use crate::mesh::inbox::Outlet;
use crate::mesh::positions::Positions;
use crate::mesh::ticket::{Answer, Ticket, Told, Unmade};
use crate::rt;
use crate::stats::shard::ShardStats;

/// What one owner works with.
pub struct Owner {
    /// The shard.
    pub shard: ShardId,
    /// Its only writer.
    pub writer: Writer,
    /// Where entries come from.
    pub outlet: Outlet,
    /// Where outcomes go.
    pub home: Home,
    /// Where progress is published.
    pub positions: Positions,
    /// What is counted.
    pub stats: Arc<ShardStats>,
    /// Set when nobody waits for outcomes any more: what is not applied by then never is.
    pub abandoned: Arc<AtomicBool>,
}

impl Owner {
    /// Runs the loop on a thread of its own, kept off `serving` CPUs where there are others, until
    /// every inbox is gone and all that was submitted is judged.
    pub fn spawn(self, serving: &[usize]) -> io::Result<thread::JoinHandle<()>> {
        rt::thread::background(&format!("shard-{}", self.shard), serving, move || self.run())
    }

    fn run(mut self) {
        let (mut logged, mut homes, mut verdicts) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(batch) = self.outlet.gather() {
            let (works, waiting) = batch.take(&self.outlet);
            if self.abandoned.load(Ordering::Acquire) {
                continue;
            }
            if self.stats.broken_because().is_some() {
                let homes: Vec<Ticket> = works.iter().map(|work| work.home).collect();
                drop(waiting);
                self.home.send(homes.into_iter().map(|home| told(home, Err(Unmade::Broken))));
                continue;
            }
            embedded::stamp(&self.writer, works, clock::now(), &mut logged, &mut homes);
            let fault = apply(&mut self.writer, &logged, &mut verdicts, &self.stats);
            drop(waiting);
            match fault {
                None => self.publish(&logged, &homes, &verdicts),
                Some(unmade) => {
                    self.home.send(homes.iter().map(|home| told(*home, Err(unmade))));
                }
            }
        }
    }

    fn publish(&self, logged: &[Logged], homes: &[Ticket], verdicts: &[Verdict]) {
        for entry in logged {
            self.positions.reached(entry.partition, Offset(entry.offset.0 + 1));
        }
        self.home.send(homes.iter().zip(verdicts).map(|(home, verdict)| told(*home, Ok(*verdict))));
    }
}

fn told(ticket: Ticket, answer: Answer) -> Told {
    Told { ticket, answer }
}

/// One commit. A fault or a panic is told as what is certain about the batch: after a full disk
/// that nothing was appended, after anything else nothing is certain.
fn apply(
    writer: &mut Writer,
    logged: &[Logged],
    verdicts: &mut Vec<Verdict>,
    stats: &ShardStats,
) -> Option<Unmade> {
    let began = Instant::now();
    verdicts.clear();
    let done = catch_unwind(AssertUnwindSafe(|| writer.apply(logged, verdicts)));
    match done {
        Ok(Ok(())) => {
            stats.commit.record_time(began.elapsed());
            stats.batch_entries.record(logged.len() as u64);
            stats.entries.add(logged.len() as u64);
            verdicts.iter().for_each(|verdict| stats.judged(verdict.outcome));
            stats.set_serving();
            None
        }
        Ok(Err(fault @ Fault::Full(_))) => {
            if stats.set_full() {
                tracing::warn!("{fault}; writes get 503 until there is room, reads go on");
            }
            Some(Unmade::Full)
        }
        Ok(Err(fault @ Fault::Broken(_))) => {
            tracing::error!(
                "{fault}; the shard takes no more writes, reads of its last good \
                 state go on; check the disk, then restart or restore the data directory"
            );
            stats.set_broken(fault.to_string());
            Some(Unmade::Unknown)
        }
        Err(_) => {
            tracing::error!("apply panicked: the shard takes no more writes, reads go on");
            stats.set_broken("apply panicked".to_owned());
            Some(Unmade::Unknown)
        }
    }
}
