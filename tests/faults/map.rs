//! A map that is full: what heals it while the server runs, and what does in any case.

use crate::server::Server;
use crate::{FLAGS, assert_checked, assert_states, assert_unavailable, delete, fill, has, pk, put};

#[test]
fn a_full_map_heals_by_deletes_or_by_a_larger_one() {
    let dir = tempfile::tempdir().unwrap();
    let small = [&FLAGS[..], &["--map-size", "16MiB"]].concat();
    let server = Server::start(dir.path(), &small);
    let mut acknowledged = fill(&server, 0, 0);
    assert!(acknowledged.len() > 100, "only {} values went in", acknowledged.len());
    assert_states(&server, ["full", "serving"]);
    assert!(acknowledged.iter().all(|pk| has(&server, pk)), "reads go on");
    assert_eq!(put(&server, &pk(1, 0)).status, 201, "another shard has a map of its own");
    let small = |n: usize| { let key = pk(0, n); crate::request(server.http, "PUT", &format!("/v1/records/{key}/"), &[], b"1").status };
    let mut fails = 0; let mut k = 0; let mut ok = 0; while fails < 300 { if small(100_000 + k) == 201 { fails = 0; ok += 1; } else { fails += 1; } k += 1; }
    println!("small {ok} of {k}");
    let mut s = vec![]; for pk in acknowledged.iter() { s.push(delete(&server, pk).status) } println!("large deletes {s:?}");
    let mut s = vec![]; for n in 5000..5020 { s.push(put(&server, &pk(0, n)).status); } println!("large puts {s:?}");
    let _ = &mut acknowledged;
    assert!(server.stop().success());
    assert_checked(dir.path());
}
