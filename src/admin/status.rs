//! `/v1/status`: the node's cores, shards and partitions as one JSON document.
//! Admin executor; one short read transaction a partition.

use pumice_model::wire::{CoreStatus, PartitionStatus, Serving, ShardStatus, StatusBody};

use super::Overview;
use crate::stats::progress::PartitionProgress;
use crate::stats::shard::ShardState;

/// The document.
pub fn body(overview: &Overview) -> StatusBody<'_> {
    let cluster = &overview.settings.cluster;
    StatusBody {
        version: env!("CARGO_PKG_VERSION").into(),
        runtime: overview.runtime.to_string().into(),
        namespace: cluster.namespace.as_str().into(),
        hash: cluster.hash.to_string().into(),
        partitions_total: cluster.partitions,
        ready: overview.is_ready(),
        cores: cores(overview),
        shards: (0..overview.shards.len()).map(|shard| shard_status(overview, shard)).collect(),
        partitions: partitions(overview),
    }
}

fn cores(overview: &Overview) -> Vec<CoreStatus> {
    let cpus = overview.settings.process.cores.iter().enumerate();
    // Cores and CPUs are counted in the hundreds at most.
    cpus.map(|(core, cpu)| CoreStatus { core: core as u32, cpu: *cpu as u32 }).collect()
}

fn shard_status(overview: &Overview, shard: usize) -> ShardStatus {
    let stats = &overview.shards[shard];
    let usage = overview.readers[shard].usage().ok();
    ShardStatus {
        shard: shard as u32,
        state: serving(stats.state()),
        reason: stats.broken_because().map(str::to_owned),
        entries: stats.entries.get(),
        queue: stats.queue_entries.get(),
        map_bytes: usage.map_or(0, |usage| usage.map_bytes),
        used_bytes: usage.map_or(0, |usage| usage.used_bytes),
    }
}

/// A partition whose shard cannot be read is left out rather than shown empty.
fn partitions(overview: &Overview) -> Vec<PartitionStatus<'_>> {
    let one = |partition: pumice_model::ids::Partition| {
        let shard = overview.shard_of(partition);
        let position = overview.readers[shard].read(|view| view.position(partition)).ok()?.ok()?;
        let progress = overview.following(partition);
        let reason = progress.and_then(PartitionProgress::broken_because);
        let state = match reason {
            Some(_) => Serving::Broken,
            None => serving(overview.shards[shard].state()),
        };
        Some(PartitionStatus {
            partition: partition.0,
            shard: shard as u32,
            state,
            reason,
            lag: progress.and_then(|progress| progress.lag_entries(position.next)),
            offset: position.next.0.checked_sub(1),
            log_time_ms: u64::try_from(position.log_time).unwrap_or(0),
            rows: position.rows,
            hash: position.hash.to_string().into(),
        })
    };
    overview.partitions().filter(|partition| overview.holds(*partition)).filter_map(one).collect()
}

fn serving(state: ShardState) -> Serving {
    match state {
        ShardState::Serving => Serving::Serving,
        ShardState::Full => Serving::Full,
        ShardState::Broken => Serving::Broken,
    }
}
