//! One round of snapshots: which partitions, one after the other into the store, and what may go
//! afterwards. On the objects' side thread, the walks on a blocking one; one partition's failure is
//! no other's.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use pumice_model::time::Millis;
use pumice_shards::{Position, Reader};
use tokio::sync::{Semaphore, oneshot};

use super::catalog::{State, Whose, list, position};
use super::place::Place;
use super::prune::{Keep, plan, prune};
use super::service::Service;
use super::take::{Spooled, TakeFault, WALK_MAX, Walk};
use super::upload::{UploadFault, upload};
use crate::clock;
use crate::objects::Objects;

/// Uploads that fail in a row before a round gives up: a store that does not answer takes minutes
/// to say so, a partition.
const FAILED_MAX: u32 = 3;

/// What the snapshots of a round share: one walks while another is uploaded, and no more, which
/// bounds the spool and the memory.
struct Lanes {
    walk: Semaphore,
    send: Semaphore,
    /// Uploads that failed, since one did not.
    failed: Cell<u32>,
}

/// Why there is no snapshot of a partition.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Taking(#[from] TakeFault),
    #[error(transparent)]
    Uploading(#[from] UploadFault),
    #[error("not tried, since {FAILED_MAX} uploads before it failed")]
    NotTried,
}

/// The newest good snapshot of a partition, in a listing.
pub(super) type Newest = BTreeMap<Partition, (Position, Millis)>;

impl Service {
    /// The partitions that this node holds so.
    pub fn held(&self, so: impl Fn(Holding) -> bool) -> Vec<Partition> {
        let holding = |partition| {
            let progress = self.progress.as_ref()?.of(partition)?;
            Some(progress.holding())
        };
        let all = (0..self.cluster.partitions).map(Partition);
        all.filter(|partition| holding(*partition).is_none_or(&so)).collect()
    }

    /// These partitions but those that `newest` spares.
    pub async fn round(&self, objects: &Objects, partitions: &[Partition], newest: &Newest) {
        let total = partitions.len();
        self.shared.status().total = total as u64;
        let (walk, send) = (Semaphore::new(1), Semaphore::new(1));
        let lanes = Lanes { walk, send, failed: Cell::new(0) };
        stream::iter(partitions.iter().copied())
            .for_each_concurrent(2, async |partition| {
                let done = match newest.get(&partition) {
                    Some(newest) if self.spared(partition, newest) => Ok(()),
                    _ => self.snapshot(objects, partition, &lanes).await,
                };
                let mut status = self.shared.status();
                let Err(why) = done else {
                    status.done += 1;
                    return;
                };
                self.stats.failed.add(1);
                tracing::warn!("no snapshot of partition {partition}: {why}");
                status.failed.push((partition, why.to_string()));
            })
            .await;
        self.prune(objects).await;
        let status = self.shared.end();
        let (id, failed) = (status.id, status.failed.len());
        tracing::info!(
            "round {id} of snapshots ended: {} of {total} partitions, {failed} failed, {} bytes",
            status.done,
            status.bytes
        );
    }

    /// Whether a round by the clock has nothing to do here: the newest snapshot has the same state,
    /// or another node took it half an interval ago at most.
    fn spared(&self, partition: Partition, (newest, taken_at): &(Position, Millis)) -> bool {
        let half = self.snapshots.interval.unwrap_or_default() / 2;
        let half = i64::try_from(half.as_millis()).unwrap_or(i64::MAX);
        let fresh = clock::now().saturating_sub(*taken_at) < half;
        let position = self.reader(partition).read(|view| view.position(partition));
        fresh || position.and_then(|position| position).is_ok_and(|position| position == *newest)
    }

