//! Partitions that come and go on a node that runs, on librdkafka's mock cluster: what is followed
//! again has the state that a node has which never let go, and nobody else notices.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "snapshots/door.rs"]
mod door;
mod kafka;
#[path = "kafka_hold/node.rs"]
mod node;
#[path = "kafka_hold/peers.rs"]
mod peers;
#[path = "kafka_hold/restores.rs"]
mod restores;
mod s3;
mod server;
#[path = "kafka_hold/streams.rs"]
mod streams;

use std::thread;
use std::time::Duration;

use kafka::mock::Mock;
use kafka::until;
use node::{Node, PARTITIONS, Place, all};
use pumice::mesh::holds::Hold;
use pumice::mesh::ticket::{Answer, Until};
use pumice::stats::progress::Following;
use pumice_model::hash::Hash;
use pumice_model::ids::{Offset, Partition};
use pumice_shards::Position;
use tempfile::TempDir;

type Puts = Vec<(String, String, String)>;

fn namespace(name: &str) -> (Mock, Place) {
    let mock = Mock::with_namespace(name, PARTITIONS);
    let (brokers, name) = (mock.brokers(), name.to_owned());
    (mock, Place { brokers, name, objects: None, streams: false })
}

fn dirs<const N: usize>() -> [TempDir; N] {
    [(); N].map(|()| TempDir::new().unwrap())
}

/// Puts of these numbers, into all partitions.
fn puts(numbers: std::ops::Range<u32>) -> Puts {
    let put = |n: u32| (format!("pk-{}", n % 40), format!("{}", n % 7), format!("{{\"n\":{n}}}"));
    numbers.map(put).collect()
}

/// Puts of these numbers into one partition.
fn puts_into(partition: u32, numbers: std::ops::Range<u32>) -> Puts {
    let mut pks = (0..).map(|n| format!("pk-{n}"));
    let pk = pks.find(|pk| Hash::Murmur2.partition(pk.as_bytes(), PARTITIONS).0 == partition);
    let pk = pk.unwrap();
    numbers.map(|n| (pk.clone(), n.to_string(), n.to_string())).collect()
}

fn count(node: &Node, partition: u32) -> u64 {
    node.position(partition).next.0
}

#[test]
fn what_is_followed_again_has_the_state_of_who_never_let_go() {
    let (_mock, place) = namespace("again");
    let dirs: [TempDir; 2] = dirs();
    let mut whole = place.whole(dirs[0].path());
    whole.put(&puts(0..200));
    let part = place.told(dirs[1].path());
    assert!(all().all(|Partition(p)| part.following(p) == Following::Absent));
    assert!(!part.progress.started(|_| Offset(0)), "nobody has said what is to be followed");
    for partition in [0, 1, 2, 1, 2] {
        part.follow(partition);
    }
    (0..3).for_each(|partition| part.equals(&whole, partition));
    until("the start", || part.progress.started(|p| part.next(p.0)).then_some(()));
    assert!(part.has_state(1) && !part.has_state(3));
    let first: u64 = (0..3).map(|partition| count(&whole, partition)).sum();
    assert_eq!(part.stats.entries.get(), first, "twice told is once followed");

    part.release(1);
    assert!(!part.has_state(1));
    assert_eq!(part.next(1), Offset(0));
    part.release(1);
    whole.put(&puts(200..500));
    for partition in [0, 2] {
        part.equals(&whole, partition);
        assert_eq!(part.following(partition), Following::Live);
    }
    assert_eq!(part.position(1), Position::ZERO, "nothing of it comes any more");

    let before = part.stats.entries.get();
    part.follow(1);
    part.equals(&whole, 1);
    assert_eq!(part.stats.entries.get() - before, count(&whole, 1), "the others came once");
    part.follow(3);
    all().for_each(|Partition(partition)| part.equals(&whole, partition));
    whole.put(&puts(500..600));
    all().for_each(|Partition(partition)| part.equals(&whole, partition));
    whole.stop();
    part.stop();
}

#[test]
fn partitions_come_and_go_while_entries_flow() {
    let (_mock, place) = namespace("flow");
    let dirs: [TempDir; 2] = dirs();
    let mut whole = place.whole(dirs[0].path());
    let part = place.told(dirs[1].path());
    part.follow(0);
    for turn in 0..60_u32 {
        let waiting = whole.write(&puts(turn * 50..turn * 50 + 50), Until::Judged);
        let partition = 1 + turn % 3;
        part.follow(partition);
        if turn.is_multiple_of(2) {
            until("some of it", || (part.next(partition) > Offset(0)).then_some(()));
        }
        // Told together, too: the release counts, and so does what follows it.
        part.tell(Hold::Release(Partition(partition)));
        if turn % 5 < 2 {
            part.follow(partition);
        }
        assert_ne!(part.following(0), Following::Broken);
        whole.answers(waiting, |_| false);
    }
    (1..PARTITIONS).for_each(|partition| part.follow(partition));
    all().for_each(|Partition(partition)| part.equals(&whole, partition));
    for Partition(partition) in all() {
        let (one, other) = (part.position(partition), whole.position(partition));
        assert_eq!((one.next, one.hash), (other.next, other.hash));
    }
    whole.stop();
    part.stop();
}

