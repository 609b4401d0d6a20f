//! Files in parts, with faults at every step: the object is whole or not there, and nothing is left
//! behind.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hyper::Method;
use pumice::objects::ObjectsFault;

use crate::s3::{Fault, S3Server};
use crate::{MIB, bucket, file, noise, run};

const LEN: usize = 17 * MIB;
const BEGIN: (Method, &str) = (Method::POST, "?uploads");
const PART: (Method, &str) = (Method::PUT, "partNumber=2");
const COMPLETE: (Method, &str) = (Method::POST, "?uploadId=");
const ABORT: (Method, &str) = (Method::DELETE, "?uploadId=");

#[test]
fn an_upload_survives_faults_that_pass() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let (spool, bytes) = (tempfile::tempdir().unwrap(), noise(LEN, 5));
    let path = file(&spool, &bytes);
    let not_done = [Fault::Status(500, "InternalError"), Fault::Reset, Fault::ErrorBody200];
    script.plan(1, Method::PUT, "partNumber=1", Fault::LoseAnswer);
    script.plan(1, Method::PUT, "partNumber=3", Fault::DamageRequest);
    for (round, fault) in not_done.into_iter().enumerate() {
        for (method, step) in [BEGIN, PART, COMPLETE] {
            script.plan(2, method, step, fault);
        }
        let (key, told) = (format!("n/{round}"), AtomicU64::new(0));
        let sent = |bytes| {
            told.fetch_add(bytes, Ordering::Relaxed);
        };
        run(store.put_file(&key, &path, &sent)).unwrap();
        assert_eq!(told.into_inner(), LEN as u64);
        assert!(std::fs::read(server.file(&format!("backups/a/{key}"))).unwrap() == bytes);
    }
    assert_eq!(script.struck(), 20);
    assert_eq!(server.dangling_uploads(), 0);
}

#[test]
fn an_upload_that_cannot_be_is_aborted() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let spool = tempfile::tempdir().unwrap();
    let path = file(&spool, &noise(LEN, 6));
    for (method, key) in [BEGIN, PART, COMPLETE] {
        script.plan(4, method, key, Fault::SlowDown);
        // The abort has its own bad luck.
        script.plan(3, ABORT.0, ABORT.1, Fault::SlowDown);
        let fault = run(store.put_file("n/a", &path, &|_| ())).unwrap_err();
        assert!(fault.is_retryable(), "{fault}");
        assert_eq!(run(store.len("n/a")).unwrap(), None);
        assert_eq!(server.dangling_uploads(), 0, "{key}");
        script.clear();
    }
    script.plan(1, PART.0, PART.1, Fault::Status(403, "AccessDenied"));
    let denied = run(store.put_file("n/a", &path, &|_| ())).unwrap_err();
    assert!(matches!(denied, ObjectsFault::Denied { .. }), "{denied}");
    assert_eq!(server.dangling_uploads(), 0);
}

/// The server forgets an upload once it is complete, as S3 may.
#[test]
fn a_lost_completion_is_found_out() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let (spool, bytes) = (tempfile::tempdir().unwrap(), noise(LEN, 7));
    let path = file(&spool, &bytes);
    script.plan(1, COMPLETE.0, COMPLETE.1, Fault::LoseAnswer);
    run(store.put_file("n/a", &path, &|_| ())).unwrap();
    assert!(std::fs::read(server.file("backups/a/n/a")).unwrap() == bytes);
    // Now an object of that length is there before, which proves nothing.
    script.plan(1, COMPLETE.0, COMPLETE.1, Fault::LoseAnswer);
    assert!(run(store.put_file("n/a", &path, &|_| ())).is_err());
}

/// Every step of a put and an upload, every fault: whole, or a fault. Two hundred of them.
#[test]
fn two_hundred_faults_store_nothing_wrong() {
    let server = S3Server::start("snapshots");
    let (store, script) = (bucket(&server), server.faults());
    let spool = tempfile::tempdir().unwrap();
    let (small, large) = (Bytes::from(noise(3_000, 8)), noise(9 * MIB, 9));
    let path = file(&spool, &large);
    let faults = [
        Fault::Status(503, "SlowDown"),
        Fault::Status(500, "InternalError"),
        Fault::Reset,
        Fault::LoseAnswer,
        Fault::ResetMidBody,
        Fault::Truncate,
        Fault::WrongBytes,
        Fault::ErrorBody200,
        Fault::DamageRequest,
    ];
    let steps = [(Method::PUT, ""), (Method::HEAD, ""), BEGIN, PART, COMPLETE];
    let mut round = 0;
    while script.struck() < 200 {
        let fault = faults[round % faults.len()];
        let (method, step) = steps[round % steps.len()].clone();
        let key = format!("n/{round}");
        script.plan(1 + round % 4, method, step, fault);
        script.plan(1, ABORT.0, ABORT.1, fault);
        // Only what has a body of several parts takes the steps of an upload.
        let (done, want) = if round % steps.len() < 2 {
            (run(store.put(&key, small.clone())), &small[..])
        } else {
            (run(store.put_file(&key, &path, &|_| ())), &large[..])
        };
        script.clear();
        let found = std::fs::read(server.file(&format!("backups/a/{key}"))).ok();
        match done {
            Ok(()) => assert!(found.as_deref() == Some(want), "{fault:?} {step}: stored wrongly"),
            Err(_) => assert!(found.is_none_or(|found| found == want), "{fault:?} {step}: torn"),
        }
        round += 1;
    }
}
