//! One partition's restore, as jobs for the owner of its shard. On the objects' side thread; each
//! job is one frame, so that entries of other partitions never wait long.

use std::time::Duration;

use pumice_model::ids::Partition;
use pumice_shards::{Fault, Position, StageFault, Writer};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::frames::rows;
use crate::mesh::feed::{Fed, Feeder, Job};
use crate::mesh::wants::Proving;

/// How often a full disk is tried again, and how long lies between: five minutes in all.
const TRIES: usize = 60;
const REST: Duration = Duration::from_secs(5);

/// Why a job did nothing.
#[derive(Debug, thiserror::Error)]
pub enum JobFault {
    /// What was given cannot be restored, or the machine could not.
    #[error(transparent)]
    Stage(#[from] StageFault),
    /// The owner has ended.
    #[error("the shard's owner has ended")]
    Ended,
    /// Who wanted it has gone.
    #[error("nobody wants it any more")]
    Unwanted,
}

/// The way to the owner of one partition.
pub struct Stage<'a> {
    /// To the owner.
    pub feeder: &'a Feeder,
    /// Whose rows.
    pub partition: Partition,
    /// Closed once nobody wants them any more: from then on no job does anything, one that waits
    /// for its turn included. The partition may be released by then, or restored anew.
    pub wanted: Option<&'a Proving>,
}

impl Stage<'_> {
    /// Begins, once what an earlier try has left is cleared away.
    pub async fn begin(&self) -> Result<(), JobFault> {
        let partition = self.partition;
        while !self.tried(move |writer| Ok(writer.stage_begin(partition)?)).await? {}
        Ok(())
    }

    /// Stages the rows of one unpacked frame.
    pub async fn frame(&self, plain: Vec<u8>) -> Result<(), JobFault> {
        let partition = self.partition;
        let plain: std::sync::Arc<[u8]> = plain.into();
        self.tried(move |writer| writer.stage(partition, rows(&plain).flatten())).await
    }

    /// Makes what was staged live.
    pub async fn install(&self, position: Position) -> Result<(), JobFault> {
        let partition = self.partition;
        self.tried(move |writer| writer.install(partition, &position)).await
    }

    /// Gives up what was staged.
    pub async fn abort(&self) {
        let partition = self.partition;
        // An owner that has ended holds nothing.
        let _ = self.job(move |writer| writer.stage_abort(partition)).await;
    }

    /// Runs a job, and again while there is no room.
    async fn tried<R: Send + 'static>(
        &self,
        run: impl Fn(&mut Writer) -> Result<R, StageFault> + Clone + Send + 'static,
    ) -> Result<R, JobFault> {
        for _ in 1..TRIES {
            match self.job(run.clone()).await? {
                Err(StageFault::Shard(Fault::Full(why))) => {
                    tracing::warn!("a restore of partition {} waits: {why}", self.partition);
                    sleep(REST).await;
                }
                done => return Ok(done?),
            }
        }
        Ok(self.job(run).await??)
    }

    async fn job<R: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Writer) -> R + Send + 'static,
    ) -> Result<R, JobFault> {
        let (reply, done) = oneshot::channel();
        let wanted = self.wanted.cloned();
        let run = Box::new(move |writer: &mut Writer| {
            let unwanted = wanted.is_some_and(|wanted| wanted.is_closed());
            let ran = if unwanted { Err(JobFault::Unwanted) } else { Ok(run(writer)) };
            // Nobody waits for it any more when the node stops.
            let _ = reply.send(ran);
        });
        let job = Fed::Job(Job { partition: self.partition, run });
        self.feeder.send(job).await.map_err(|_| JobFault::Ended)?;
        done.await.map_err(|_| JobFault::Ended)?
    }
}
