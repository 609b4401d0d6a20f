//! Bugs that a review found, each as the request that showed it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

use server::{Server, request, run};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Conditions on a large row cost its reading each; thousands of them in one request held a
/// shard's log for a minute.
#[test]
fn conditions_on_a_large_row_do_not_hold_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--partitions", "1"]);
    let large = format!("{{\"a\":[{}0]}}", "0,".repeat(440_000));
    let put = request(server.http, "PUT", "/v1/records/heavy/1", &JSON, large.as_bytes());
    assert_eq!(put.status, 201, "{put:?}");
    let record = r#"{"pk":"heavy","sk":"1","data":{},"if":"data.z == 1"}"#;
    let body = |count: usize| format!("{{\"Records\":[{}]}}", vec![record; count].join(","));
    let many = request(server.http, "POST", "/records/put", &JSON, body(1_001).as_bytes());
    assert_eq!((many.status, many.text().contains("1001")), (400, true), "{many:?}");
    let target = "/records/put?wait=applied";
    let judged = request(server.http, "POST", target, &JSON, body(1_000).as_bytes()).text();
    assert_eq!(judged.matches("condition-error").count(), 1_000, "{judged:.300}");
    // Whether there is data can be asked of any row.
    let absent = request(server.http, "PUT", "/v1/records/heavy/1?if=data+==+null", &JSON, b"1");
    assert!(absent.status == 412 && absent.text().contains("condition-false"), "{absent:?}");
    let present = request(server.http, "PUT", "/v1/records/heavy/1?if=nil+!=+data", &JSON, b"1");
    assert_eq!(present.status, 200, "{present:?}");
    assert!(server.stop().success());
}

/// A client may end its side once its request is sent, as `nc -N` does.
#[test]
fn a_half_closed_connection_gets_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let mut stream = TcpStream::connect(server.http).unwrap();
    let put = "PUT /v1/records/a/b HTTP/1.1\r\nHost: pumice\r\nContent-Length: 1\r\n\r\n7";
    stream.write_all(put.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer:?}");
    assert!(server.stop().success());
}

/// A list header may stand on several lines, and a proxy may split it.
#[test]
fn every_line_of_a_header_counts() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--partitions", "4"]);
    let wanted = [("pumice-min-offsets", "0:99"), ("pumice-timeout-ms", "5"), ("x", "y")];
    let first = request(server.http, "GET", "/v1/records/a/b", &wanted, b"");
    assert_eq!(first.status, 503, "{first:?}");
    assert_eq!(request(server.http, "PUT", "/v1/records/a/b", &JSON, b"1").status, 201);
    let partition = request(server.http, "DELETE", "/v1/records/zz/b", &[], b"").json();
    let partition = partition["partition"].as_u64().unwrap();
    let reached = format!("{partition}:0");
    let split = [
        ("pumice-min-offsets", reached.as_str()),
        ("pumice-min-offsets", "3:99999"),
        ("pumice-timeout-ms", "5"),
    ];
    let behind = request(server.http, "GET", "/v1/records/a/b", &split, b"");
    assert!(behind.status == 503 && behind.text().contains("behind"), "{behind:?}");
    let two = [JSON[0], ("if-match", "\"0-0\""), ("if-match", "\"0-1\"")];
    assert_eq!(request(server.http, "PUT", "/v1/records/a/b", &two, b"2").status, 400);
    assert!(server.stop().success());
}

/// A shard whose directory is gone was served, and checked, as an empty one.
#[test]
fn a_shard_that_is_gone_is_not_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Server::start(dir.path(), &[]).stop().success());
    fs::remove_dir_all(dir.path().join("shard-002")).unwrap();
    let path = dir.path().to_str().unwrap();
    let ports = ["--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let served = run(&[&["serve", "--data-dir", path][..], &ports].concat());
    assert!(served.0 == 73 && served.2.contains("shard-002 is gone"), "{served:?}");
    let checked = run(&["check", "--data-dir", path]);
    assert!(checked.0 != 0 && checked.2.contains("shard-002 is gone"), "{checked:?}");
}

/// A start that failed for its port left a data directory that no other setting could use.
#[test]
fn a_failed_start_leaves_no_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let new = dir.path().join("new");
    let path = new.to_str().unwrap();
    let failed = run(&["serve", "--data-dir", path, "--http", &address, "--admin", "127.0.0.1:0"]);
    assert!(failed.0 == 78 && !new.exists(), "{failed:?}");
}
