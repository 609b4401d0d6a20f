//! `pumice snapshot` from outside: the real binary, a node with the embedded log, and a directory
//! as the object store.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::server::{Server, request, run};

/// Runs a command with `--json`; its exit code and what it printed.
fn json(args: &[&str]) -> (i32, Value) {
    let (code, out, err) = run(&[args, &["--json"]].concat());
    (code, serde_json::from_str(&out).unwrap_or_else(|_| panic!("{args:?}: {out}{err}")))
}

fn put(server: &Server, keys: std::ops::Range<u32>) {
    for n in keys {
        let body = format!("{{\"n\":{n}}}");
        let path = format!("/v1/records/user-{n}/a");
        assert_eq!(request(server.http, "PUT", &path, &[], body.as_bytes()).status, 201);
    }
}

/// The state hash of every partition that has one, as the admin port tells them.
fn hashes(server: &Server) -> Vec<String> {
    let status = request(server.admin, "GET", "/v1/status", &[], b"").json();
    let partitions = status["partitions"].as_array().unwrap().iter();
    partitions.map(|partition| partition["hash"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_lost_disk_comes_back_from_the_store() {
    let dir = TempDir::new().unwrap();
    let (data, objects) = (dir.path().join("data"), dir.path().join("objects"));
    let store = format!("dir:{}", objects.display());
    let there = ["--objects", store.as_str()];
    let flags = ["--partitions", "8", "--objects", &store, "--snapshot-interval", "off"];
    let server = Server::start(&data, &flags);
    put(&server, 0..40);
    let admin = server.admin.to_string();
    let (code, round) = json(&["snapshot", "create", "--admin", &admin]);
    assert_eq!((code, &round["total"], &round["done"]), (0, &8.into(), &8.into()), "{round}");
    assert_eq!(round["failed"], serde_json::json!([]));
    put(&server, 40..60);
    assert_eq!(json(&["snapshot", "create", "--admin", &admin]).0, 0);
    let before = hashes(&server);
    assert!(server.stop().success());

    let list = [&["snapshot", "list"], &there[..]].concat();
    let (code, listed) = json(&list);
    let snapshots = listed["snapshots"].as_array().unwrap();
    assert_eq!(code, 0);
    assert!(snapshots.len() > 8 && snapshots.iter().all(|one| one["state"] == "good"), "{listed}");
    let (code, proved) = json(&[&["snapshot", "verify"], &there[..]].concat());
    assert_eq!((code, &proved["bad"]), (0, &serde_json::json!([])));

    // A new disk: the same command brings everything back before it serves.
    fs::remove_dir_all(&data).unwrap();
    let server = Server::start(&data, &flags);
    assert_eq!(hashes(&server), before);
    let got = request(server.http, "GET", "/v1/records/user-59/a", &[], b"");
    assert_eq!(got.text(), "{\"n\":59}");
    assert!(server.stop().success());
    let (code, out, err) = run(&["check", "--data-dir", data.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn without_a_log_the_latest_snapshot_counts_whatever_its_offset() {
    let dir = TempDir::new().unwrap();
    let (data, objects) = (dir.path().join("data"), dir.path().join("objects"));
    let store = format!("dir:{}", objects.display());
    let flags = ["--partitions", "1", "--objects", &store, "--snapshot-interval", "off"];
    let kept = ["--snapshot-keep", "1", "--snapshot-keep-for", "1s"];
    let flags = [&flags[..], &kept].concat();
    let create =
        |server: &Server| json(&["snapshot", "create", "--admin", &server.admin.to_string()]).0;
    let server = Server::start(&data, &flags);
    put(&server, 0..40);
    assert_eq!(create(&server), 0);
    assert!(server.stop().success());

    // The disk is lost, and somebody begins anew: offsets do too.
    fs::remove_dir_all(&data).unwrap();
    let server = Server::start(&data, &["--partitions", "1"]);
    put(&server, 100..103);
    assert!(server.stop().success());
    let server = Server::start(&data, &flags);
    assert_eq!(create(&server), 0);
    put(&server, 103..104);
    assert_eq!(create(&server), 0);
    let before = hashes(&server);
    assert!(server.stop().success());

    fs::remove_dir_all(&data).unwrap();
    let server = Server::start(&data, &flags);
    assert_eq!(hashes(&server), before);
    assert!(server.stop().success());
}

#[test]
fn what_is_damaged_is_named_and_an_older_one_restored_only_by_force() {
    let dir = TempDir::new().unwrap();
    let (data, objects) = (dir.path().join("data"), dir.path().join("objects"));
    let store = format!("dir:{}", objects.display());
    let there = ["--objects", store.as_str()];
    let flags = ["--partitions", "1", "--objects", &store, "--snapshot-interval", "off"];
    let server = Server::start(&data, &flags);
    let admin = server.admin.to_string();
    for keys in [0..5, 5..9] {
        put(&server, keys);
        assert_eq!(json(&["snapshot", "create", "--admin", &admin]).0, 0);
    }
    assert!(server.stop().success());

    let (_, listed) = json(&[&["snapshot", "list"], &there[..]].concat());
    let newest = listed["snapshots"][0]["snapshot"].as_str().unwrap();
    assert_eq!(listed["snapshots"][0]["next_offset"], 9);
    let path = objects.join(newest).join("rows");
    let mut bytes = fs::read(&path).unwrap();
    bytes[17] ^= 4;
    fs::write(&path, bytes).unwrap();
    let (code, proved) = json(&[&["snapshot", "verify"], &there[..]].concat());
    assert_eq!(
        (code, &proved["good"], &proved["bad"][0]["snapshot"]),
        (1, &1.into(), &newest.into())
    );

    let data = data.to_str().unwrap();
    let restore = [&["snapshot", "restore", "--data-dir", data], &there[..]].concat();
    let (code, restored) = json(&restore);
    assert_eq!((code, &restored["as_they_were"]), (0, &1.into()), "nothing is newer: {restored}");
    let (code, restored) = json(&[&restore[..], &["--force"]].concat());
    assert_eq!((code, &restored["restored"][0]["next_offset"]), (0, &5.into()), "{restored}");
    let (code, out, err) = run(&["check", "--data-dir", data]);
    assert_eq!(code, 0, "{out}{err}");

    let prune = [&["snapshot", "prune", "--keep-for", "0s"], &there[..]].concat();
    let (code, pruned) = json(&[&prune[..], &["--keep", "2"]].concat());
    assert_eq!((code, &pruned["stay"]), (0, &2.into()), "{pruned}");
    let (code, pruned) = json(&[&prune[..], &["--keep", "1", "--dry-run"]].concat());
    assert_eq!((code, &pruned["stay"]), (0, &1.into()), "{pruned}");
    assert_eq!(json(&[&["snapshot", "list"], &there[..]].concat()).1, listed, "nothing went");
}

#[test]
fn a_command_that_cannot_do_its_work_says_why() {
    let (code, _, err) = run(&["snapshot", "list"]);
    assert_eq!(code, 64);
    assert!(err.contains("--objects"), "{err}");
    let dir = TempDir::new().unwrap();
    let server = Server::start(&dir.path().join("data"), &[]);
    let (code, _, err) = run(&["snapshot", "create", "--admin", &server.admin.to_string()]);
    assert_eq!(code, 1);
    assert!(err.contains("--objects"), "{err}");
    assert!(server.stop().success());
}
