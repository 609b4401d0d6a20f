//! No broker: at the start, and while the node serves. What it has is served, nothing is said to be
//! written, and it goes on by itself once there is one again.

use std::thread;
use std::time::Duration;

use crate::kafka::mock::mutations;
use crate::kafka::node::Node;
use crate::kafka::proxy::Proxy;
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::namespace;

#[test]
fn a_broker_that_goes_takes_no_reads_with_it() {
    let (mock, place) = namespace("outage", 4);
    let proxy = Proxy::start(&mock.brokers());
    let stock = Stock::new(&mock.brokers());
    let dir = tempfile::tempdir().unwrap();
    let node = place.through(&proxy.brokers()).start(dir.path()).ready();
    assert_eq!(node.put("a/b", &[], "1").status, 201);
    let fresh = node.get("/v1/records/a/b", &[]);
    assert_eq!((fresh.text().as_str(), fresh.header("pumice-lag-ms")), ("1", None));
    let ends = stock.ends(&mutations("outage"), 4);

    proxy.cut_off();
    // Into a connection that the broker has just closed bytes may have left: then nobody knows.
    let statuses = writes(&node);
    assert!(statuses.iter().all(|status| [503, 504].contains(status)), "{statuses:?}");
    let statuses = writes(&node);
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    let old = until("the age of an answer", || {
        let read = node.get("/v1/records/a/b", &[]);
        assert_eq!((read.status, read.text().as_str()), (200, "1"));
        read.header("pumice-lag-ms").map(|ms| ms.parse::<u64>().unwrap())
    });
    assert!(old > 0);
    assert_eq!(stock.ends(&mutations("outage"), 4), ends, "503 says that nothing was appended");
    assert_eq!(node.metric("pumice_log_connected", &[]), 0.0);
    assert_eq!(node.admin("/ready").status, 200, "it was caught up, and serves");

    // Others go on meanwhile.
    let other = tempfile::tempdir().unwrap();
    let other = place.start(other.path()).ready();
    assert_eq!(other.put("a/b", &[], "2").status, 200);
    proxy.let_in();
    recovers(&node);
    node.reaches(&stock.ends(&mutations("outage"), 4));
    other.reaches(&stock.ends(&mutations("outage"), 4));
    assert_eq!(node.get("/v1/records/a/b", &[]).text(), "2");
    assert_eq!(node.states(), other.states());
    node.stop();
    other.stop();
}

#[test]
fn a_broker_that_stands_still_gives_no_wrong_answer() {
    let (mock, place) = namespace("stalled", 4);
    let proxy = Proxy::start(&mock.brokers());
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let node = place.through(&proxy.brokers()).start(dirs[0].path()).ready();
    assert_eq!(node.put("a/b", &[], "0").status, 201);
    for round in 1..4 {
        proxy.script().stall(true);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let write = |n: u32| {
                let node = &node;
                move || node.put(&format!("pk-{n}/x"), &[], &round.to_string()).status
            };
            let writes: Vec<_> = (0..8).map(|n| scope.spawn(write(n))).collect();
            thread::sleep(Duration::from_secs(6));
            proxy.script().stall(false);
            writes.into_iter().map(|write| write.join().unwrap()).collect()
        });
        for (n, status) in statuses.into_iter().enumerate() {
            assert!([200, 201, 503, 504].contains(&status), "{status}");
            if status < 300 {
                let read = node.get(&format!("/v1/records/pk-{n}/x"), &[]);
                assert_eq!(read.text(), round.to_string());
            }
        }
    }
    recovers(&node);
    let ends = Stock::new(&mock.brokers()).ends(&mutations("stalled"), 4);
    node.reaches(&ends);
    let other = place.start(dirs[1].path()).ready();
    other.reaches(&ends);
    assert_eq!(node.states(), other.states());
    node.stop();
    other.stop();
}

#[test]
fn a_start_without_a_broker_serves_what_there_is() {
    let (mock, place) = namespace("without", 4);
    let proxy = Proxy::start(&mock.brokers());
    let place = place.through(&proxy.brokers());
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let node = place.start(dirs[0].path()).ready();
    assert_eq!(node.put("a/b", &[], "1").status, 201);
    node.stop();

    proxy.cut_off();
    thread::scope(|scope| {
        let fresh = scope.spawn(|| place.refused(dirs[1].path()));
        // One after the other: a directory belongs to one process.
        let required = place.with(&["--require-log"]).refused(dirs[0].path());
        assert_eq!(required.code, 69, "{required:?}");
        assert!(required.log.contains("the log cannot be reached"), "{required:?}");
        let fresh = fresh.join().unwrap();
        assert_eq!(fresh.code, 69, "{fresh:?}");
        assert!(fresh.log.contains("the log cannot be reached"), "{fresh:?}");
        assert!(!dirs[1].path().join("cluster.toml").exists(), "nothing is left behind");
    });
    let node = place.start(dirs[0].path()).ready();
    let read = node.get("/v1/records/a/b", &[]);
    assert_eq!((read.status, read.text().as_str()), (200, "1"));
    assert!(read.header("pumice-lag-ms").is_some(), "{read:?}");
    // Of a partition that never had an entry nobody knows whether a record is there: better no
    // answer than one with less than there is.
    let all = node.post("/records/get", &[], &every_partition());
    assert_eq!(all.status, 503, "{all:?}");
    assert_eq!(node.put("a/b", &[], "2").status, 503);
    proxy.let_in();
    recovers(&node);
    until("no lag", || {
        let read = node.get("/v1/records/a/b", &[]);
        read.header("pumice-lag-ms").is_none().then_some(())
    });
    node.stop();
}

/// The statuses of writes to several partitions at a time.
fn writes(node: &Node) -> Vec<u16> {
    thread::scope(|scope| {
        let write = |n: u32| {
            let wait = if n.is_multiple_of(2) { "log" } else { "applied" };
            node.put(&format!("pk-{n}/x?wait={wait}"), &[], "1").status
        };
        let writes: Vec<_> = (0..12).map(|n| scope.spawn(move || write(n))).collect();
        writes.into_iter().map(|write| write.join().unwrap()).collect()
    })
}

fn every_partition() -> String {
    let keys: Vec<String> =
        crate::pks(4).iter().map(|pk| format!(r#"{{"pk":"{pk}","sk":""}}"#)).collect();
    format!(r#"{{"Records":[{}]}}"#, keys.join(","))
}

/// Waits until writes are taken again.
fn recovers(node: &Node) {
    for pk in crate::pks(4) {
        until("a write", || {
            let put = node.put(&format!("{pk}/again"), &[], "1");
            assert!([200, 201, 503, 504].contains(&put.status), "{put:?}");
            (put.status < 300).then_some(())
        });
    }
    assert_eq!(node.metric("pumice_log_connected", &[]), 1.0);
}
