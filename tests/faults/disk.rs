//! A disk that is full: a small tmpfs, mounted where only this test and its server see it. The test
//! runs once more in a child that has mount points of its own.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::server::Server;
use crate::{
    FLAGS, assert_checked, assert_states, assert_unavailable, fill, has, pk, put, skipped,
};

const TEST: &str = "disk::a_full_disk_heals_by_itself";
const MOUNTED: &str = "FULL_DISK_TEST_AT";
const MOUNT: &str = "mount -t tmpfs -o size=24m none \"$0\"";

/// Where the small disk is, in the child; `None` in the parent, after the child has passed.
fn mounted() -> Option<PathBuf> {
    if let Some(at) = env::var_os(MOUNTED) {
        return Some(at.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let shell = |flags: &str, script: &str| {
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", script]).arg(dir.path()).env(MOUNTED, dir.path());
        command.arg(env::current_exe().unwrap()).args([TEST, "--exact", "--nocapture"]);
        command.output()
    };
    let may = |flags: &&str| shell(flags, MOUNT).is_ok_and(|output| output.status.success());
    let Some(flags) = ["-m", "-rm"].into_iter().find(may) else {
        skipped(TEST, "this process may not mount a tmpfs, with or without a user namespace");
        return None;
    };
    let output = shell(flags, &format!("{MOUNT} && exec \"$@\"")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
    None
}

#[test]
fn a_full_disk_heals_by_itself() {
    let Some(disk) = mounted() else { return };
    let (ballast, data) = (disk.join("ballast"), disk.join("data"));
    fs::write(&ballast, vec![1; 8 << 20]).unwrap();
    let server = Server::start(&data, &FLAGS);
    let mut acknowledged = fill(&server, 0, 0);
    acknowledged.extend(fill(&server, 1, 0));
    assert!(acknowledged.len() > 100, "only {} values went in", acknowledged.len());

    // The first shard cannot have found room meanwhile, and is asked once more.
    assert_unavailable(&put(&server, &pk(0, 10_000)));
    assert_states(&server, ["full", "full"]);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)), "reads go on");

    fs::remove_file(&ballast).unwrap();
    for shard in [0, 1] {
        acknowledged.push(once_accepted(&server, &pk(shard, 20_000)));
    }
    assert_states(&server, ["serving", "serving"]);
    for n in 20_001..20_011 {
        let pk = pk(n as u32 % 2, n);
        assert_eq!(put(&server, &pk).status, 201);
        acknowledged.push(pk);
    }
    assert!(acknowledged.iter().all(|pk| has(&server, pk)));
    assert!(server.stop().success());
    prove(&data, &acknowledged);
}

fn once_accepted(server: &Server, pk: &str) -> String {
    for _ in 0..1_000 {
        let reply = put(server, pk);
        if reply.status == 201 {
            return pk.to_owned();
        }
        assert_unavailable(&reply);
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("there is room again, and the server does not notice: {:#?}", server.log());
}

fn prove(data: &Path, acknowledged: &[String]) {
    assert_checked(data);
    let server = Server::start(data, &FLAGS);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)));
    assert!(server.stop().success());
}