#[test]
fn writes_into_what_is_not_followed_are_told_that_the_log_has_them() {
    let (_mock, place) = namespace("written");
    let dirs: [TempDir; 2] = dirs();
    let whole = place.whole(dirs[0].path());
    let mut part = place.told(dirs[1].path());
    let logged = |answer: &Option<Answer>| matches!(answer, Some(Answer::Logged(_)));
    let waiting = part.write(&puts_into(1, 0..200), Until::Logged);
    let answers = part.answers(waiting, |_| false);
    assert!(answers.iter().all(logged), "{answers:?}");
    // Who waits to hear more hears the place, and then nothing: the front's own time ends it.
    let waiting = part.write(&puts_into(1, 200..210), Until::Judged);
    let answers = part.answers(waiting, |came| came == 10);
    assert!(answers.iter().all(logged), "{answers:?}");

    // Released while many are on their way: each is logged, none is said to be lost.
    part.follow(1);
    part.equals(&whole, 1);
    let waiting = part.write(&puts_into(1, 0..2_000), Until::Logged);
    part.tell(Hold::Release(Partition(1)));
    let answers = part.answers(waiting, |_| false);
    assert!(answers.iter().all(logged), "{answers:?}");
    until("a release", || part.is_released(1).then_some(()));
    until("all entries", || (count(&whole, 1) == 2_210).then_some(()));

    // Those who wait for an outcome get it before the partition goes.
    part.follow(1);
    part.equals(&whole, 1);
    let waiting = part.write(&puts_into(1, 0..200), Until::Judged);
    let answers = part.answers(waiting, |_| false);
    assert!(answers.iter().all(|answer| matches!(answer, Some(Answer::Judged(_)))));
    part.release(1);
    whole.stop();
    part.stop();
}

#[test]
fn a_restart_follows_nothing_and_keeps_its_rows_until_they_are_released() {
    let (mock, place) = namespace("restart");
    let dirs: [TempDir; 2] = dirs();
    let mut whole = place.whole(dirs[0].path());
    whole.put(&puts(0..200));
    let part = place.told(dirs[1].path());
    [0, 1].into_iter().for_each(|partition| part.follow(partition));
    [0, 1].into_iter().for_each(|partition| part.equals(&whole, partition));
    let held = [0, 1].map(|partition| part.position(partition));
    part.stop();
    whole.put(&puts(200..300));

    let part = place.told(dirs[1].path());
    assert_eq!([0, 1].map(|partition| part.position(partition)), held);
    assert_eq!(part.following(0), Following::Absent);
    assert!(!part.has_state(0), "nobody has said that it is to be read");
    part.follow(0);
    part.equals(&whole, 0);
    let new = count(&whole, 0) - held[0].next.0;
    assert_eq!(part.stats.entries.get(), new, "it goes on where it stood");
    assert_eq!(part.position(1), held[1]);
    part.release(1);
    part.stop();
    whole.stop();

    // Without a broker there is what there was, and a release needs none.
    mock.down();
    let part = place.told(dirs[1].path());
    part.follow(0);
    until("a state", || part.has_state(0).then_some(()));
    assert_eq!(part.following(0), Following::Starting);
    part.release(0);
    mock.up();
    part.stop();
}

#[test]
fn a_broken_partition_is_healed_by_letting_go_of_it() {
    let dirs: [TempDir; 2] = dirs();
    let (mock, place) = namespace("healed");
    let mut part = place.told(dirs[1].path());
    all().for_each(|Partition(partition)| part.follow(partition));
    until("all of them", || {
        all().all(|Partition(p)| part.following(p) == Following::Live).then_some(())
    });
    part.put(&puts(0..100));
    part.stop();
    drop(mock);

    // Another log under the same name.
    let (_mock, place) = namespace("healed");
    let mut whole = place.whole(dirs[0].path());
    whole.put(&puts(300..600));
    let part = place.told(dirs[1].path());
    part.follow(1);
    until("broken", || (part.following(1) == Following::Broken).then_some(()));
    assert!(part.progress(1).broken_because().unwrap().contains("another log"));
    assert!(part.has_state(1), "its last state is there");
    part.tell(Hold::Release(Partition(1)));
    part.follow(1);
    part.equals(&whole, 1);
    assert_eq!((part.following(1), part.progress(1).broken_because()), (Following::Live, None));
    whole.stop();
    part.stop();
}

#[test]
fn a_released_partition_closes_its_connection() {
    if !cfg!(target_os = "linux") {
        println!("skipped: connections are counted in /proc");
        return;
    }
    let (_mock, place) = namespace("closed");
    let dir = TempDir::new().unwrap();
    let part = place.told(dir.path());
    let port: u16 = place.brokers.rsplit_once(':').unwrap().1.parse().unwrap();
    all().for_each(|Partition(partition)| part.follow(partition));
    until("all of them", || {
        all().all(|Partition(p)| part.following(p) == Following::Live).then_some(())
    });
    until("a connection each", || (connections(port) >= PARTITIONS as usize).then_some(()));
    let before = connections(port);
    all().for_each(|Partition(partition)| part.release(partition));
    until("closed ones", || (connections(port) + PARTITIONS as usize <= before).then_some(()));
    part.stop();
}

/// Connections of this machine that lead to a port.
fn connections(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (to, established) = (format!(":{port:04X}"), "01");
    lines.filter(|line| line[2].ends_with(&to) && line[3] == established).count()
}

/// A moment, for what should not happen to have a chance to: no test depends on how long it is.
fn moment() {
    thread::sleep(Duration::from_millis(30));
}
