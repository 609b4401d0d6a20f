//! Restoring partitions from the newest snapshot that fits and proves good. On the objects' side
//! thread; the next frames are fetched while the last ones are staged, and nothing is made live but
//! by the shard, which proves it once more.

use std::collections::BTreeMap;
use std::io;

use futures_util::{StreamExt, stream};
use pumice_model::ids::{Offset, Partition};
use pumice_model::manifest::Manifest;
use pumice_shards::{Position, StageFault};
use tokio::sync::oneshot;

use super::catalog::{Found, Whose, find, position};
use super::download::{ReadFault, chunks, unpack};
use super::stage::{JobFault, Stage};
use crate::mesh::feed::Feeder;
use crate::mesh::wants::{Proving, Question};
use crate::objects::Objects;
use crate::settings::{ClusterSettings, ObjectsSettings};
use crate::stats::snapshot::SnapshotStats;

/// Partitions that are restored at a time: each holds two chunks of frames, about 10 MiB.
pub const AT_ONCE: usize = 4;
/// A prune elsewhere may take a snapshot away under a restore; then what is there is looked at
/// anew, so many times.
const LOOKS: usize = 3;

/// What a partition wants restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whose rows.
    pub partition: Partition,
    /// The snapshot's next offset must be at least this.
    pub covers: Offset,
    /// And at most this.
    pub at_most: Offset,
    /// Whether a log brings what came after it. Where none does, an older snapshot is taken only
    /// when the newer one is bad for certain, not when the store does not give it; and that all of
    /// them are bad is a fault.
    pub followed: bool,
}

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
    /// The store did not answer.
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

/// Restores partitions of one node.
pub struct Restorer<'a> {
    /// Where snapshots live.
    pub objects: &'a Objects,
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
enum Tried {
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

impl Restorer<'_> {
    /// Restores the newest good snapshot that fits; `None` when there is none. Where the partition
    /// stands then.
    pub async fn newest(&self, wish: &Wish) -> Result<Option<Position>, RestoreFault> {
        let restored = self.look(wish).await;
        match &restored {
            Ok(Some(_)) => self.stats.restores.add(1),
            Ok(None) | Err(RestoreFault::Unwanted) => {}
            Err(_) => self.stats.restore_failures.add(1),
        }
        restored
    }

    async fn look(&self, wish: &Wish) -> Result<Option<Position>, RestoreFault> {
        let (namespace, partition) = (&self.cluster.namespace, wish.partition);
        let (mut unread, mut bad) = (None, None);
        for _ in 0..LOOKS {
            let found = find(self.objects, namespace, Some(partition)).await;
            let found = found.map_err(|fault| RestoreFault::Store(fault.to_string()))?;
            let mut gone = false;
            unread = None;
            let mut found: Vec<_> = found.iter().filter(|found| wish.fits(found)).collect();
            if !wish.followed {
                // Without a log an offset can be of an older life of the data: the latest wins.
                found.sort_by_key(|found| std::cmp::Reverse(found.modified));
            }
            for found in found {
                match self.try_twice(found).await? {
                    Tried::Installed(position) => return Ok(Some(position)),
                    Tried::Gone => gone = true,
                    // It is no worse than an older one, only not for us.
                    Tried::Foreign(why) if !wish.followed => return Err(RestoreFault::Bad(why)),
                    Tried::Bad(why) | Tried::Foreign(why) => {
                        self.stats.bad_found.add(1);
                        tracing::error!("a snapshot is not restored: {why}");
                        bad = Some(why);
                    }
                    Tried::Unread(why) if wish.followed => unread = Some(why),
                    Tried::Unread(why) => return Err(RestoreFault::Store(why)),
                }
            }
            if !gone {
                break;
            }
        }
        match (unread, bad) {
            (Some(why), _) => Err(RestoreFault::Store(why)),
            (None, Some(why)) if !wish.followed => Err(RestoreFault::Bad(why)),
            _ => Ok(None),
        }
    }

    /// Bytes can go wrong on their way too: what seems bad is looked at twice.
    async fn try_twice(&self, found: &Found) -> Result<Tried, RestoreFault> {
        match self.one(found).await? {
            Tried::Bad(_) => self.one(found).await,
            tried => Ok(tried),
        }
    }

