//! A child process follows, stages, releases and sweeps, and is killed at a random moment, again
//! and again: what is live is always what a shard has that only followed, and a sweep clears the
//! rest. 40 cycles, and 400 with PUMICE_SOAK=1.
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
const DIR: &str = "PUMICE_RELEASE_DIR";
const SEED: u64 = 11;
/// Entries that the child follows before it lets go.
const LOG: u64 = 90;

/// The states after each entry.
fn states() -> Vec<Snapshot> {
    let dir = seeds::directory();
    let mut store = Store::open(dir.path(), MAP);
    let mut states = vec![store.export(P)];
    for at in 0..LOG {
        store.follow(SEED, P, at, at + 1);
        states.push(store.export(P));
    }
    states
}

/// Not a test of its own: what the child process runs, until it is killed.
#[test]
fn child() {
    let Some(dir) = env::var_os(DIR) else { return };
    let last = states().pop().unwrap();
    let mut store = Store::open(Path::new(&dir), MAP);
    println!("\nready");
    let mut neighbour = store.writer.next_offset(Partition(0)).0;
    loop {
        let mut at = store.writer.next_offset(P).0;
        while at < LOG {
            let to = LOG.min(at + 7);
            store.follow(SEED, P, at, to);
            store.follow(SEED, Partition(0), neighbour, neighbour + 1);
            (at, neighbour) = (to, neighbour + 1);
        }
        // What is staged goes with what is live.
        store.begin(P);
        for part in last.logicals.chunks(60) {
            store.writer.stage(P, part.iter().map(Vec::as_slice)).unwrap();
        }
        store.writer.release(P).unwrap();
        println!("released");
        if neighbour.is_multiple_of(2) {
            while store.writer.sweep().unwrap() {}
        }
    }
}

/// Starts the child, kills it a while after it began and gives how often it released.
fn kill_after(delay: Duration, dir: &Path) -> usize {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let began = lines.any(|line| line == "ready");
    let watch = thread::spawn(move || lines.filter(|line| line == "released").count());
    thread::sleep(delay);
    child.kill().unwrap();
    let count = watch.join().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    assert!(began && !said.contains("panicked"), "the child failed by itself: {said}");
    count
}

#[test]
fn a_killed_release_leaves_all_of_it_or_nothing() {
    if env::var_os(DIR).is_some() {
        return;
    }
    let cycles = if env::var_os("PUMICE_SOAK").is_some() { 400 } else { 40 };
    let states = states();
    let dir = seeds::directory();
    let mut s = Seed(9);
    let (mut released, mut littered) = (0, 0);
    for _ in 0..cycles {
        released += kill_after(Duration::from_micros(1_000 + s.below(20_000)), dir.path());
        let mut store = Store::open(dir.path(), MAP);
        littered += usize::from(store.check().staged > 0);
        let live = store.export(P);
        assert_eq!(live, states[live.position.next.0 as usize]);
        if s.one_in(2) {
            store.sweep();
        }
        assert_eq!(store.export(P), live);
    }
    let mut store = Store::open(dir.path(), MAP);
    store.sweep();
    store.writer.release(P).unwrap();
    store.follow(SEED, P, 0, LOG);
    assert_eq!(store.export(P), states[LOG as usize]);
    assert!(released > 0 && littered > 0, "{released} releases, {littered} with litter");
    println!("{cycles} kills, {released} releases, {littered} with something left over");
}
