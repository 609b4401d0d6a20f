//! A child process restores one snapshot after another and is killed at a random moment, again
//! and again: what is live is always one of them, whole, and a sweep clears the rest.
//! 40 cycles, and 400 with PUMICE_SOAK=1.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod seeds;
mod stores;

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use pumice_model::ids::Partition;
use seeds::Seed;
use stores::{P, Snapshot, Store};

const MAP: usize = 256 << 20;
const DIR: &str = "PUMICE_RESTORE_DIR";

/// The two states that the child brings the partition to, in turn.
fn snapshots() -> [Snapshot; 2] {
    let dir = seeds::directory();
    let mut source = Store::open(dir.path(), MAP);
    [(0, 200), (200, 500)].map(|(from, to)| {
        source.follow(3, P, from, to);
        source.export(P)
    })
}

/// Not a test of its own: what the child process runs, until it is killed.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let snapshots = snapshots();
    let mut store = Store::open(Path::new(&dir), MAP);
    println!("\nready");
    let mut neighbour = store.writer.next_offset(Partition(0)).0;
    loop {
        let live = store.position(P);
        let turn = usize::from(live == snapshots[0].position);
        store.begin(P);
        for part in snapshots[turn].logicals.chunks(30) {
            store.writer.stage(P, part.iter().map(Vec::as_slice)).unwrap();
            store.follow(3, Partition(0), neighbour, neighbour + 1);
            neighbour += 1;
        }
        store.writer.install(P, &snapshots[turn].position).unwrap();
        println!("made {turn} live");
        while store.writer.sweep().unwrap() {}
    }
}

/// Starts the child, kills it a while after it began and gives what it made live last.
fn kill_after(delay: Duration, dir: &Path) -> Option<usize> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let began = lines.any(|line| line == "ready");
    let watch = thread::spawn(move || {
        let last = lines.filter(|line| line.ends_with(" live")).last();
        last.map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
    });
    thread::sleep(delay);
    child.kill().unwrap();
    let last = watch.join().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(began && !said.contains("panicked"), "the child failed by itself: {said}");
    last
}

#[test]
fn a_killed_restore_leaves_one_state_or_the_other() {
    if env::var_os(DIR).is_some() {
        return;
    }
    let cycles = if env::var_os("PUMICE_SOAK").is_some() { 400 } else { 40 };
    let snapshots = snapshots();
    let dir = seeds::directory();
    let mut s = Seed(8);
    let (mut turned, mut littered) = (0, 0);
    for _ in 0..cycles {
        let last = kill_after(Duration::from_micros(1_000 + s.below(20_000)), dir.path());
        turned += usize::from(last.is_some());
        let mut store = Store::open(dir.path(), MAP);
        littered += usize::from(store.check().staged > 0);
        let live = store.export(P);
        let known = snapshots.iter().position(|snapshot| *snapshot == live);
        match (known, last) {
            // The one told, or the next, whose telling was cut off.
            (Some(_), _) => {}
            (None, None) => assert_eq!(live.position, pumice_shards::Position::ZERO),
            (None, Some(turn)) => panic!("state {turn} was lost: {:?}", live.position),
        }
        store.sweep();
        assert_eq!(store.export(P), live);
    }
    assert!(turned > 0 && littered > 0, "{turned} restores, {littered} with something left over");
    println!("{cycles} kills, {turned} after a restore, {littered} with something left over");
}
