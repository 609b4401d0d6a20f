//! Brings a new data directory of the embedded log back from its snapshots, before it serves: the
//! disk is lost, the data is not. Starting thread; every partition has a good snapshot restored, or
//! has none, or the start fails.

use std::sync::Arc;

use pumice_model::ids::{Offset, Partition};

use super::fault::StartFault;
use super::order::Place;
use super::store::Shard;
use crate::mesh::feed::{Feed, Feeder, feed};
use crate::owner::Source;
use crate::settings::ObjectsSettings;
use crate::snapshot::restore::{Wish, restore_all};
use crate::stats::progress::Progress;
use crate::stats::snapshot::SnapshotStats;

/// Restores every partition that has a snapshot, and gives the shards back.
pub fn everything(
    place: &Place<'_>,
    objects: &ObjectsSettings,
    shards: Vec<Shard>,
    stats: &Arc<SnapshotStats>,
) -> Result<Vec<Shard>, StartFault> {
    let cluster = &place.settings.cluster;
    let (feeders, feeds): (Vec<Feeder>, Vec<Feed>) = shards.iter().map(|_| feed()).unzip();
    let progress = Arc::new(Progress::new(cluster.partitions));
    let mut kept = Vec::new();
    let mut owners = Vec::new();
    for (shard, feed) in shards.into_iter().zip(feeds) {
        kept.push((shard.id, shard.reader.clone(), shard.stats.clone()));
        owners.push(place.owners.spawn(shard, Source::Log(feed, progress.clone()))?);
    }
    let wishes: Vec<Wish> = (0..cluster.partitions).map(Partition).map(wish).collect();
    let restored = restore_all(objects, cluster, &feeders, &wishes, stats, &|_, _| {});
    drop(feeders);
    let mut shards = Vec::new();
    for ((id, reader, stats), owner) in kept.into_iter().zip(owners) {
        let writer = owner.join().map_err(|_| failed(format!("shard {id}: its owner panicked")))?;
        shards.push(Shard { id, writer, reader, stats });
    }
    let mut count = 0;
    for (partition, outcome) in restored.map_err(|fault| failed(fault.to_string()))? {
        let outcome = outcome.map_err(|fault| failed(format!("partition {partition}: {fault}")))?;
        count += u32::from(outcome.is_some());
    }
    if count > 0 {
        tracing::info!("{count} partitions restored from snapshots");
    }
    Ok(shards)
}

/// What a start without objects is told about a directory whose restore a crash cut short.
pub fn unfinished() -> StartFault {
    StartFault::Restore(
        "a restore into this data directory was cut short: start with --objects to finish it, or \
         with another --data-dir"
            .to_owned(),
    )
}

fn wish(partition: Partition) -> Wish {
    Wish { partition, covers: Offset(0), at_most: Offset(u64::MAX), followed: false }
}

fn failed(why: String) -> StartFault {
    StartFault::Restore(format!(
        "the snapshots could not be restored into the new data directory: {why}; mend the objects, \
         or begin with nothing under another prefix of --objects"
    ))
}
