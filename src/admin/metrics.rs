//! What `/metrics` shows, family by family. Admin executor; every label has a fixed set of values.

use pumice_model::outcome::Refusal;
use pumice_shards::{Reader, Usage};

use super::Overview;
use super::exposition::Exposition;
use super::process;
use crate::clock;
use crate::stats::core::ElsewhereStats;
use crate::stats::counter::{BUCKETS, Counter, Histogram};
use crate::stats::route::{Route, STATUSES};
use crate::stats::shard::ShardStats;

const MICROS: f64 = 1e-6;

/// The whole page.
pub fn render(overview: &Overview) -> String {
    let mut page = Exposition::default();
    requests(overview, &mut page);
    connections(overview, &mut page);
    shards(overview, &mut page);
    storage(overview, &mut page);
    partitions(overview, &mut page);
    super::log::render(overview, &mut page);
    super::cluster::render(overview, &mut page);
    super::snapshots::render(overview, &mut page);
    process::render(&mut page);
    page.finish()
}

fn requests(overview: &Overview, page: &mut Exposition) {
    let mut family = page.counter("pumice_requests_total", "Answered requests.");
    for route in Route::ALL {
        for (at, status) in STATUSES.iter().enumerate() {
            let sum: u64 = overview.cores.iter().map(|core| core.requests(route)[at].get()).sum();
            if sum > 0 {
                family.sample(&format!("route=\"{}\",status=\"{status}\"", route.name()), sum);
            }
        }
    }
    let help = "Time from a request's head to its answer's head.";
    let mut family = page.histogram("pumice_request_seconds", help);
    for route in Route::ALL {
        let all = overview.cores.iter().map(|core| core.seconds(route));
        let (counts, sum) = collect(all);
        if counts.iter().any(|count| *count > 0) {
            family.buckets(&format!("route=\"{}\"", route.name()), &counts, sum, MICROS);
        }
    }
    elsewhere(overview, page);
    let now = clock::now().unsigned_abs();
    let mut family = page
        .gauge("pumice_oldest_reader_seconds", "Age of a core's open read transaction, 0 if none.");
    for (core, stats) in overview.cores.iter().enumerate() {
        let since = stats.reading_since.get();
        let age = if since == 0 { 0 } else { now.saturating_sub(since) };
        family.sample(&format!("core=\"{core}\""), age as f64 / 1e3);
    }
    let mut family = page.gauge("pumice_writes_waiting", "Requests that wait for an outcome.");
    for (core, stats) in overview.cores.iter().enumerate() {
        family.sample(&format!("core=\"{core}\""), stats.tickets.get());
    }
}

fn elsewhere(overview: &Overview, page: &mut Exposition) {
    if overview.cluster.is_none() {
        return;
    }
    let help = "Requests for what other nodes hold, by what became of them.";
    let mut family = page.counter("pumice_forwarded_total", help);
    let mut sum = |what, count: fn(&ElsewhereStats) -> &Counter| {
        let all = overview.cores.iter().map(|core| count(&core.elsewhere).get());
        family.sample(&format!("what=\"{what}\""), all.sum::<u64>());
    };
    sum("answered", |stats| &stats.answered);
    sum("failed", |stats| &stats.failed);
    sum("late", |stats| &stats.late);
    sum("together", |stats| &stats.together);
}

fn connections(overview: &Overview, page: &mut Exposition) {
    let mut family = page.gauge("pumice_connections", "Open connections.");
    for (core, net) in overview.nets.iter().enumerate() {
        family.sample(&format!("core=\"{core}\""), net.open.get());
    }
    let mut family =
        page.counter("pumice_connections_total", "Connections by what became of them.");
    for (core, net) in overview.nets.iter().enumerate() {
        for (what, count) in net.events() {
            family.sample(&format!("core=\"{core}\",event=\"{what}\""), count);
        }
    }
}

