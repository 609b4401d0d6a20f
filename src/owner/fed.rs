//! The owner's loop where a log has placed the entries: it applies what it is fed, in that order,
//! and never skips any. A full disk is waited out; what was fed meanwhile waits behind it.

use std::thread;
use std::time::Duration;

use pumice_model::ids::Offset;
use pumice_model::outcome::Verdict;
use pumice_shards::Writer;
use tokio::sync::mpsc::error::TryRecvError;

use super::{Owner, told};
use crate::mesh::feed::{Entries, Fed, Feed};
use crate::mesh::inbox::COMMIT_ENTRIES;
use crate::mesh::ticket::{Answer, Unmade};
use crate::stats::progress::{Following, Progress};

/// How long an owner rests before it tries a full disk again.
const REST: Duration = Duration::from_millis(500);

impl Owner {
    /// Applies what the log feeds, until every feeder is gone.
    pub(super) fn follow(mut self, mut feed: Feed, progress: &Progress) -> Writer {
        let mut verdicts = Vec::new();
        let mut litter = true;
        let mut kept = None;
        loop {
            let next = match kept.take() {
                Some(next) => Some(next),
                None if litter => match feed.try_recv() {
                    Ok(next) => Some(next),
                    Err(TryRecvError::Disconnected) => None,
                    Err(TryRecvError::Empty) => {
                        litter = self.sweep();
                        if self.stats.broken_because().is_some() {
                            self.give_up(progress);
                        }
                        continue;
                    }
                },
                None => feed.blocking_recv(),
            };
            match next {
                None => return self.writer,
                Some(Fed::Job(job)) => {
                    (job.run)(&mut self.writer);
                    let next = self.writer.next_offset(job.partition);
                    self.positions.reached(job.partition, next);
                    litter = true;
                }
                Some(Fed::Entries(first)) => {
                    let batch = gather(first, &mut feed, &mut kept);
                    self.take_in(&batch, &mut verdicts, progress);
                }
            }
        }
    }

    /// Applies a batch, however long the disk is full.
    fn take_in(&mut self, batch: &Entries, verdicts: &mut Vec<Verdict>, progress: &Progress) {
        loop {
            if self.abandoned() {
                return;
            }
            if self.stats.broken_because().is_some() {
                // One that began after the shard broke has not been told.
                self.give_up(progress);
                return self.tell_all(batch, Unmade::Unknown);
            }
            match self.apply(&batch.logged, verdicts) {
                Ok(()) => break,
                Err(Unmade::Full) => thread::sleep(REST),
                Err(_) => self.give_up(progress),
            }
        }
        for (at, entry) in batch.logged.iter().enumerate() {
            let last =
                batch.logged.get(at + 1).is_none_or(|next| next.partition != entry.partition);
            if last && let Some(progress) = progress.of(entry.partition) {
                progress.reached(Offset(entry.offset.0 + 1));
            }
        }
        let judged = batch.homes.iter().zip(&*verdicts);
        self.home.send(
            judged.filter_map(|(home, verdict)| {
                home.map(|home| told(home, Answer::Judged(*verdict)))
            }),
        );
    }

    /// The shard broke: none of its partitions can follow any more.
    fn give_up(&self, progress: &Progress) {
        let because = self.stats.broken_because().unwrap_or("it is broken");
        for (partition, progress) in progress.all() {
            let follows = !matches!(progress.following(), Following::Absent | Following::Broken);
            if follows && partition.shard(self.shards) == self.shard {
                progress.set_broken(format!("shard {}: {because}", self.shard));
            }
        }
    }

    fn tell_all(&self, batch: &Entries, unmade: Unmade) {
        let homes = batch.homes.iter().flatten();
        self.home.send(homes.map(|home| told(*home, Answer::Unmade(unmade))));
    }
}

/// What waits, up to the size of a commit; work that is met on the way is kept for afterwards.
fn gather(mut batch: Entries, feed: &mut Feed, kept: &mut Option<Fed>) -> Entries {
    while batch.logged.len() < COMMIT_ENTRIES {
        match feed.try_recv() {
            Ok(Fed::Entries(more)) => {
                batch.logged.extend(more.logged);
                batch.homes.extend(more.homes);
            }
            Ok(job) => {
                *kept = Some(job);
                break;
            }
            Err(_) => break,
        }
    }
    batch
}
