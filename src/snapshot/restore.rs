//! Restoring partitions from the newest snapshot that fits and proves good. On the objects' side
//! thread; the next frames are fetched while the last ones are staged, and nothing is made live but
//! by the shard, which proves it once more.

use std::collections::BTreeMap;
use std::io;

use futures_util::{StreamExt, stream};
use pumice_model::ids::{Offset, Partition};
use pumice_shards::Position;

use super::catalog::{Found, Whose, find};
use super::install::{Installer, RestoreFault, Step, Tried};
use super::source::Rows;
use crate::mesh::feed::Feeder;
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

/// Restores partitions of one node.
pub struct Restorer<'a> {
    /// Where snapshots live.
    pub objects: &'a Objects,
    /// Makes them live.
    pub installer: Installer<'a>,
}

impl Restorer<'_> {
    /// Restores the newest good snapshot that fits; `None` when there is none. Where the partition
    /// stands then.
    pub async fn newest(&self, wish: &Wish) -> Result<Option<Position>, RestoreFault> {
        let restored = self.look(wish).await;
        match &restored {
            Ok(Some(_)) => self.installer.stats.restores.add(1),
            Ok(None) | Err(RestoreFault::Unwanted) => {}
            Err(_) => self.installer.stats.restore_failures.add(1),
        }
        restored
    }

    async fn look(&self, wish: &Wish) -> Result<Option<Position>, RestoreFault> {
        let (namespace, partition) = (&self.installer.cluster.namespace, wish.partition);
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
                        self.installer.stats.bad_found.add(1);
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
        let objects = self.objects;
        let manifest = match found.read(objects, &Whose::from(self.installer.cluster)).await {
            Ok(manifest) => manifest,
            Err(fault) => return Ok(Tried::from(fault)),
        };
        let rows = Rows::Object { objects, key: found.place.rows() };
        self.installer.install(&found.place, &manifest, rows, found.place.next).await
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
    let installer = Installer { cluster, feeders, stats, proofs: None, step };
    let restorer = Restorer { objects: &objects, installer };
    runtime.block_on(restorer.all(wishes)).map_err(io::Error::other)
}

impl Restorer<'_> {
    /// [`Restorer::newest`] for every wish, a few at a time.
    pub async fn all(&self, wishes: &[Wish]) -> Result<Restored, RestoreFault> {
        let found = find(self.objects, &self.installer.cluster.namespace, None).await;
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
