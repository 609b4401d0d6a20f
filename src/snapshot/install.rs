//! Making a snapshot live, wherever it comes from: held against the log, staged frame by frame as
//! jobs of its shard, and installed by the shard, which proves it once more. On the objects' side
//! thread; what does not come through whole leaves everything as it was.

use std::fmt::Display;

use pumice_model::ids::{Offset, Partition};
use pumice_model::manifest::Manifest;
use pumice_shards::{Position, StageFault};
use tokio::sync::oneshot;

use super::catalog::position;
use super::download::{ReadFault, chunks, unpack};
use super::source::Rows;
use super::stage::{JobFault, Stage};
use crate::mesh::feed::Feeder;
use crate::mesh::wants::{Proving, Question};
use crate::settings::ClusterSettings;
use crate::stats::snapshot::SnapshotStats;

/// How far one restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It begins, with so many bytes of rows to come.
    Begun(u64),
    /// So many further bytes are staged.
    Staged(u64),
    /// It was given up; another may begin.
    Dropped,
    /// It is live.
    Installed,
}

/// Why a partition was not restored though it might be later.
#[derive(Debug, thiserror::Error)]
pub enum RestoreFault {
    /// The store, or a holder, did not answer.
    #[error("{0}")]
    Store(String),
    /// There are snapshots that fit, and every one of them is bad.
    #[error("no snapshot of it is good: {0}")]
    Bad(String),
    /// The shard could not.
    #[error("{0}")]
    Shard(String),
    /// Who wanted it has gone: nothing failed.
    #[error("nobody wants it any more")]
    Unwanted,
}

/// Makes snapshots live in the shards of one node.
pub struct Installer<'a> {
    /// Whose they must be.
    pub cluster: &'a ClusterSettings,
    /// A way to the owner of each shard, by shard number.
    pub feeders: &'a [Feeder],
    /// What is counted.
    pub stats: &'a SnapshotStats,
    /// Tells whether a snapshot is of the log that is followed; `None` where there is no log.
    pub proofs: Option<&'a Proving>,
    /// Told of every step.
    pub step: &'a dyn Fn(Partition, Step),
}

/// What came of one snapshot.
pub enum Tried {
    /// It is live.
    Installed(Position),
    /// It was taken away meanwhile.
    Gone,
    /// Not this one, and why.
    Bad(String),
    /// Of other settings, or of a later format, and why.
    Foreign(String),
    /// Nobody knows of this one, and why.
    Unread(String),
}

impl Installer<'_> {
    /// Makes one snapshot live, whose manifest was checked, or leaves everything as it was. Where
    /// it ends beyond `at_most`, the log must show that it has come so far.
    pub(super) async fn install(
        &self,
        what: &dyn Display,
        manifest: &Manifest,
        rows: Rows<'_>,
        at_most: Offset,
    ) -> Result<Tried, RestoreFault> {
        let (partition, position) = (manifest.about.partition, position(&manifest.about));
        if let Some(proofs) = self.proofs
            && !proven(proofs, &position, at_most).await?
        {
            let why = "its last record is not the log's, it is of another log under the same name";
            return Ok(Tried::Bad(format!("{what}: {why}")));
        }
        let shard = usize::from(partition.shard(self.feeders.len() as u16).0);
        let ended = || RestoreFault::Shard(format!("partition {partition} has no shard here"));
        let feeder = self.feeders.get(shard).ok_or_else(ended)?;
        let stage = Stage { feeder, partition, wanted: self.proofs };
        (self.step)(partition, Step::Begun(manifest.plain()));
        let tried = match self.put(&stage, manifest, rows, position).await {
            Ok(()) => {
                self.stats.last_restored_bytes.set(manifest.plain());
                (self.step)(partition, Step::Installed);
                return Ok(Tried::Installed(position));
            }
            Err(PutFault::Read(fault)) => Ok(Tried::from(fault)),
            Err(PutFault::Job(JobFault::Stage(StageFault::Snapshot(why)))) => {
                Ok(Tried::Bad(format!("{what}: {why}")))
            }
            Err(PutFault::Job(JobFault::Unwanted)) => Err(RestoreFault::Unwanted),
            Err(PutFault::Job(fault)) => Err(RestoreFault::Shard(fault.to_string())),
        };
        stage.abort().await;
        (self.step)(partition, Step::Dropped);
        tried
    }

    /// Stages chunk after chunk, and fetches the next one meanwhile.
    async fn put(
        &self,
        stage: &Stage<'_>,
        manifest: &Manifest,
        mut rows: Rows<'_>,
        position: Position,
    ) -> Result<(), PutFault> {
        let name = rows.name().to_owned();
        stage.begin().await?;
        let mut chunks = chunks(&manifest.frames);
        let mut fetched = match chunks.next() {
            Some(chunk) => rows.fetch(&chunk).await?,
            None => Vec::new(),
        };
        while !fetched.is_empty() {
            let fetch = async {
                match chunks.next() {
                    Some(chunk) => rows.fetch(&chunk).await,
                    None => Ok(Vec::new()),
                }
            };
            let put = async {
                for (packed, frame) in fetched {
                    stage.frame(unpack(&name, &packed, &frame)?).await?;
                    (self.step)(stage.partition, Step::Staged(frame.plain.into()));
                }
                Ok::<_, PutFault>(())
            };
            let (next, put) = tokio::join!(fetch, put);
            put?;
            fetched = next?;
        }
        Ok(stage.install(position).await?)
    }
}

/// Whether the log has, as far as it still reaches back, the record that the snapshot ends with.
/// One that keeps no hashes is asked only whether it has come as far, where that is not known.
async fn proven(
    proofs: &Proving,
    position: &Position,
    at_most: Offset,
) -> Result<bool, RestoreFault> {
    let known = position.last == 0 && position.next <= at_most;
    let Some(at) = position.next.0.checked_sub(1).filter(|_| !known) else {
        return Ok(true);
    };
    let (reply, replied) = oneshot::channel();
    let question = Question { at: Offset(at), hash: position.last, reply };
    proofs.send(question).await.map_err(|_| RestoreFault::Unwanted)?;
    replied.await.map_err(|_| RestoreFault::Unwanted)
}

/// Why a snapshot did not come through.
#[derive(Debug, thiserror::Error)]
enum PutFault {
    #[error(transparent)]
    Read(#[from] ReadFault),
    #[error(transparent)]
    Job(#[from] JobFault),
}

impl From<ReadFault> for Tried {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Gone(_) => Self::Gone,
            ReadFault::Bad(why) => Self::Bad(why),
            ReadFault::Foreign(why) => Self::Foreign(why),
            ReadFault::Store(fault) => Self::Unread(fault.to_string()),
            ReadFault::Off(why) => Self::Unread(why),
        }
    }
}
