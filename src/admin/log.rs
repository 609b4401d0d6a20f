//! What `/metrics` shows of the log and of how partitions follow it. Admin executor; nothing where
//! the data directory is the log.

use super::Overview;
use super::exposition::Exposition;
use super::metrics::collect;
use crate::clock;
use crate::stats::progress::{Lag, PartitionProgress};

/// The families of the log.
pub fn render(overview: &Overview, page: &mut Exposition) {
    let Some(stats) = &overview.log else { return };
    let help = "1 while the broker answers.";
    page.gauge("pumice_log_connected", help).sample("", stats.connected.get());
    let help = "Records that came from the log, by what they were.";
    let mut family = page.counter("pumice_log_records_total", help);
    for (kind, count) in [
        ("entry", &stats.entries),
        ("foreign", &stats.foreign),
        ("tombstone", &stats.tombstones),
        ("garbage", &stats.garbage),
        ("control", &stats.control),
    ] {
        family.sample(&format!("kind=\"{kind}\""), count.get());
    }
    for (name, help, count) in [
        ("pumice_log_fetched_bytes_total", "Bytes that came.", &stats.fetched_bytes),
        ("pumice_log_fetch_faults_total", "Fetches that failed.", &stats.fetch_faults),
        ("pumice_log_produced_batches_total", "Batches acknowledged.", &stats.produced_batches),
        ("pumice_log_produced_entries_total", "Entries acknowledged.", &stats.produced_entries),
        ("pumice_log_produce_repeats_total", "Batches sent again.", &stats.produce_repeats),
        (
            "pumice_log_produce_unknown_total",
            "Entries given up, fate unknown.",
            &stats.produce_unknown,
        ),
        ("pumice_log_produce_unsent_total", "Entries turned away unsent.", &stats.produce_unsent),
    ] {
        page.counter(name, help).sample("", count.get());
    }
    let (counts, sum) = collect([&stats.produce].into_iter());
    let mut family = page.histogram("pumice_log_produce_seconds", "Time of one produce.");
    family.buckets("", &counts, sum, 1e-6);
    partitions(overview, page);
}

fn partitions(overview: &Overview, page: &mut Exposition) {
    let now = clock::now();
    let mut gauge = |name, help, value: &dyn Fn(&PartitionProgress, _) -> Option<f64>| {
        let mut family = page.gauge(name, help);
        for (partition, progress) in overview.progress.iter().flat_map(|log| log.all()) {
            if let Some(value) = value(progress, overview.next(partition)) {
                family.sample(&format!("partition=\"{partition}\""), value);
            }
        }
    };
    let help = "0 starting, 1 live, 2 restoring a snapshot, 3 broken, 4 not held.";
    gauge("pumice_partition_following", help, &|p, _| Some(f64::from(p.following() as u8)));
    let help = "Entries that the log has and the partition has not; absent while unknown.";
    let lag_entries = |p: &PartitionProgress, next| p.lag_entries(next).map(|lag| lag as f64);
    gauge("pumice_partition_lag_entries", help, &lag_entries);
    let help = "How old the partition's state may be; absent while unknown.";
    gauge("pumice_partition_lag_seconds", help, &|p, next| match p.lag(next, now) {
        Lag::None => Some(0.0),
        Lag::Ms(ms) => Some(ms as f64 / 1e3),
        Lag::Unknown => None,
    });
}
