//! The life of a server from outside: what it refuses at start, how it ends, who may share a port
//! or a directory with it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use server::{Server, request, run};

#[test]
fn one_process_has_a_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let path = dir.path().to_str().unwrap();
    let second =
        run(&["serve", "--data-dir", path, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    assert_eq!(second.0, 73, "{second:?}");
    assert!(second.2.contains("is in use by another process"), "{second:?}");
    assert!(server.stop().success());
}

#[test]
fn a_port_is_not_shared_with_another_process() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(dir.path(), &[]);
    let address = server.http.to_string();
    let path = other.path().to_str().unwrap();
    let second = run(&["serve", "--data-dir", path, "--http", &address, "--admin", "127.0.0.1:0"]);
    assert_eq!(second.0, 78, "{second:?}");
    assert!(second.2.contains("cannot listen on"), "{second:?}");
    assert!(server.stop().success());
}

#[test]
fn a_data_directory_keeps_what_it_was_made_for() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Server::start(dir.path(), &["--partitions", "8", "--shards", "3"]).stop().success());
    let path = dir.path().to_str().unwrap();
    let with = |flags: &[&str]| {
        let fixed =
            ["serve", "--data-dir", path, "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        run(&[&fixed[..], flags].concat())
    };
    let eight = ["--partitions", "8"];
    for (flags, named) in [
        (vec!["--partitions", "16"], "partitions 8, not 16"),
        ([&eight[..], &["--hash", "xxh64"]].concat(), "hash murmur2, not xxh64"),
        ([&eight[..], &["--namespace", "other"]].concat(), "namespace default, not other"),
        ([&eight[..], &["--shards", "4"]].concat(), "shards 3, not 4"),
        // Never heard: offsets of a log mean nothing in a directory that is its own.
        (
            [&eight[..], &["--log", "kafka", "--kafka-brokers", "127.0.0.1:1"]].concat(),
            "log embedded, not kafka",
        ),
    ] {
        let refused = with(&flags);
        assert_eq!(refused.0, 73, "{refused:?}");
        assert!(refused.2.contains(named), "{refused:?}");
    }
    assert!(Server::start(dir.path(), &["--partitions", "8"]).stop().success());
}

#[test]
fn what_was_written_is_there_after_a_restart_with_other_cores() {
    let dir = tempfile::tempdir().unwrap();
    let json = [("content-type", "application/json")];
    let server = Server::start(dir.path(), &[]);
    for n in 0..50 {
        let put = request(server.http, "PUT", &format!("/v1/records/k{n}/s"), &json, b"[1, 2]");
        assert_eq!(put.status, 201, "{put:?}");
    }
    assert!(server.stop().success());
    let cores = if std::thread::available_parallelism().unwrap().get() > 1 { "2" } else { "1" };
    let server = Server::start(dir.path(), &["--cores", cores]);
    for n in 0..50 {
        let got = request(server.http, "GET", &format!("/v1/records/k{n}/s"), &[], b"");
        assert_eq!((got.status, got.text().as_str()), (200, "[1,2]"));
    }
    let put = request(server.http, "PUT", "/v1/records/k0/s", &json, b"3");
    assert_eq!(put.status, 200, "{put:?}");
    assert!(server.stop().success());
}
