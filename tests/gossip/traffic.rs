//! Many members: all see all, and what that costs each of them on the wire. 30 of them; with
//! PUMICE_SOAK=1 3 too, and 300 where there are CPUs for them. They share a thread for each CPU.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use pumice_model::holding::Holding;

use crate::peer::{Node, Peer};

/// What the members do while bytes are counted.
const WATCHED: Duration = Duration::from_secs(20);
/// Far longer than they need where they have the CPUs that they need.
const PATIENCE: Duration = Duration::from_secs(300);
const PARTITIONS: u32 = 1_024;
/// 300 members on 2 CPUs never see each other: each reads some thirty digests of 300 a second.
const CPUS_OF_300: usize = 8;

#[test]
fn many_members_see_each_other_at_a_price_that_is_told() {
    let soak = std::env::var_os("PUMICE_SOAK").is_some();
    let counts: &[usize] = if soak { &[3, 30] } else { &[30] };
    counts.iter().for_each(|count| measure(*count));
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    match (soak, cpus >= CPUS_OF_300) {
        (true, true) => measure(300),
        (true, false) => println!("skipped: 300 members need {CPUS_OF_300} CPUs, here are {cpus}"),
        (false, _) => {}
    }
}

/// What the threads of one measurement share.
struct Shared {
    count: usize,
    /// Members that see all others, and what they hold.
    seeing: AtomicUsize,
    together: Barrier,
    datagrams: AtomicU64,
    bytes: AtomicU64,
    unsent: AtomicU64,
}

fn measure(count: usize) {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let first = Peer { partitions: PARTITIONS, ..Peer::new("n000") };
    let mut peers: Vec<Vec<(usize, Peer)>> = (0..threads).map(|_| Vec::new()).collect();
    for at in 1..count {
        let name = format!("n{at:03}").leak();
        let peer = Peer { partitions: PARTITIONS, ..Peer::new(name).after(&first) };
        peers[at % threads].push((at, peer));
    }
    peers[0].push((0, first));
    let shared = Arc::new(Shared {
        count,
        seeing: AtomicUsize::new(0),
        together: Barrier::new(threads),
        datagrams: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        unsent: AtomicU64::new(0),
    });
    let run = |peers| {
        let shared = shared.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(live(&shared, peers))
        })
    };
    let threads: Vec<_> = peers.into_iter().map(run).collect();
    let seen: Vec<Duration> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let rate =
        |sum: &AtomicU64| sum.load(Ordering::Relaxed) as f64 / WATCHED.as_secs_f64() / count as f64;
    println!(
        "{count} members of {PARTITIONS} partitions in three copies: all see all {:.1?} after the \
         start; each sends {:.1} datagrams and {:.1} kB a second; {} of all did not leave",
        seen.iter().max().unwrap(),
        rate(&shared.datagrams),
        rate(&shared.bytes) / 1e3,
        shared.unsent.load(Ordering::Relaxed),
    );
}

/// One thread's members: until all see all, and then for a while in which it is counted.
async fn live(shared: &Shared, peers: Vec<(usize, Peer)>) -> Duration {
    let mut nodes = Vec::new();
    let starting = peers.into_iter().map(|(at, peer)| (at, tokio::spawn(peer.start())));
    for (at, node) in starting.collect::<Vec<_>>() {
        nodes.push((at, node.await.unwrap().unwrap(), false));
    }
    shared.together.wait();
    let begun = Instant::now();
    let mut round = 0;
    while shared.seeing.load(Ordering::Acquire) < shared.count {
        turn(shared, &mut nodes, &mut round).await;
        assert!(begun.elapsed() < PATIENCE, "{} members never saw each other", shared.count);
    }
    let seen = begun.elapsed();
    let (before, begun) = (sums(&nodes), Instant::now());
    while begun.elapsed() < WATCHED {
        turn(shared, &mut nodes, &mut round).await;
    }
    let after = sums(&nodes);
    for (sum, at) in [(&shared.datagrams, 0), (&shared.bytes, 1), (&shared.unsent, 2)] {
        sum.fetch_add(after[at] - before[at], Ordering::Relaxed);
    }
    seen
}

fn sums(nodes: &[(usize, Node, bool)]) -> [u64; 3] {
    let mut sums = [0; 3];
    for (_, node, _) in nodes {
        let stats = &node.stats;
        let counts = [&stats.sent, &stats.sent_bytes, &stats.unsent];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count.get());
    }
    sums
}

/// Every node says its part and looks.
async fn turn(shared: &Shared, nodes: &mut [(usize, Node, bool)], round: &mut u64) {
    *round += 1;
    for (at, node, sees) in nodes {
        // Each partition at three members.
        let mine = |p: &u32| (0..3).any(|r| (*p as usize + r) % shared.count == *at);
        let next = |p: u32| {
            // Partitions of some hundred million entries that grow unlike each other.
            let hash = u64::from(p).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let hash = (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20;
            100_000_000 + hash % 4_000_000 + *round * (hash % 997)
        };
        let held = (0..PARTITIONS).filter(mine).map(|p| (p, Holding::Serving, next(p)));
        node.hold(&held.collect::<Vec<_>>());
        let view = node.view().await;
        let all = view.len() == shared.count
            && view.values().all(|member| member.alive && !member.held.is_empty());
        if all && !*sees {
            *sees = true;
            shared.seeing.fetch_add(1, Ordering::Release);
        }
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
}
