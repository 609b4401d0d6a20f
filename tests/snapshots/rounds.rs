//! The service: rounds on demand and by the clock, pruning after them, and what the log wants.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pumice::mesh::wants::{Question, Want, Wanted, wants};
use pumice::objects::Objects;
use pumice::settings::{ObjectsSettings, SnapshotSettings};
use pumice::snapshot::catalog::{State, list};
use pumice::snapshot::restore::{Step, restore_all};
use pumice::snapshot::service::{Busy, Running, Setup, Status, start};
use pumice::snapshot::take::{Spool, TakeFault, Walk};
use pumice::snapshot::verify::verify;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::ids::{Offset, Partition};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use crate::node::Node;
use crate::s3::S3Server;
use crate::{PARTITIONS, block_on, cluster, directory, whose, wish};

fn service(
    node: &Node,
    dir: &TempDir,
    keep: u32,
    interval: Option<Duration>,
    wanted: Option<Wanted>,
) -> (Running, Arc<SnapshotStats>) {
    service_on(directory(dir), node, dir, keep, interval, wanted)
}

fn service_on(
    objects: ObjectsSettings,
    node: &Node,
    dir: &TempDir,
    keep: u32,
    interval: Option<Duration>,
    wanted: Option<Wanted>,
) -> (Running, Arc<SnapshotStats>) {
    let stats = Arc::<SnapshotStats>::default();
    let spool_dir = dir.path().join("spool");
    let running = start(Setup {
        objects,
        snapshots: SnapshotSettings { interval, keep, keep_for: Duration::ZERO, spool_dir },
        cluster: cluster(),
        shards: node.shards(),
        readers: node.readers(),
        feeders: node.feeders().to_vec(),
        wanted,
        stats: stats.clone(),
        serving: vec![],
    });
    (running.unwrap(), stats)
}

/// Waits for the end of a round; for ever, since no test may depend on time.
fn end_of_round(running: &Running) -> Status {
    loop {
        let status = running.handle().status();
        if !status.running {
            return status;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn round(running: &Running) -> Status {
    let id = running.handle().create_all().unwrap();
    let status = end_of_round(running);
    assert_eq!((status.id, status.total, status.done), (id, 4, 4));
    assert_eq!(status.failed, []);
    status
}

fn good(dir: &TempDir) -> usize {
    let objects = Objects::open(&directory(dir)).unwrap();
    let listed = block_on(list(&objects, &whose())).unwrap();
    listed.iter().filter(|one| matches!(one.state, State::Good(_))).count()
}

#[test]
fn what_a_round_takes_another_node_restores() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 1, 300);
    let (running, stats) = service(&node, &dir, 2, None, None);
    let status = round(&running);
    assert!(status.bytes > 0);
    assert_eq!((stats.taken.get(), stats.failed.get()), (4, 0));
    assert!(running.stop());
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);

    let objects = Objects::open(&directory(&dir)).unwrap();
    let listed = block_on(list(&objects, &whose())).unwrap();
    assert_eq!(listed.len(), 4);
    for one in &listed {
        assert!(matches!(one.state, State::Good(_)), "{one:?}");
        block_on(verify(&objects, &whose(), &one.found, |_| {})).unwrap();
    }

    // Another number of shards: a snapshot knows nothing of them.
    let other = Node::empty(3);
    let wishes: Vec<_> = (0..PARTITIONS).map(|partition| wish(Partition(partition))).collect();
    let (feeders, stats) = (other.feeders(), SnapshotStats::default());
    let restored =
        restore_all(&directory(&dir), &cluster(), feeders, &wishes, &stats, &|_, _| {}).unwrap();
    assert_eq!(restored.len(), 4);
    assert!(restored.iter().all(|(_, restored)| matches!(restored, Ok(Some(_)))), "{restored:?}");
    assert_eq!(other.positions(), node.positions());
    assert_eq!(stats.restores.get(), 4);
    other.end_and_check();
    node.end_and_check();
}

