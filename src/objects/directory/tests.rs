//! What a directory does beside what every store promises: files that are moved, and directories
//! that go with their last object.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tempfile::TempDir;

use super::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Everything below a directory.
fn below(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(below(&path).into_iter().map(|inner| format!("{name}/{inner}")));
        }
        found.insert(name);
    }
    found
}

#[test]
fn a_file_is_moved_on_its_file_system_and_copied_to_another() {
    let spool = TempDir::new().unwrap();
    let mut roots = vec![TempDir::new().unwrap()];
    match tempfile::tempdir_in("/dev/shm") {
        Ok(root) => roots.push(root),
        Err(fault) => eprintln!("/dev/shm: {fault}: skipped the copy to another file system"),
    }
    for root in &roots {
        let dir = Directory::open(&root.path().join("objects")).unwrap();
        let from = spool.path().join("rows");
        fs::write(&from, "rows").unwrap();
        let told = AtomicU64::new(0);
        let sent = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        run(dir.put_file("a/b/rows", &from, &sent)).unwrap();
        assert_eq!(told.into_inner(), 4);
        let far = fs::metadata(root.path()).unwrap().dev() != fs::metadata(&spool).unwrap().dev();
        assert_eq!(from.exists(), far);
        assert_eq!(fs::read_to_string(root.path().join("objects/a/b/rows")).unwrap(), "rows");
        let left = ["a", "a/b", "a/b/rows"].map(str::to_owned);
        assert_eq!(below(&root.path().join("objects")), left.into());
    }
}

#[test]
fn a_directory_goes_with_its_last_object() {
    let root = TempDir::new().unwrap();
    let dir = Directory::open(root.path()).unwrap();
    let left = || below(root.path());
    for key in ["n/p1/a/rows", "n/p1/a/manifest", "n/p2/a/rows"] {
        run(dir.put(key, Bytes::new())).unwrap();
    }
    run(dir.delete("n/p1/a/manifest")).unwrap();
    assert!(left().contains("n/p1/a/rows"));
    run(dir.delete("n/p1/a/rows")).unwrap();
    assert_eq!(left(), ["n", "n/p2", "n/p2/a", "n/p2/a/rows"].map(str::to_owned).into());
    run(dir.delete("n/p2/a/rows")).unwrap();
    assert_eq!(left(), BTreeSet::new());
    run(dir.put("n/p2/a/rows", Bytes::new())).unwrap();
}

#[test]
fn who_puts_is_not_in_the_way_of_who_deletes_the_last() {
    let root = TempDir::new().unwrap();
    let work = |key: &'static str| {
        let dir = Directory::open(root.path()).unwrap();
        move || {
            for _ in 0..200 {
                run(dir.put(key, Bytes::new())).unwrap();
                run(dir.delete(key)).unwrap();
            }
        }
    };
    thread::scope(|scope| {
        for key in ["n/a", "n/b", "n/m/c"] {
            scope.spawn(work(key));
        }
    });
    assert_eq!(below(root.path()), BTreeSet::new());
}
