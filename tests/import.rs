//! Loading real records, reading them back byte for byte, before and after a kill; and what an
//! import and a check say when something is wrong.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;
use server::{Server, repository, run};

#[derive(Deserialize)]
struct Line<'l> {
    pk: &'l str,
    sk: String,
    #[serde(borrow)]
    data: &'l RawValue,
}

/// The full set of records where it lies beside the repository, else the bundled cut of it.
fn cities() -> PathBuf {
    let full = repository("../shared/data/cities.ndjson.gz");
    if full.exists() {
        return full;
    }
    let line = "import: the full set of cities is not there, the bundled sample is imported\n";
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    repository("src/cli/sample/cities.ndjson.gz")
}

fn unpacked(file: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// (pk, sk, data) of every line, in an order that both sides can have.
fn records(text: &str) -> Vec<(&str, String, &str)> {
    let mut all: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Line<'_>>(line).unwrap())
        .map(|Line { pk, sk, data }| (pk, sk, data.get()))
        .collect();
    all.sort();
    all
}

fn export(server: &Server) -> String {
    let (code, text, said) = run(&["export", "--from", &server.url()]);
    assert_eq!(code, 0, "{said}");
    text
}

fn check(dir: &Path) -> (i32, serde_json::Value) {
    let (code, found, said) = run(&["check", "--json", "--data-dir", dir.to_str().unwrap()]);
    (code, serde_json::from_str(&found).unwrap_or_else(|_| panic!("{code} {found} {said}")))
}

#[test]
fn what_is_imported_is_exported_byte_for_byte() {
    let file = cities();
    let text = unpacked(&file);
    let wanted = records(&text);
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &["--cores", "1"]);
    let imported = run(&["import", file.to_str().unwrap(), "--to", &server.url(), "--json"]);
    assert_eq!(imported.0, 0, "{imported:?}");
    let summary: serde_json::Value = serde_json::from_str(&imported.1).unwrap();
    assert_eq!(summary["complete"], true, "{summary}");
    assert_eq!(summary["applied"], wanted.len(), "{summary}");
    assert_eq!((&summary["refused"], &summary["failed"]), (&0.into(), &0.into()), "{summary}");
    assert!(records(&export(&server)) == wanted, "the export differs from the import");

    server.kill();
    let server = Server::start(dir.path(), &["--cores", "1"]);
    assert!(records(&export(&server)) == wanted, "the export differs after a kill");
    assert!(server.stop().success());
    let (code, found) = check(dir.path());
    assert_eq!((code, &found["clean"], &found["rows"]), (0, &true.into(), &wanted.len().into()));
}

#[test]
fn a_check_finds_damage() {
    let dir = tempfile::tempdir().unwrap();
    let flags = ["--partitions", "1", "--shards", "1"];
    let server = Server::start(dir.path(), &flags);
    let file = dir.path().join("lines");
    let marks: Vec<String> = (0..500).map(|n| format!("mark {n:04} mark")).collect();
    let lines = marks.iter().enumerate().map(|(n, mark)| {
        format!("{{\"pk\":\"pk\",\"sk\":\"{n}\",\"data\":{{\"mark\":\"{mark}\"}}}}\n")
    });
    fs::write(&file, lines.collect::<String>()).unwrap();
    let imported = run(&["import", file.to_str().unwrap(), "--to", &server.url()]);
    assert_eq!(imported.0, 0, "{imported:?}");
    assert!(server.stop().success());
    assert_eq!(check(dir.path()).0, 0);

    // One letter of one value, wherever a copy of it lies.
    let path = dir.path().join("shard-000/data.mdb");
    let mut bytes = fs::read(&path).unwrap();
    let mark = marks[250].as_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - mark.len()).filter(|at| bytes[*at..].starts_with(mark)).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[*at] = b'M');
    fs::write(&path, bytes).unwrap();
    let (code, found) = check(dir.path());
    assert_eq!((code, &found["clean"]), (1, &false.into()), "{found}");
    assert!(found["faults"][0].as_str().unwrap().contains("hashes to"), "{found}");
}

#[test]
fn an_import_names_the_lines_that_failed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let long = "k".repeat(513);
    let lines = [
        r#"{"pk":"a","sk":"1","data":{}}"#.to_owned(),
        r#"{"pk":"a","sk":"2","data":}"#.to_owned(),
        format!("{{\"pk\":\"{long}\",\"sk\":\"3\",\"data\":{{}}}}"),
        r#"{"pk":"a","sk":"4","data":[4]}"#.to_owned(),
    ];
    let file = dir.path().join("lines");
    fs::write(&file, lines.join("\n")).unwrap();
    let import = |from: &str| {
        let (to, file) = (server.url(), file.to_str().unwrap());
        run(&["import", file, "--to", &to, "--from-line", from, "--json"])
    };
    let (code, summary, said) = import("1");
    assert_eq!(code, 1, "{summary} {said}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["applied"], &summary["failed"]), (&2.into(), &2.into()), "{summary}");
    let named: Vec<_> = summary["faults"].as_array().unwrap().iter().map(|f| &f["line"]).collect();
    assert_eq!(named, [2, 3], "{summary}");
    assert!(said.contains("line 2 ") && said.contains("line 3 "), "{said}");
    assert_eq!(records(&export(&server)).len(), 2);

    let (code, summary, said) = import("4");
    assert_eq!(code, 0, "{summary} {said}");
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!((&summary["applied"], &summary["lines"]), (&1.into(), &4.into()), "{summary}");
    assert!(server.stop().success());
}

#[test]
fn an_import_without_a_server_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lines");
    fs::write(&file, "{\"pk\":\"a\",\"sk\":\"1\",\"data\":{}}\n").unwrap();
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = run(&["import", file.to_str().unwrap(), "--to", &format!("http://{free}")]);
    assert_eq!(refused.0, 1, "{refused:?}");
    assert!(refused.2.contains("cannot reach"), "{refused:?}");
    let absent = dir.path().join("absent");
    let absent = run(&["import", absent.to_str().unwrap()]);
    assert!(absent.0 != 0 && absent.2.contains("absent"), "{absent:?}");
}