fn shards(overview: &Overview, page: &mut Exposition) {
    let help = "0 serving, 1 full (no writes until there is room), 2 broken (no writes).";
    each(overview, page.gauge("pumice_shard_state", help), |stats| stats.state() as u64);
    let help = "Entries judged, by outcome.";
    let mut family = page.counter("pumice_entries_total", help);
    for (shard, stats) in overview.shards.iter().enumerate() {
        family.sample(&format!("shard=\"{shard}\",outcome=\"applied\""), stats.applied.get());
        family.sample(&format!("shard=\"{shard}\",outcome=\"duplicate\""), stats.duplicates.get());
    }
    let mut family = page.counter("pumice_refused_total", "Entries refused, by reason.");
    for (shard, stats) in overview.shards.iter().enumerate() {
        for refusal in Refusal::all() {
            let labels = format!("shard=\"{shard}\",reason=\"{}\"", refusal.code());
            family.sample(&labels, stats.refused(refusal));
        }
    }
    let help = "Commits that found no room.";
    each(overview, page.counter("pumice_full_total", help), |stats| stats.full.get());
    let help = "Writes turned away at the inbox: too many wait, or the shard is full or broken.";
    each(overview, page.counter("pumice_turned_away_total", help), |s| s.turned_away.get());
    let help = "Entries that wait to be judged.";
    each(overview, page.gauge("pumice_queue_entries", help), |s| s.queue_entries.get());
    let help = "Bytes of the entries that wait to be judged.";
    each(overview, page.gauge("pumice_queue_bytes", help), |s| s.queue_bytes.get());
    let mut family = page.histogram("pumice_apply_batch_entries", "Entries a commit.");
    for (shard, stats) in overview.shards.iter().enumerate() {
        let (counts, sum) = collect([&stats.batch_entries].into_iter());
        family.buckets(&format!("shard=\"{shard}\""), &counts, sum, 1.0);
    }
    let help = "Time of one apply with its synced commit.";
    let mut family = page.histogram("pumice_commit_seconds", help);
    for (shard, stats) in overview.shards.iter().enumerate() {
        let (counts, sum) = collect([&stats.commit].into_iter());
        family.buckets(&format!("shard=\"{shard}\""), &counts, sum, MICROS);
    }
}

fn each(
    overview: &Overview,
    mut family: super::exposition::Family<'_>,
    value: impl Fn(&ShardStats) -> u64,
) {
    for (shard, stats) in overview.shards.iter().enumerate() {
        family.sample(&format!("shard=\"{shard}\""), value(stats));
    }
}

fn storage(overview: &Overview, page: &mut Exposition) {
    let readable = |(shard, reader): (usize, &Reader)| Some((shard, reader.usage().ok()?));
    let usages: Vec<_> = overview.readers.iter().enumerate().filter_map(readable).collect();
    let mut gauge = |name, help, value: fn(&Usage) -> u64| {
        let mut family = page.gauge(name, help);
        for (shard, usage) in &usages {
            family.sample(&format!("shard=\"{shard}\""), value(usage));
        }
    };
    gauge("pumice_map_bytes", "Size of a shard's memory map.", |usage| usage.map_bytes);
    let help = "Bytes of the map that were ever used: the size of its file.";
    gauge("pumice_map_used_bytes", help, |usage| usage.used_bytes);
    let help = "Bytes of pages that hold rows and indexes now; the rest of the used is free.";
    gauge("pumice_map_live_bytes", help, |usage| usage.live_bytes);
    gauge("pumice_map_readers", "Reader slots in use.", |usage| u64::from(usage.readers));
    gauge("pumice_map_transactions", "Commits since the shard was made.", |u| u.transactions);
}

fn partitions(overview: &Overview, page: &mut Exposition) {
    let positions: Vec<_> = overview
        .partitions()
        .filter_map(|partition| {
            let reader = &overview.readers[overview.shard_of(partition)];
            let position = reader.read(|view| view.position(partition));
            position.ok()?.ok().map(|position| (partition, position))
        })
        .collect();
    let help = "Entries of the partition's log that are applied: the next offset.";
    let mut family = page.gauge("pumice_partition_next_offset", help);
    for (partition, position) in &positions {
        family.sample(&format!("partition=\"{partition}\""), position.next);
    }
    let mut family = page.gauge("pumice_partition_rows", "Rows, expired ones included.");
    for (partition, position) in &positions {
        family.sample(&format!("partition=\"{partition}\""), position.rows);
    }
}

/// Sums histograms.
pub fn collect<'h>(all: impl Iterator<Item = &'h Histogram>) -> ([u64; BUCKETS], u64) {
    let mut counts = [0; BUCKETS];
    let sum = all.map(|histogram| histogram.collect(&mut counts)).sum();
    (counts, sum)
}