#[test]
fn a_bucket_takes_and_gives_the_same() {
    let server = S3Server::start("backups");
    let dir = TempDir::new().unwrap();
    // More than one part of an upload.
    let node = Node::heavy(1, 5_000);
    let objects = ObjectsSettings::S3(server.settings("pumice"));
    let (running, stats) = service_on(objects.clone(), &node, &dir, 2, None, None);
    round(&running);
    assert!(stats.uploaded_bytes.get() > 4 * (8 << 20), "{}", stats.uploaded_bytes.get());
    assert!(running.stop());
    let other = Node::empty(2);
    let wishes: Vec<_> = (0..PARTITIONS).map(|partition| wish(Partition(partition))).collect();
    let stats = SnapshotStats::default();
    restore_all(&objects, &cluster(), other.feeders(), &wishes, &stats, &|_, _| {}).unwrap();
    assert_eq!(other.positions(), node.positions());
    other.end_and_check();
}

#[test]
fn a_store_that_fails_ends_a_round_early_and_names_every_partition() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 6, 20);
    let (running, stats) = service(&node, &dir, 2, None, None);
    // A file where a directory must be: nothing can be stored.
    std::fs::write(dir.path().join("objects/shop"), "in the way").unwrap();
    running.handle().create_all().unwrap();
    let status = end_of_round(&running);
    assert_eq!((status.done, status.failed.len()), (0, 4));
    assert!(status.failed[3].1.contains("not tried"), "{:?}", status.failed);
    assert_eq!((stats.taken.get(), stats.failed.get()), (0, 4));
    assert!(running.stop());
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn a_snapshot_of_many_frames_comes_back_whole() {
    let dir = TempDir::new().unwrap();
    let node = Node::heavy(2, 1_500);
    let (running, _) = service(&node, &dir, 2, None, None);
    round(&running);
    assert!(running.stop());
    let objects = Objects::open(&directory(&dir)).unwrap();
    let listed = block_on(list(&objects, &whose())).unwrap();
    let manifest = block_on(verify(&objects, &whose(), &listed[0].found, |_| {})).unwrap();
    assert!(manifest.frames.len() > 4 && manifest.packed() > 2 << 20, "more than one chunk");

    let (other, steps) = (Node::empty(2), Cell::new(0));
    let wishes: Vec<_> = (0..PARTITIONS).map(|partition| wish(Partition(partition))).collect();
    let step = |_, step| {
        if let Step::Staged(bytes) = step {
            steps.set(steps.get() + bytes);
        }
    };
    let stats = SnapshotStats::default();
    restore_all(&directory(&dir), &cluster(), other.feeders(), &wishes, &stats, &step).unwrap();
    assert_eq!(other.positions(), node.positions());
    assert!(steps.get() >= 4 * manifest.plain() / 2);
    other.end_and_check();
}

#[test]
fn a_partition_that_has_had_no_entry_has_no_snapshot() {
    let dir = TempDir::new().unwrap();
    let node = Node::empty(2);
    let (running, stats) = service(&node, &dir, 2, None, None);
    round(&running);
    assert_eq!((stats.taken.get(), good(&dir)), (0, 0));
    assert!(running.stop());
}

#[test]
fn one_round_runs_at_a_time_and_old_snapshots_go() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(2, 2, 50);
    let (running, stats) = service(&node, &dir, 2, None, None);
    let handle = running.handle();
    let id = handle.create_all().unwrap();
    if let Err(Busy(running)) = handle.create_all() {
        assert_eq!(running, id);
    }
    end_of_round(&running);
    for _ in 0..3 {
        round(&running);
        assert!(good(&dir) <= 8);
    }
    assert_eq!(good(&dir), 8);
    assert_eq!(stats.pruned.get(), stats.taken.get() - 8);
    assert!(running.stop());
}

#[test]
fn the_clock_takes_what_has_changed_and_nothing_twice() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 3, 50);
    let (running, stats) = service(&node, &dir, 2, Some(Duration::from_millis(20)), None);
    let rounds = |wanted: u64| {
        while running.handle().status().id < wanted {
            thread::sleep(Duration::from_millis(5));
        }
    };
    rounds(4);
    assert_eq!(stats.taken.get(), 4);
    assert!(running.stop());
}