    /// Restores one snapshot, or leaves everything as it was.
    async fn one(&self, found: &Found) -> Result<Tried, RestoreFault> {
        let partition = found.place.partition;
        let manifest = match found.read(self.objects, &Whose::from(self.cluster)).await {
            Ok(manifest) => manifest,
            Err(fault) => return Ok(Tried::from(fault)),
        };
        let position = position(&manifest.about);
        if let Some(proofs) = self.proofs
            && !proven(proofs, &position).await?
        {
            let why = "its last record is not the log's, it is of another log under the same name";
            return Ok(Tried::Bad(format!("{}: {why}", found.place)));
        }
        let shard = usize::from(partition.shard(self.feeders.len() as u16).0);
        let ended = || RestoreFault::Shard(format!("partition {partition} has no shard here"));
        let feeder = self.feeders.get(shard).ok_or_else(ended)?;
        let stage = Stage { feeder, partition, wanted: self.proofs };
        (self.step)(partition, Step::Begun(manifest.plain()));
        let done = self.stream(&stage, found, &manifest, position).await;
        let tried = match done {
            Ok(()) => {
                (self.step)(partition, Step::Installed);
                return Ok(Tried::Installed(position));
            }
            Err(StreamFault::Read(fault)) => Ok(Tried::from(fault)),
            Err(StreamFault::Job(JobFault::Stage(StageFault::Snapshot(why)))) => {
                Ok(Tried::Bad(format!("{}: {why}", found.place)))
            }
            Err(StreamFault::Job(JobFault::Unwanted)) => Err(RestoreFault::Unwanted),
            Err(StreamFault::Job(fault)) => Err(RestoreFault::Shard(fault.to_string())),
        };
        stage.abort().await;
        (self.step)(partition, Step::Dropped);
        tried
    }

    /// Stages chunk after chunk, and fetches the next one meanwhile.
    async fn stream(
        &self,
        stage: &Stage<'_>,
        found: &Found,
        manifest: &Manifest,
        position: Position,
    ) -> Result<(), StreamFault> {
        let key = found.place.rows();
        stage.begin().await?;
        let mut chunks = chunks(&manifest.frames);
        let mut fetched = match chunks.next() {
            Some(chunk) => chunk.fetch(self.objects, &key).await?,
            None => Vec::new(),
        };
        while !fetched.is_empty() {
            let fetch = async {
                match chunks.next() {
                    Some(chunk) => chunk.fetch(self.objects, &key).await,
                    None => Ok(Vec::new()),
                }
            };
            let put = async {
                for (packed, frame) in fetched {
                    stage.frame(unpack(&key, &packed, &frame)?).await?;
                    (self.step)(stage.partition, Step::Staged(frame.plain.into()));
                }
                Ok::<_, StreamFault>(())
            };
            let (next, put) = tokio::join!(fetch, put);
            put?;
            fetched = next?;
        }
        Ok(stage.install(position).await?)
    }
}

/// Whether the log has, as far as it still reaches back, the record that the snapshot ends with.
async fn proven(proofs: &Proving, position: &Position) -> Result<bool, RestoreFault> {
    let Some(at) = position.next.0.checked_sub(1).filter(|_| position.last != 0) else {
        return Ok(true);
    };
    let (reply, replied) = oneshot::channel();
    let question = Question { at: Offset(at), hash: position.last, reply };
    proofs.send(question).await.map_err(|_| RestoreFault::Unwanted)?;
    replied.await.map_err(|_| RestoreFault::Unwanted)
}

/// Why a snapshot did not come through.
#[derive(Debug, thiserror::Error)]
enum StreamFault {
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
        }
    }
}

impl Wish {
    /// Whether a snapshot may be what is wanted.
    pub fn fits(&self, found: &Found) -> bool {
        found.manifest && (self.covers..=self.at_most).contains(&found.place.next)
    }
}

/// What came of each wish.
pub type Restored = Vec<(Partition, Result<Option<Position>, RestoreFault>)>;

/// Restores many partitions, several at a time, on a runtime of this thread. `feeders` lead to the
/// owner of each shard; partitions without a snapshot cost one listing in all.
pub fn restore_all(
    objects: &ObjectsSettings,
    cluster: &ClusterSettings,
    feeders: &[Feeder],
    wishes: &[Wish],
    stats: &SnapshotStats,
    step: &dyn Fn(Partition, Step),
) -> io::Result<Restored> {
    let runtime = super::service::runtime()?;
    let objects = Objects::open(objects).map_err(io::Error::other)?;
    let proofs = None;
    let restorer = Restorer { objects: &objects, cluster, feeders, stats, proofs, step };
    runtime.block_on(restorer.all(wishes)).map_err(io::Error::other)
}

impl Restorer<'_> {
    /// [`Restorer::newest`] for every wish, a few at a time.
    pub async fn all(&self, wishes: &[Wish]) -> Result<Restored, RestoreFault> {
        let found = find(self.objects, &self.cluster.namespace, None).await;
        let found = found.map_err(|fault| RestoreFault::Store(fault.to_string()))?;
        let mut there = BTreeMap::<Partition, Vec<Found>>::new();
        for one in found {
            there.entry(one.place.partition).or_default().push(one);
        }
        let restored = stream::iter(wishes).map(async |wish| {
            let there = there.get(&wish.partition);
            let any = there.is_some_and(|there| there.iter().any(|found| wish.fits(found)));
            let restored = if any { self.newest(wish).await } else { Ok(None) };
            (wish.partition, restored)
        });
        Ok(restored.buffer_unordered(AT_ONCE).collect().await)
    }
}
