//! A data directory of format 1, made by the first release and kept in the repository, is opened
//! and read by this one.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::fs;
use std::path::Path;

use server::{Server, repository, request, run};

/// Two records, one of them deleted and made again, one refused write; x86-64's page size.
const FIXTURE: &str = "tests/fixtures/data-format-1";

#[test]
fn a_data_directory_of_format_1_is_served() {
    let dir = tempfile::tempdir().unwrap();
    copy(&repository(FIXTURE), dir.path());
    let path = dir.path().to_str().unwrap();
    let (code, out, err) = run(&["check", "--data-dir", path]);
    assert_eq!(code, 0, "{out}{err}");
    let server = Server::start(dir.path(), &["--namespace", "fixture", "--partitions", "1"]);
    let got = request(server.http, "GET", "/v1/records/pk/a", &[], b"");
    assert_eq!(got.text(), "{\"n\":1}");
    assert_eq!(got.header("etag"), Some("\"0-0\""));
    let got = request(server.http, "GET", "/v1/records/pk/b", &[], b"");
    assert_eq!(got.text(), "[\"made\",\"again\"]");
    let status = request(server.admin, "GET", "/v1/status", &[], b"").json();
    assert_eq!(status["partitions"][0]["offset"], 4, "{status}");
    assert_eq!(status["partitions"][0]["hash"], HASH);
    assert!(server.stop().success());
}

const HASH: &str = "6169357b1f9e73622486d45176b7aec9";

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
