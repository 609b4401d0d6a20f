//! A disk that fails: a shim in front of the C library makes the calls of one kind fail with EIO on
//! every shard's file while a trigger file exists, and counts how often they were made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::server::{Server, repository};
use crate::{FLAGS, assert_checked, assert_states, assert_unavailable, has, pk, put, skipped};

/// Writes that are in flight when the disk fails.
const IN_FLIGHT: usize = 8;

#[test]
fn a_failed_sync_breaks_one_shard() {
    breaks_one_shard("sync");
}

#[test]
fn a_failed_meta_page_breaks_one_shard() {
    breaks_one_shard("meta");
}

fn breaks_one_shard(fault: &str) {
    let shims = tempfile::tempdir().unwrap();
    let Some(shim) = built(shims.path(), fault) else { return };
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("LD_PRELOAD", shim.to_str().unwrap()),
        // The shim's own name for it.
        ("PUMICE_SHIM", shims.path().to_str().unwrap()),
    ];
    let mut server = Server::start_with(dir.path(), &FLAGS, &env);
    let mut acknowledged = vec![pk(0, 0), pk(1, 0)];
    assert!(acknowledged.iter().all(|pk| put(&server, pk).status == 201));

    let trigger = shims.path().join(fault);
    let failures = || fs::read(trigger.with_extension("count")).map_or(0, |count| count.len());
    fs::write(&trigger, "").unwrap();
    server.announce("the shard is broken");
    let lost: Vec<String> = (1..=IN_FLIGHT).map(|n| pk(0, n)).collect();
    let unknown = thread::scope(|scope| {
        let puts: Vec<_> = lost.iter().map(|pk| scope.spawn(|| put(&server, pk))).collect();
        let replies = puts.into_iter().map(|put| put.join().unwrap());
        let unknown = |reply: &crate::server::Reply| match reply.status {
            504 => reply.json()["error"]["code"] == "unknown",
            _ => {
                assert_unavailable(reply);
                false
            }
        };
        replies.filter(unknown).count()
    });
    assert!(unknown > 0, "the write that met the fault cannot know what became of it");
    assert_eq!(failures(), 1, "a failed {fault} was tried again");
    fs::remove_file(&trigger).unwrap();

    // It stays broken, for good and alone.
    assert_unavailable(&put(&server, &pk(0, 100)));
    assert_states(&server, ["broken", "serving"]);
    acknowledged.push(pk(1, 1));
    assert_eq!(put(&server, &acknowledged[2]).status, 201);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)), "reads of the last good state go on");
    assert!(!lost.iter().any(|pk| has(&server, pk)));
    let errors: Vec<_> = server.log().into_iter().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].contains("takes no more writes"), "{errors:#?}");
    server.terminate();
    assert!(server.wait().success());

    let server = Server::start(dir.path(), &FLAGS);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)));
    assert_states(&server, ["serving", "serving"]);
    assert_eq!(put(&server, &pk(0, 200)).status, 201);
    assert!(server.stop().success());
    assert_checked(dir.path());
}

/// The shim, the same that the shards are tested with.
fn built(dir: &Path, fault: &str) -> Option<PathBuf> {
    let shim = dir.join("shim.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim);
    match cc.arg(repository("shards/tests/faults.c")).arg("-ldl").status() {
        Err(error) => {
            skipped(&format!("a failed {fault}"), &format!("no C compiler for the shim: {error}"));
            None
        }
        Ok(status) => {
            assert!(status.success(), "the shim does not compile");
            Some(shim)
        }
    }
}