#[test]
fn the_log_gets_what_covers_its_start_and_not_what_lies_beyond_its_end() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 4, 60);
    let (running, _) = service(&node, &dir, 2, None, None);
    round(&running);
    assert!(running.stop());

    let other = Node::empty(2);
    let (wanting, wanted) = wants();
    let (running, stats) = service(&other, &dir, 2, None, Some(wanted));
    let ask = |covers: u64, at_most: u64| {
        let (reply, answer) = oneshot::channel();
        let (covers, at_most) = (Offset(covers), Offset(at_most));
        // Nobody asks: these entries have no record hash.
        let proofs = mpsc::channel(1).0;
        let want = Want { partition: Partition(1), covers, at_most, proofs, reply };
        wanting.blocking_send(want).unwrap();
        answer.blocking_recv().unwrap()
    };
    assert_eq!(ask(61, 100), Ok(None));
    assert_eq!(ask(0, 59), Ok(None));
    assert_eq!(other.position(Partition(1)).next, Offset(0));
    assert_eq!(ask(60, 60), Ok(Some(node.position(Partition(1)))));
    assert_eq!(other.position(Partition(1)), node.position(Partition(1)));
    assert_eq!(stats.restores.get(), 1);
    assert!(running.stop());
    other.end_and_check();
}

#[test]
fn a_snapshot_of_another_log_is_not_restored() {
    let dir = TempDir::new().unwrap();
    let node = Node::heavy(1, 40);
    let (running, _) = service(&node, &dir, 2, None, None);
    round(&running);
    assert!(running.stop());

    let other = Node::empty(1);
    let (wanting, wanted) = wants();
    let (running, stats) = service(&other, &dir, 2, None, Some(wanted));
    let ask = |is_ours: bool| {
        let (reply, answer) = oneshot::channel();
        let (proofs, mut questions) = mpsc::channel(1);
        let (covers, at_most) = (Offset(0), Offset(100));
        let want = Want { partition: Partition(1), covers, at_most, proofs, reply };
        wanting.blocking_send(want).unwrap();
        let mut asked = Vec::new();
        while let Some(Question { at, hash, reply }) = questions.blocking_recv() {
            asked.push((at, hash));
            reply.send(is_ours).unwrap();
        }
        (asked, answer.blocking_recv().unwrap())
    };
    let last = node.position(Partition(1)).last;
    assert_ne!(last, 0);
    // What seems bad is looked at twice.
    assert_eq!(ask(false), (vec![(Offset(39), last); 2], Ok(None)));
    assert_eq!(other.position(Partition(1)).next, Offset(0));
    assert_eq!(ask(true), (vec![(Offset(39), last)], Ok(Some(node.position(Partition(1))))));
    assert_eq!(stats.restores.get(), 1);
    assert!(running.stop());
    other.end_and_check();
}

#[test]
fn a_walk_that_takes_too_long_is_given_up_with_its_file() {
    let dir = TempDir::new().unwrap();
    // More than one frame, since the time is looked at between two.
    let node = Node::heavy(1, 600);
    let spool = Spool::open(dir.path()).unwrap();
    let (cluster, partition) = (cluster(), Partition(0));
    let walk = Walk { cluster: &cluster, partition, limit: Duration::ZERO, abandoned: &|| false };
    let taken = spool.take(node.reader(partition), &walk, 7);
    assert!(matches!(taken, Err(TakeFault::TooLong(_))), "{taken:?}");
    let walk = Walk { limit: Duration::MAX, abandoned: &|| true, ..walk };
    let taken = spool.take(node.reader(partition), &walk, 7);
    assert!(matches!(taken, Err(TakeFault::Abandoned)), "{taken:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_start_removes_what_a_dead_process_has_spooled_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("p00001-00000001.pumice-spool"), "half").unwrap();
    std::fs::write(dir.path().join("holiday.jpg"), "mine").unwrap();
    Spool::open(dir.path()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].as_ref().unwrap().file_name(), "holiday.jpg");
}
