//! Against a real broker and a real S3 server: what a mock cannot show. With PUMICE_TEST_SERVICES=1
//! and the variables that `docker/services.sh up` prints; without them nothing here runs, and one
//! line says so. A tenth of the counts, and all of them with PUMICE_SOAK=1.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "broker/answers.rs"]
mod answers;
#[path = "broker/changes.rs"]
mod changes;
#[path = "broker/cities.rs"]
mod cities;
#[path = "broker/clocks.rs"]
mod clocks;
#[path = "broker/cluster.rs"]
mod cluster;
#[path = "broker/disk.rs"]
mod disk;
#[path = "broker/foreign.rs"]
mod foreign;
mod kafka;
#[path = "broker/kills.rs"]
mod kills;
#[path = "broker/log.rs"]
mod log;
#[path = "broker/members.rs"]
mod members;
#[path = "broker/outages.rs"]
mod outages;
#[path = "broker/readers.rs"]
mod readers;
#[path = "broker/regions.rs"]
mod regions;
#[path = "broker/rolling.rs"]
mod rolling;
#[path = "broker/secure.rs"]
mod secure;
mod server;
#[path = "broker/services.rs"]
mod services;
#[path = "broker/settings.rs"]
mod settings;
#[path = "server/small_disk.rs"]
mod small_disk;
#[path = "broker/split.rs"]
mod split;
#[path = "broker/sync.rs"]
mod sync;
#[path = "broker/writers.rs"]
mod writers;

use std::env;
use std::io::Write;

use pumice_model::hash::Hash;

/// Whether all of the counts are wanted.
fn soak() -> bool {
    env::var_os("PUMICE_SOAK").is_some_and(|value| value == "1")
}

/// A pk of the partition, another for each `n`.
fn pk(partition: u32, partitions: u32, n: usize) -> String {
    let mut all = (0..).map(|suffix| format!("pk-{n}.{suffix}"));
    all.find(|pk| Hash::Murmur2.partition(pk.as_bytes(), partitions).0 == partition).unwrap()
}

/// Says something past the capture of a passing test's output.
fn tell(line: &str) {
    std::io::stderr().write_all(format!("broker: {line}\n").as_bytes()).unwrap();
}

#[test]
fn without_a_broker_it_is_said_what_was_skipped() {
    if !services::wanted() {
        tell(
            "skipped for want of a real broker (docker/services.sh up): changes, cities, cluster, \
             disk, foreign, kills, outages, secure, settings, split, sync",
        );
    }
}
