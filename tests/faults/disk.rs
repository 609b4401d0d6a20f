//! A disk that is full: a small tmpfs, mounted where only this test and its server see it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::server::Server;
use crate::small_disk;
use crate::{
    FLAGS, assert_checked, assert_states, assert_unavailable, fill, has, pk, put, skipped,
};

const TEST: &str = "disk::a_full_disk_heals_by_itself";

#[test]
fn a_full_disk_heals_by_itself() {
    let Some(disk) = small_disk::mounted(TEST, |why| skipped(TEST, why)) else { return };
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
