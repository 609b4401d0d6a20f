//! The service: rounds on demand and by the clock, and pruning after them.

use std::cell::Cell;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pumice::mesh::wants::Wanted;
use pumice::objects::Objects;
use pumice::settings::{ObjectsSettings, SnapshotSettings};
use pumice::snapshot::catalog::{State, list};
use pumice::snapshot::install::Step;
use pumice::snapshot::restore::restore_all;
use pumice::snapshot::service::{Busy, Running, Setup, Status, start};
use pumice::snapshot::take::{Spool, TakeFault, Walk};
use pumice::snapshot::verify::verify;
use pumice::stats::progress::Progress;
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use tempfile::TempDir;

use crate::node::Node;
use crate::s3::S3Server;
use crate::{PARTITIONS, block_on, cluster, directory, whose, wish};

/// Snapshots of a partition that stay.
const KEEP: u32 = 2;

/// The service over the directory of [`directory`].
pub fn service(
    node: &Node,
    dir: &TempDir,
    interval: Option<Duration>,
    wanted: Option<Wanted>,
) -> (Running, Arc<SnapshotStats>) {
    service_on(directory(dir), node, dir, interval, wanted)
}

fn service_on(
    objects: ObjectsSettings,
    node: &Node,
    dir: &TempDir,
    interval: Option<Duration>,
    wanted: Option<Wanted>,
) -> (Running, Arc<SnapshotStats>) {
    service_of(None, objects, node, dir, interval, wanted)
}

fn service_of(
    progress: Option<Arc<Progress>>,
    objects: ObjectsSettings,
    node: &Node,
    dir: &TempDir,
    interval: Option<Duration>,
    wanted: Option<Wanted>,
) -> (Running, Arc<SnapshotStats>) {
    let stats = Arc::<SnapshotStats>::default();
    let spool_dir = dir.path().join("spool");
    let running = start(Setup {
        objects: Some(objects),
        snapshots: SnapshotSettings { interval, keep: KEEP, keep_for: Duration::ZERO, spool_dir },
        cluster: cluster(),
        shards: node.shards(),
        readers: node.readers(),
        feeders: node.feeders().to_vec(),
        wanted,
        peers: None,
        asked: None,
        progress,
        stats: stats.clone(),
        serving: vec![],
    });
    (running.unwrap(), stats)
}

/// One round into a directory, and what was counted.
pub fn taken(node: &Node, dir: &TempDir) -> Arc<SnapshotStats> {
    taken_into(directory(dir), node, dir)
}

fn taken_into(objects: ObjectsSettings, node: &Node, dir: &TempDir) -> Arc<SnapshotStats> {
    let (running, stats) = service_on(objects, node, dir, None, None);
    let status = round(&running);
    assert_eq!(status.bytes, stats.uploaded_bytes.get());
    assert!(running.stop());
    assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
    stats
}

/// Restores all partitions, which there must be; what was counted.
fn restored(
    objects: &ObjectsSettings,
    node: &Node,
    step: &dyn Fn(Partition, Step),
) -> SnapshotStats {
    let wishes: Vec<_> = (0..PARTITIONS).map(Partition).map(wish).collect();
    let stats = SnapshotStats::default();
    let restored = restore_all(objects, &cluster(), node.feeders(), &wishes, &stats, step).unwrap();
    assert_eq!(restored.len(), PARTITIONS as usize);
    assert!(restored.iter().all(|(_, restored)| matches!(restored, Ok(Some(_)))), "{restored:?}");
    stats
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
    let stats = taken(&node, &dir);
    assert!(stats.uploaded_bytes.get() > 0);
    assert_eq!((stats.taken.get(), stats.failed.get()), (4, 0));

    let objects = Objects::open(&directory(&dir)).unwrap();
    let listed = block_on(list(&objects, &whose())).unwrap();
    assert_eq!(listed.len(), 4);
    for one in &listed {
        assert!(matches!(one.state, State::Good(_)), "{one:?}");
        block_on(verify(&objects, &whose(), &one.found, |_| {})).unwrap();
    }

    // Another number of shards: a snapshot knows nothing of them.
    let other = Node::empty(3);
    let stats = restored(&directory(&dir), &other, &|_, _| {});
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
    let stats = taken_into(objects.clone(), &node, &dir);
    assert!(stats.uploaded_bytes.get() > 4 * (8 << 20), "{}", stats.uploaded_bytes.get());
    let other = Node::empty(2);
    restored(&objects, &other, &|_, _| {});
    assert_eq!(other.positions(), node.positions());
    other.end_and_check();
}

