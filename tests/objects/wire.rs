//! What S3 does wrong on the wire: a store ends in success or in a fault that says what it is, and
//! never in bytes that were not asked for.

use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use pumice::objects::{Objects, ObjectsFault, Patience};
use pumice::settings::ObjectsSettings;

use crate::s3::{Fault, S3Server, Script};
use crate::{bucket, noise, patience, run};

const NOT_DONE: [Fault; 5] = [
    Fault::Status(500, "InternalError"),
    Fault::Status(400, "RequestTimeout"),
    Fault::SlowDown,
    Fault::Reset,
    Fault::ErrorBody200,
];

#[test]
fn what_passes_is_tried_again() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    run(async {
        let faults = NOT_DONE.into_iter().chain([Fault::LoseAnswer, Fault::ResetMidBody]);
        for (i, fault) in faults.enumerate() {
            let key = format!("n/{i}");
            let bytes = Bytes::from(noise(100_000, i as u64 + 1));
            script.plan(2, Method::PUT, &key, fault);
            script.plan(1, Method::HEAD, &key, fault);
            store.put(&key, bytes.clone()).await.unwrap();
            script.plan(3, Method::GET, &key, fault);
            assert_eq!(store.get_range(&key, 10..99_990).await.unwrap(), bytes[10..99_990]);
            script.plan(2, Method::GET, &key, fault);
            assert_eq!(store.get(&key, 100_000).await.unwrap().unwrap(), bytes);
            script.plan(3, Method::GET, "list-type=2", fault);
            assert_eq!(store.list("n/").await.unwrap().len(), i + 1);
            script.plan(3, Method::DELETE, &key, fault);
            store.delete(&key).await.unwrap();
            script.clear();
            assert_eq!(store.len(&key).await.unwrap(), None, "{fault:?}");
            store.put(&key, bytes).await.unwrap();
        }
    });
    assert!(script.struck() > 80, "{}", script.struck());
}

#[test]
fn patience_ends() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    run(async {
        store.put("n/a", Bytes::from_static(b"there")).await.unwrap();
        for fault in NOT_DONE {
            for method in [Method::PUT, Method::GET, Method::HEAD, Method::DELETE] {
                script.plan(usize::MAX, method, "", fault);
            }
            let before = script.requests(Method::PUT, "");
            let put = store.put("n/b", Bytes::from_static(b"b")).await.unwrap_err();
            assert!(put.is_retryable(), "{fault:?}: {put}");
            assert!(put.to_string().contains("4 tries"), "{put}");
            assert_eq!(script.requests(Method::PUT, "") - before, 4, "{fault:?}");
            let get = store.get_range("n/a", 0..5).await.unwrap_err();
            assert!(get.is_retryable(), "{fault:?}: {get}");
            let list = store.list("n/").await.unwrap_err();
            assert!(list.is_retryable(), "{fault:?}: {list}");
            let delete = store.delete("n/a").await.unwrap_err();
            assert!(delete.is_retryable(), "{fault:?}: {delete}");
            script.clear();
            assert_eq!(store.len("n/b").await.unwrap(), None);
        }
        assert_eq!(store.get("n/a", 5).await.unwrap().unwrap(), "there");
    });
}

#[test]
fn other_bytes_are_never_taken() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let bytes = Bytes::from(noise(50_000, 3));
    run(async {
        store.put("n/a", bytes.clone()).await.unwrap();
        for faults in 1..=3 {
            script.plan(faults, Method::GET, "n/a", Fault::Truncate);
            assert_eq!(store.get("n/a", 50_000).await.unwrap().unwrap(), bytes);
        }
        script.plan(4, Method::GET, "n/a", Fault::Truncate);
        let short = store.get_range("n/a", 0..50_000).await.unwrap_err();
        assert!(matches!(short, ObjectsFault::Wrong { .. }), "{short}");
        // No length and no status betrays it: frames have checksums.
        script.plan(1, Method::GET, "n/a", Fault::WrongBytes);
        let flipped = store.get_range("n/a", 0..50_000).await.unwrap();
        assert!(flipped.len() == 50_000 && flipped != bytes);
        // A request that was damaged is refused, and sent again.
        script.plan(2, Method::PUT, "n/b", Fault::DamageRequest);
        store.put("n/b", bytes.clone()).await.unwrap();
        assert_eq!(store.get("n/b", 50_000).await.unwrap().unwrap(), bytes);
    });
    assert_eq!(script.struck(), 1 + 2 + 3 + 4 + 1 + 2);
    let truncated = &bytes[..25_000];
    std::fs::write(server.file("backups/a/n/a"), truncated).unwrap();
    let cut = run(store.get_range("n/a", 20_000..30_000)).unwrap_err();
    assert!(matches!(cut, ObjectsFault::Wrong { .. }), "{cut}");
}

#[test]
fn a_try_has_a_deadline() {
    let server = S3Server::start("snapshots");
    let settings = ObjectsSettings::S3(server.settings(""));
    let hasty = Patience { tries: 2, deadline: Duration::from_millis(50), ..patience() };
    let store = Objects::open_with(&settings, hasty).unwrap();
    server.faults().plan(2, Method::PUT, "", Fault::Delay(Duration::from_secs(3600)));
    let late = run(store.put("n/a", Bytes::from_static(b"a"))).unwrap_err();
    assert!(late.is_retryable() && late.to_string().contains("50 ms"), "{late}");
}

#[test]
fn what_is_refused_is_not_tried_again() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let refused = |status, code, text: &str| {
        let asked = |script: &Script| script.requests(Method::PUT, "");
        let before = asked(script);
        script.plan(1, Method::PUT, "", Fault::Status(status, code));
        let fault = run(store.put("n/a", Bytes::from_static(b"a"))).unwrap_err();
        assert_eq!(asked(script) - before, 1, "{fault}");
        assert!(!fault.is_retryable() && fault.to_string().contains(text), "{fault}");
        fault
    };
    let denied = refused(403, "AccessDenied", "let the access key");
    assert!(matches!(denied, ObjectsFault::Denied { .. }));
    refused(403, "RequestTimeTooSkewed", "clock");
    let moved = refused(400, "AuthorizationHeaderMalformed", "region");
    assert!(matches!(moved, ObjectsFault::Settings(_)));
    let gone = refused(404, "NoSuchBucket", "make the bucket");
    assert!(matches!(gone, ObjectsFault::Settings(_)));
}
