//! `/v1/snapshots`: POST starts a round over all partitions, GET tells how the last one goes; and
//! what `/metrics` shows of snapshots. Admin executor; the work is done elsewhere.

use http::{Method, StatusCode};
use pumice_model::wire::{ErrorBody, SnapshotFailure, SnapshotRound, SnapshotStarted};

use super::exposition::Exposition;
use super::metrics::collect;
use super::{Answer, Overview, json, not_allowed};
use crate::snapshot::service::{Busy, Handle};

/// Answers any method on the route.
pub fn answer(overview: &Overview, method: &Method) -> Answer {
    let Some(snapshots) = &overview.snapshots else {
        let error =
            ErrorBody::new("not_found", "no snapshots: the node was started without --objects");
        return json(StatusCode::NOT_FOUND, &error);
    };
    match *method {
        Method::GET | Method::HEAD => json(StatusCode::OK, &round(snapshots)),
        Method::POST => match snapshots.create_all() {
            Ok(id) => json(StatusCode::ACCEPTED, &SnapshotStarted { id }),
            Err(Busy(id)) => {
                let message = format!("round {id} is running: wait for its end");
                json(StatusCode::CONFLICT, &ErrorBody::new("busy", message))
            }
        },
        _ => not_allowed("GET, HEAD, POST"),
    }
}

fn round(snapshots: &Handle) -> SnapshotRound {
    let status = snapshots.status();
    let failed = status
        .failed
        .into_iter()
        .map(|(partition, reason)| SnapshotFailure { partition: partition.0, reason });
    SnapshotRound {
        id: status.id,
        running: status.running,
        total: status.total,
        done: status.done,
        failed: failed.collect(),
        bytes: status.bytes,
    }
}

/// The families of snapshots and of restores.
pub fn render(overview: &Overview, page: &mut Exposition) {
    let process = &overview.settings.process;
    if process.objects.is_some() {
        rounds(overview, page);
    }
    if process.objects.is_some() || process.gossip.is_some() {
        restores(overview, page);
    }
}

fn restores(overview: &Overview, page: &mut Exposition) {
    let stats = &overview.snapshot_stats;
    let mut family = page.counter("pumice_restores_total", "Partitions restored, by source.");
    family.sample("source=\"objects\"", stats.restores.get());
    family.sample("source=\"holder\"", stats.streamed.get());
    for (name, help, count) in [
        ("pumice_restores_failed_total", "Restores that failed.", &stats.restore_failures),
        ("pumice_snapshots_bad_total", "Bad snapshots that were not installed.", &stats.bad_found),
        ("pumice_handovers_given_total", "Partitions given to peers.", &stats.given),
        ("pumice_handovers_busy_total", "Peers told to come again.", &stats.given_busy),
        ("pumice_handover_given_bytes_total", "Bytes given to peers.", &stats.given_bytes),
    ] {
        page.counter(name, help).sample("", count.get());
    }
    let help = "Bytes of rows of the last partition restored while serving.";
    page.gauge("pumice_restore_last_bytes", help).sample("", stats.last_restored_bytes.get());
    let help = "Time of the last restore while serving, from the log's wish on.";
    let seconds = stats.last_restored_micros.get() as f64 / 1e6;
    page.gauge("pumice_restore_last_seconds", help).sample("", seconds);
}

fn rounds(overview: &Overview, page: &mut Exposition) {
    let stats = &overview.snapshot_stats;
    for (name, help, count) in [
        ("pumice_snapshots_taken_total", "Snapshots whose manifest is written.", &stats.taken),
        ("pumice_snapshots_failed_total", "Snapshots that were not taken.", &stats.failed),
        ("pumice_snapshots_aborted_total", "Snapshots whose walk took too long.", &stats.aborted),
        ("pumice_snapshot_uploaded_bytes_total", "Bytes uploaded.", &stats.uploaded_bytes),
        ("pumice_snapshots_pruned_total", "Snapshots and left-overs removed.", &stats.pruned),
    ] {
        page.counter(name, help).sample("", count.get());
    }
    let help = "Damaged snapshots in the last listing.";
    page.gauge("pumice_snapshots_damaged", help).sample("", stats.damaged.get());
    let help = "When the last snapshot was taken, Unix time; 0 before the first.";
    let last = stats.last_success_ms.get() as f64 / 1e3;
    page.gauge("pumice_snapshot_last_success_timestamp_seconds", help).sample("", last);
    let (counts, sum) = collect([&stats.durations].into_iter());
    let mut family = page.histogram("pumice_snapshot_seconds", "Time of one snapshot.");
    family.buckets("", &counts, sum, 1e-6);
}
