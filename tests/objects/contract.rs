//! What every store promises, over each of them.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pumice::objects::{Faulty, Objects, ObjectsFault};
use pumice::settings::ObjectsSettings;

use crate::s3::S3Server;
use crate::{MIB, bucket, file, noise, run};

fn directory(root: &tempfile::TempDir) -> Objects {
    Objects::open(&ObjectsSettings::Directory(root.path().join("new/objects"))).unwrap()
}

#[test]
fn a_bucket_keeps_it() {
    let server = S3Server::start("snapshots");
    run(contract(&bucket(&server)));
    run(many(&bucket(&server)));
    assert_eq!(server.dangling_uploads(), 0);
    assert_eq!(server.faults().struck(), 0);
}

#[test]
fn a_directory_keeps_it() {
    let root = tempfile::tempdir().unwrap();
    run(contract(&directory(&root)));
    run(many(&directory(&root)));
    let left = std::fs::read_dir(root.path().join("new/objects/n")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn a_faulty_one_without_a_script_keeps_it() {
    let root = tempfile::tempdir().unwrap();
    run(contract(&Objects::Faulty(Box::new(Faulty::new(directory(&root))))));
}

async fn contract(store: &Objects) {
    assert_eq!(store.len("n/1/a").await.unwrap(), None);
    assert_eq!(store.get("n/1/a", 10).await.unwrap(), None);
    store.delete("n/1/a").await.unwrap();
    assert!(store.list("").await.unwrap().is_empty());
    let absent = store.get_range("n/1/a", 0..4).await.unwrap_err();
    assert!(matches!(absent, ObjectsFault::NotFound { .. }), "{absent}");

    store.put("n/1/a", Bytes::from_static(b"0123456789")).await.unwrap();
    assert_eq!(store.len("n/1/a").await.unwrap(), Some(10));
    assert_eq!(store.get("n/1/a", 10).await.unwrap().unwrap(), "0123456789");
    let large = store.get("n/1/a", 9).await.unwrap_err();
    assert!(matches!(large, ObjectsFault::Wrong { .. }), "{large}");
    assert_eq!(store.get_range("n/1/a", 2..5).await.unwrap(), "234");
    assert_eq!(store.get_range("n/1/a", 9..10).await.unwrap(), "9");
    assert_eq!(store.get_range("n/1/a", 4..4).await.unwrap(), "");
    for range in [9..11, 10..11, 50..60, 0..1 << 40] {
        let beyond = store.get_range("n/1/a", range).await.unwrap_err();
        assert!(matches!(beyond, ObjectsFault::Wrong { .. }), "{beyond}");
    }

    store.put("n/1/a", Bytes::from_static(b"new")).await.unwrap();
    assert_eq!(store.get("n/1/a", 10).await.unwrap().unwrap(), "new");
    store.put("n/1/empty", Bytes::new()).await.unwrap();
    assert_eq!(store.len("n/1/empty").await.unwrap(), Some(0));
    assert_eq!(store.get("n/1/empty", 0).await.unwrap().unwrap(), "");

    files(store).await;

    store.put("n/2/b", Bytes::from_static(b"b")).await.unwrap();
    let keys = async |prefix| {
        let listed = store.list(prefix).await.unwrap();
        listed.into_iter().map(|object| (object.key, object.len)).collect::<Vec<_>>()
    };
    let all = [("n/1/a", 3), ("n/1/empty", 0), ("n/2/b", 1)];
    let all = all.map(|(key, len)| (key.to_owned(), len));
    assert_eq!(keys("").await, all);
    assert_eq!(keys("n/").await, all);
    assert_eq!(keys("n/1/").await, all[..2]);
    assert_eq!(keys("n/1/e").await, all[1..2]);
    assert!(keys("n/3").await.is_empty() && keys("../").await.is_empty());
    assert!(store.list("n/2").await.unwrap()[0].modified_ms > 1_700_000_000_000);

    store.delete("n/1/a").await.unwrap();
    assert_eq!(store.len("n/1/a").await.unwrap(), None);
    assert_eq!(keys("").await, all[1..]);
    assert!(store.put("../out", Bytes::new()).await.is_err());
}

/// One part, one byte more, and two and a half.
async fn files(store: &Objects) {
    let spool = tempfile::tempdir().unwrap();
    for len in [0, 8 * MIB, 8 * MIB + 1, 20 * MIB] {
        let bytes = noise(len, len as u64);
        let told = AtomicU64::new(0);
        let sent = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        store.put_file("n/big", &file(&spool, &bytes), &sent).await.unwrap();
        assert_eq!(told.into_inner(), len as u64);
        assert_eq!(store.len("n/big").await.unwrap(), Some(len as u64));
        for at in (0..len).step_by(5 * MIB) {
            let end = len.min(at + 5 * MIB);
            let range = store.get_range("n/big", at as u64..end as u64).await.unwrap();
            assert!(range == bytes[at..end], "{at}..{end} of {len}");
        }
    }
    store.delete("n/big").await.unwrap();
    let missing = store.put_file("n/big", &spool.path().join("none"), &|_| ()).await.unwrap_err();
    assert!(matches!(missing, ObjectsFault::Local { .. }), "{missing}");
    assert_eq!(store.len("n/big").await.unwrap(), None);
}

/// More than two pages of a listing.
async fn many(store: &Objects) {
    for i in 0..2_003 {
        store.put(&format!("many/{i:05}"), Bytes::from_static(b"x")).await.unwrap();
    }
    let listed = store.list("many/").await.unwrap();
    assert_eq!(listed.len(), 2_003);
    assert!(listed.iter().enumerate().all(|(i, object)| object.key == format!("many/{i:05}")));
}