    /// Takes one snapshot and uploads it. Nothing to do is done.
    async fn snapshot(
        &self,
        objects: &Objects,
        partition: Partition,
        lanes: &Lanes,
    ) -> Result<(), Failed> {
        // The semaphores are never closed.
        let walking = lanes.walk.acquire().await;
        lanes.may_go_on()?;
        let began = Instant::now();
        let tag = tag(partition);
        let spooled = self.spool(partition, tag).await;
        if matches!(spooled, Err(TakeFault::TooLong(_))) {
            self.stats.aborted.add(1);
        }
        let Some(spooled) = spooled? else { return Ok(()) };
        drop(walking);
        let _sending = lanes.send.acquire().await;
        lanes.may_go_on()?;
        let namespace = self.cluster.namespace.clone();
        let place = Place { namespace, partition, next: spooled.manifest.about.next, tag };
        let sent = |bytes| {
            self.stats.uploaded_bytes.add(bytes);
            self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        };
        let uploaded = upload(objects, &spooled, &place, &sent).await;
        lanes.failed.set(if uploaded.is_ok() { 0 } else { lanes.failed.get() + 1 });
        uploaded?;
        self.stats.taken.add(1);
        self.stats.durations.record_time(began.elapsed());
        self.stats.last_success_ms.set(clock::now().unsigned_abs());
        tracing::debug!("snapshot {place} taken in {:.1?}", began.elapsed());
        Ok(())
    }

    /// The walk, on a thread that may block; it ends when nobody waits for it any more.
    async fn spool(&self, partition: Partition, tag: u32) -> Result<Option<Spooled>, TakeFault> {
        let (reader, spool) = (self.reader(partition).clone(), self.spool.clone());
        let cluster = self.cluster.clone();
        let (reply, done) = oneshot::channel();
        tokio::task::spawn_blocking(move || {
            let abandoned = || reply.is_closed();
            let walk =
                Walk { cluster: &cluster, partition, limit: WALK_MAX, abandoned: &abandoned };
            let taken = spool.take(&reader, &walk, tag);
            // Dropped with its file when nobody waits.
            let _ = reply.send(taken);
        });
        done.await.unwrap_or(Err(TakeFault::Abandoned))
    }

    /// The newest good snapshot of each partition; `None` when the store cannot be listed.
    pub async fn newest(&self, objects: &Objects) -> Option<Newest> {
        let listed = match list(objects, &Whose::from(&self.cluster)).await {
            Ok(listed) => listed,
            Err(fault) => {
                self.stats.failed.add(1);
                tracing::warn!("no snapshots are taken this time: {fault}");
                return None;
            }
        };
        let mut newest = Newest::new();
        for one in &listed {
            let State::Good(summary) = &one.state else { continue };
            let about = &summary.about;
            let position = position(about);
            let this = (position, about.taken_at);
            let best = newest.entry(about.partition).or_insert(this);
            if (best.0.next, best.1) < (position.next, about.taken_at) {
                *best = this;
            }
        }
        Some(newest)
    }

    /// Removes what need not be kept; what could not be removed is found again next time.
    async fn prune(&self, objects: &Objects) {
        let pruned = async {
            let listed = list(objects, &Whose::from(&self.cluster)).await?;
            let damaged = listed.iter().filter(|one| matches!(one.state, State::Damaged(_)));
            self.stats.damaged.set(damaged.count() as u64);
            let keep = Keep { count: self.snapshots.keep, time: self.snapshots.keep_for };
            let going = plan(&listed, &keep, clock::now());
            prune(objects, &going, |_| self.stats.pruned.add(1)).await
        };
        if let Err(fault) = pruned.await {
            tracing::warn!("old snapshots are not removed this time: {fault}");
        }
    }

    /// A reader on the shard of a partition.
    pub fn reader(&self, partition: Partition) -> &Reader {
        &self.readers[usize::from(partition.shard(self.shards).0)]
    }
}

impl Lanes {
    fn may_go_on(&self) -> Result<(), Failed> {
        if self.failed.get() < FAILED_MAX { Ok(()) } else { Err(Failed::NotTried) }
    }
}

/// What keeps the places of two tries apart. No secret: the standard library's own random keys do.
pub(super) fn tag(partition: Partition) -> u32 {
    // The low half is as good as any.
    RandomState::new().hash_one(partition.0) as u32
}
