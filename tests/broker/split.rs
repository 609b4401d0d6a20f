//! Two regions that lose each other, really: both go on to serve what they have, the one without
//! the broker says how old that is, and once they are together again all replicas are one. Threads
//! of the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::answers::{States, caught_up, compare};
use crate::kafka::mock::mutations;
use crate::kafka::node::{Node, Place};
use crate::kafka::proxy::Proxy;
use crate::kafka::stock::Stock;
use crate::kafka::until;
use crate::regions::Regions;
use crate::services::Services;
use crate::{pk, soak, tell};

const PARTITIONS: u32 = 8;
/// Records a partition.
const RECORDS: usize = 20;

/// What is stored under each key.
type Values = BTreeMap<String, String>;

#[test]
fn two_regions_that_lose_each_other_serve_on_and_agree_again() {
    let Some(services) = Services::shared() else { return };
    let regions = match Regions::new() {
        Ok(regions) => regions,
        Err(why) => return tell(&format!("skipped: a split of two regions: {why}")),
    };
    let proxy = Proxy::at(regions.broker(), &services.kafka);
    let place = services.place("split", PARTITIONS).through(&proxy.brokers());
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [eu, us, other] = thread::scope(|scope| {
        let starts = [0, 1, 2].map(|number| {
            let (place, regions, dir) = (&place, &regions, dirs[number].path());
            scope.spawn(move || start(place, regions, number, dir).ready())
        });
        starts.map(|start| start.join().unwrap())
    });
    let both = [&us, &other];
    let before = write(&eu, "before");
    let stock = Stock::new(&services.kafka);
    let ends = || stock.ends(&mutations(&place.namespace), PARTITIONS);
    caught_up(&[&eu, &us, &other], &ends());
    for node in [&eu, &us, &other] {
        until("nobody behind", || read(node, &before).is_none().then_some(()));
    }

    regions.cut();
    let since = Instant::now();
    let after = write(&eu, "after");
    let mut lags = Vec::new();
    let length = Duration::from_secs(if soak() { 60 } else { 20 });
    let noticed = || dead(&eu) == 2 && both.iter().all(|node| dead(node) == 1);
    let mut has_noticed = false;
    until("both sides to notice, and a lag that grows", || {
        read(&eu, &after);
        let told = both.map(|node| read(node, &before));
        lags.extend(told.into_iter().flatten());
        has_noticed = has_noticed || noticed();
        let grows = lags.last() > lags.first();
        (has_noticed && grows && since.elapsed() >= length).then_some(())
    });
    let lag = us.metric("pumice_partition_lag_seconds", &[]);
    assert!(lag > 0.0, "{lag}");
    let put = us.put(&format!("{}/lost", pk(0, PARTITIONS, 0)), &[], "1");
    assert!([503, 504].contains(&put.status), "{put:?}");
    for node in [&eu, &us, &other] {
        assert_eq!(node.admin("/ready").status, 200, "{}", node.admin("/ready").text());
    }
    let apart = since.elapsed();

    regions.heal();
    until("both sides to hear each other", || {
        (dead(&eu) == 0 && both.iter().all(|node| dead(node) == 0)).then_some(())
    });
    caught_up(&[&eu, &us, &other], &ends());
    for node in [&eu, &us, &other] {
        until("nobody behind", || read(node, &after).is_none().then_some(()));
    }
    compare(&mut States::new(), &[&eu, &us, &other]);
    tell(&format!(
        "split: apart for {apart:?}, {} reads of an old state told its age, {} to {} ms",
        lags.len(),
        lags[0],
        lags[lags.len() - 1]
    ));
    [eu, us, other].into_iter().for_each(Node::stop);
}

/// Node 0 is in `eu` and has everything, 1 and 2 share it in `us`.
fn start(place: &Place, regions: &Regions, number: usize, dir: &Path) -> Node {
    let in_eu = number == 0;
    let address = if in_eu { regions.eu() } else { regions.us() };
    let [http, admin, gossip] = [8_190, 8_191, 8_192].map(|port| port + number as u16 * 10);
    let listen = |port| match in_eu {
        true => format!("{address}:{port}"),
        false => format!("0.0.0.0:{port}"),
    };
    let (region, group) = if in_eu { ("eu", "a") } else { ("us", "b") };
    let seeds = format!("{}:8192,{}:8202,{}:8212", regions.eu(), regions.us(), regions.us());
    let flags = [
        ["--http", &listen(http)],
        ["--admin", &listen(admin)],
        ["--advertise", &format!("{address}:{http}")],
        ["--gossip", &format!("{address}:{gossip}")],
        ["--seeds", &seeds],
        ["--node-id", &format!("n{number}")],
        ["--region", region],
        ["--replica-group", group],
    ];
    let mut node = place.with(&flags.concat()).start_by(regions.command(in_eu), dir);
    if !in_eu {
        node.server.http = SocketAddr::from((regions.us_here(), http));
        node.server.admin = SocketAddr::from((regions.us_here(), admin));
    }
    node
}

/// Writes all records through a node.
fn write(node: &Node, value: &str) -> Values {
    let mut values = Values::new();
    for n in 0..RECORDS * PARTITIONS as usize {
        let key = format!("{}/r", pk(n as u32 % PARTITIONS, PARTITIONS, n));
        let value = format!("{:?}", format!("{value} {n}"));
        let put = node.put(&key, &[], &value);
        assert!([200, 201].contains(&put.status), "{put:?}");
        values.insert(key, value);
    }
    values
}

/// Reads all records at a node: they must be these. The greatest age that it told of any.
fn read(node: &Node, values: &Values) -> Option<u64> {
    let read = values.iter().map(|(key, value)| {
        let got = node.get(&format!("/v1/records/{key}"), &[]);
        assert_eq!((got.status, &got.text()), (200, value), "{key} at {}", node.http());
        got.header("pumice-lag-ms").map(|ms| ms.parse().unwrap())
    });
    read.max().flatten()
}

/// How many members a node takes for dead.
fn dead(node: &Node) -> usize {
    let body = node.admin("/v1/cluster").json();
    body["members"].as_array().unwrap().iter().filter(|member| member["alive"] == false).count()
}
