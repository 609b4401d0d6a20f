//! A node whose wall clock is an hour off, by a library that stands before the C library's clock:
//! it is not ready and says why, and its peers go on.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kafka::node::Node;
use crate::kafka::until;
use crate::members::Cluster;
use crate::server::{PUMICE, repository};
use crate::tell;

const WHY: &str = "the clock of this node is 3";

/// Starts node 4 of a group of its own an hour ahead of `peers`, and stops it.
pub fn an_hour_off(cluster: &Cluster, peers: &[&Node]) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(PUMICE);
    command.env("LD_PRELOAD", library(dir.path())).env("PUMICE_TEST_CLOCK_OFF", "3600");
    let mut node = cluster.start_by(command, 4, "c");
    node.server.announce(WHY);
    until("a node that finds its clock wrong", || {
        let ready = node.admin("/ready");
        (ready.status == 503 && ready.text().contains(WHY)).then_some(())
    });
    // It holds what the plan gives it, and still should not be asked.
    cluster.on_plan(&node, &[("a", &[0, 2]), ("b", &[1]), ("c", &[4])]);
    let ready = node.admin("/ready");
    assert_eq!(ready.status, 503, "{}", ready.text());
    for peer in peers {
        let ready = peer.admin("/ready");
        assert_eq!(ready.status, 200, "{}", ready.text());
    }
    let said = || -> Vec<String> {
        node.server.log().into_iter().filter(|line| line.contains(WHY)).collect()
    };
    until("its line", || (!said().is_empty()).then_some(()));
    let said = said();
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0].contains(" s ahead of the median of its 3 peers: set it"), "{said:#?}");
    tell(&format!("cluster: {}", said[0]));
    node.stop();
}

/// The library, built.
fn library(dir: &Path) -> PathBuf {
    let library = dir.join("clock_off.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
    let built = cc.arg(repository("tests/broker/clock_off.c")).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    library
}
