//! From where a partition can be followed: what the shard holds against what the log still has. A
//! gap is bridged by a snapshot or breaks the partition; another log under the same name breaks it.

use std::time::Duration;

use pumice_model::ids::Offset;
use pumice_shards::Position;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::backoff::Backoff;
use super::decode::decode;
use super::follow::{Ended, Failed, Follower};
use crate::clock;
use crate::mesh::ticket::Unmade;
use crate::mesh::wants::{Question, Want};
use crate::stats::progress::{Following, PartitionProgress};

/// How often a log that ends too early is asked again: a leader that has just been elected may not
/// know its whole log yet.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_secs(1);
/// How often a snapshot is asked for when all ways fail, and the rest between: ten minutes and
/// more, since broken is for good, and who holds it may be on its way up.
const ASKS: u32 = 120;
const ASK: Duration = Duration::from_secs(5);
/// Bytes of the fetch that brings the last applied record.
const LAST_BYTES: i32 = 64 * 1_024;

impl Follower {
    /// Finds the place to follow from, restoring a snapshot where that is the way.
    pub(super) async fn locate(&mut self, progress: &PartitionProgress) -> Result<(), Ended> {
        let (mut start, mut end) = self.range_at_last(progress).await?;
        for _ in 0..LOOKS {
            if self.fed <= end {
                break;
            }
            sleep(LOOK).await;
            (start, end) = self.range_at_last(progress).await?;
        }
        if self.fed > end {
            return Err(Ended::Broken(format!(
                "the log ends at {end}, and entries up to {} were applied: it lost entries, or is \
                 another log under the same name",
                self.fed
            )));
        }
        // One that was followed already is only short of what came since.
        let followed = progress.following() == Following::Live;
        let empty = self.fed == 0 && end > 0 && !followed;
        if start > self.fed || (empty && self.shared.wanting.is_some()) {
            progress.set(Following::Restoring);
            match self.restored(start, end, progress).await? {
                Some(position) => {
                    self.stand(&position);
                    // A restore takes its time: what was heard before it says neither how fresh
                    // this is nor what there is to catch up with. And a holder may have heard more.
                    (start, end) = self.range_at_last(progress).await?;
                    // Of what it had of ours nobody will tell: neither made nor not made is known.
                    let unseen = self.shared.writing.tickets.clear(self.partition);
                    self.shared.writing.tell(unseen, Unmade::Unknown);
                }
                None if start > self.fed => {
                    return Err(Ended::Broken(format!(
                        "the log begins at {start}, entries up to {} were applied, and there is no \
                         snapshot from there on",
                        self.fed
                    )));
                }
                None => {}
            }
            progress.set(Following::Starting);
        }
        self.at = self.fed;
        self.recognise(start, progress).await?;
        let applied = self.shared.positions.next(self.partition).unwrap_or(Offset(0));
        progress.heard(Offset(end), applied, clock::now());
        progress.set(Following::Live);
        Ok(())
    }

    fn stand(&mut self, position: &Position) {
        (self.at, self.fed, self.last) = (position.next.0, position.next.0, position.last);
    }

    /// The log's range, however long it takes to hear it.
    async fn range_at_last(&mut self, progress: &PartitionProgress) -> Result<(u64, u64), Ended> {
        let mut backoff = Backoff::default();
        loop {
            if progress.following() == Following::Broken {
                return Err(Ended::Over);
            }
            let range = {
                let shared = self.shared.clone();
                let _turn = shared.beginning.acquire().await;
                self.range().await
            };
            match range {
                Ok(range) => return Ok(range),
                Err(Failed::Ended(ended)) => return Err(ended),
                Err(Failed::Fault(fault)) => self.tell(&fault),
            }
            sleep(backoff.rest()).await;
        }
    }

    /// Where the partition stands after a snapshot was restored; `None` when none fits.
    async fn restored(
        &mut self,
        start: u64,
        end: u64,
        progress: &PartitionProgress,
    ) -> Result<Option<Position>, Ended> {
        let Some(wanting) = self.shared.wanting.clone() else { return Ok(None) };
        let mut because = String::new();
        for _ in 0..ASKS {
            let (reply, mut replied) = oneshot::channel();
            let (proofs, mut questions) = mpsc::channel(1);
            let (covers, at_most) = (Offset(start), Offset(end));
            let want = Want { partition: self.partition, covers, at_most, proofs, reply };
            if wanting.send(want).await.is_err() {
                return Err(Ended::Over);
            }
            let restored = loop {
                tokio::select! {
                    restored = &mut replied => break restored,
                    Some(question) = questions.recv() => {
                        self.prove(start, end, question, progress).await;
                    }
                }
            };
            match restored {
                Ok(Ok(position)) => return Ok(position),
                Ok(Err(fault)) => because = fault,
                Err(_) => return Err(Ended::Over),
            }
            // The log alone will do, if it is still whole.
            if start <= self.fed {
                tracing::warn!(
                    "partition {}: no snapshot could be restored: {because}; replaying the log",
                    self.partition
                );
                return Ok(None);
            }
            sleep(ASK).await;
        }
        Err(Ended::Broken(format!(
            "the log begins at {start}, entries up to {} were applied, and no snapshot could be \
             restored: {because}",
            self.fed
        )))
    }

    /// Answers whether a snapshot is of this log. Where the log does not reach back so far, or does
    /// not answer, it may be: it is looked at once more after it is restored. Where the log has not
    /// come so far it is not, though it may have come further than was heard.
    async fn prove(
        &mut self,
        start: u64,
        end: u64,
        question: Question,
        progress: &PartitionProgress,
    ) {
        let Question { at, hash, reply } = question;
        let has_come =
            at.0 < end || self.range_at_last(progress).await.is_ok_and(|(_, end)| at.0 < end);
        let known = match self.record_hash(at.0).await {
            Ok(known) if at.0 >= start && hash != 0 => known,
            _ => None,
        };
        let _ = reply.send(has_come && known.is_none_or(|known| known == hash));
    }

    /// Compares the last applied record with the one that the log has in its place, if it still has
    /// one.
    async fn recognise(&mut self, start: u64, progress: &PartitionProgress) -> Result<(), Ended> {
        let Some(at) = self.fed.checked_sub(1).filter(|at| *at >= start && self.last != 0) else {
            return Ok(());
        };
        let mut backoff = Backoff::default();
        while progress.following() != Following::Broken {
            let fault = match self.record_hash(at).await {
                Ok(None) => return Ok(()),
                Ok(Some(hash)) if hash == self.last => return Ok(()),
                Ok(Some(_)) => {
                    return Err(Ended::Broken(format!(
                        "the record at offset {at} is not the one that was applied here: another \
                         log under the same name"
                    )));
                }
                // Its beginning has gone meanwhile: what follows is fetched, or found missing then.
                Err(Failed::Ended(Ended::Lost)) => return Ok(()),
                Err(Failed::Ended(ended)) => return Err(ended),
                Err(Failed::Fault(fault)) => fault,
            };
            self.tell(&fault);
            sleep(backoff.rest()).await;
        }
        Err(Ended::Over)
    }

    async fn record_hash(&mut self, at: u64) -> Result<Option<u64>, Failed> {
        let fetched = self.fetch(at, LAST_BYTES).await?;
        let decoded = decode(self.partition, at, fetched.records, fetched.aborted)?;
        let first = decoded.logged.first().filter(|entry| entry.offset.0 == at);
        Ok(first.map(|entry| entry.hash).filter(|hash| *hash != 0))
    }
}