#[test]
fn a_store_that_fails_ends_a_round_early_and_names_every_partition() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 6, 20);
    let (running, stats) = service(&node, &dir, None, None);
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
    taken(&node, &dir);
    let objects = Objects::open(&directory(&dir)).unwrap();
    let listed = block_on(list(&objects, &whose())).unwrap();
    let manifest = block_on(verify(&objects, &whose(), &listed[0].found, |_| {})).unwrap();
    assert!(manifest.frames.len() > 4 && manifest.packed() > 2 << 20, "more than one chunk");

    let (other, steps) = (Node::empty(2), Cell::new(0));
    let step = |_, step| {
        if let Step::Staged(bytes) = step {
            steps.set(steps.get() + bytes);
        }
    };
    restored(&directory(&dir), &other, &step);
    assert_eq!(other.positions(), node.positions());
    assert!(steps.get() >= 4 * manifest.plain() / 2);
    other.end_and_check();
}

#[test]
fn a_partition_that_has_had_no_entry_has_no_snapshot() {
    let dir = TempDir::new().unwrap();
    let stats = taken(&Node::empty(2), &dir);
    assert_eq!((stats.taken.get(), good(&dir)), (0, 0));
}

#[test]
fn one_round_runs_at_a_time_and_old_snapshots_go() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(2, 2, 50);
    let (running, stats) = service(&node, &dir, None, None);
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
    let places = std::fs::read_dir(dir.path().join("objects/shop/p00000")).unwrap();
    assert_eq!(places.count(), 2, "directories of removed snapshots are left");
    assert_eq!(stats.pruned.get(), stats.taken.get() - 8);
    assert!(running.stop());
}

#[test]
fn the_clock_takes_what_has_changed_and_nothing_twice() {
    let dir = TempDir::new().unwrap();
    let node = Node::filled(1, 3, 50);
    let (running, stats) = service(&node, &dir, Some(Duration::from_millis(20)), None);
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
fn a_round_takes_only_what_the_node_holds() {
    let dirs = [(); 2].map(|()| TempDir::new().unwrap());
    let node = Node::filled(1, 3, 50);
    let progress = Arc::new(Progress::new(PARTITIONS));
    let holdings = [Holding::Serving, Holding::CatchingUp, Holding::Absent, Holding::Draining];
    progress.all().zip(holdings).for_each(|((_, one), holding)| one.hold(holding));
    let taken = |dir: &TempDir| {
        let objects = Objects::open(&directory(dir)).unwrap();
        let listed = block_on(list(&objects, &whose())).unwrap();
        let mut taken: Vec<u32> = listed.iter().map(|one| one.found.place.partition.0).collect();
        taken.sort_unstable();
        taken
    };
    // Asked for: whatever it has. By the clock: what others would read from it.
    let start = |dir: &TempDir, interval| {
        service_of(Some(progress.clone()), directory(dir), &node, dir, interval, None).0
    };
    let running = start(&dirs[0], None);
    running.handle().create_all().unwrap();
    let status = end_of_round(&running);
    assert_eq!((status.total, status.done, status.failed.len()), (3, 3, 0));
    assert!(running.stop());
    assert_eq!(taken(&dirs[0]), [0, 1, 3]);
    let running = start(&dirs[1], Some(Duration::from_millis(20)));
    while running.handle().status().id < 2 {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(running.stop());
    assert_eq!(taken(&dirs[1]), [0, 3]);
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
