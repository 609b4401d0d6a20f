//! Many members: all see all, and what that costs each of them on the wire. 30 of them, and 300
//! with PUMICE_SOAK=1.

use std::time::{Duration, Instant};

use pumice_model::holding::Holding;

use crate::peer::{Node, Peer};

/// What the members do while bytes are counted.
const WATCHED: Duration = Duration::from_secs(20);

#[tokio::test]
async fn many_members_see_each_other_at_a_price_that_is_told() {
    let soak = std::env::var_os("PUMICE_SOAK").is_some();
    let counts: &[usize] = if soak { &[3, 30, 300] } else { &[30] };
    for count in counts {
        measure(*count).await;
    }
}

async fn measure(count: usize) {
    let first = Peer::new("n000");
    let names: Vec<&'static str> = (1..count).map(|at| &*format!("n{at:03}").leak()).collect();
    let others: Vec<Peer> = names
        .into_iter()
        .map(|name| Peer { partitions: 1_024, ..Peer::new(name).after(&first) })
        .collect();
    let first = Peer { partitions: 1_024, ..first };
    let starting = std::iter::once(first).chain(others).map(|peer| tokio::spawn(peer.start()));
    let starting: Vec<_> = starting.collect();
    let mut nodes = Vec::new();
    for node in starting {
        nodes.push(node.await.unwrap().unwrap());
    }
    let begun = Instant::now();
    let mut offset = 0;
    while !turn(&mut nodes, &mut offset).await {
        assert!(begun.elapsed() < Duration::from_secs(300), "{count} members never saw each other");
    }
    let seen = begun.elapsed();
    let sums = |nodes: &[Node]| {
        let sum = |value: &dyn Fn(&Node) -> u64| nodes.iter().map(value).sum::<u64>();
        [
            sum(&|node| node.stats.sent.get()),
            sum(&|node| node.stats.sent_bytes.get()),
            sum(&|node| node.stats.unsent.get()),
        ]
    };
    let (before, begun) = (sums(&nodes), Instant::now());
    while begun.elapsed() < WATCHED {
        turn(&mut nodes, &mut offset).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = sums(&nodes);
    let rate = |at: usize| (after[at] - before[at]) as f64 / seconds / count as f64;
    println!(
        "{count} members of 1,024 partitions in three copies: all see all {seen:.1?} after the \
         start; each sends {:.1} datagrams and {:.1} kB a second; {} of all did not leave",
        rate(0),
        rate(1) / 1e3,
        after[2],
    );
}

/// Every node says its part and looks; whether all see all.
async fn turn(nodes: &mut [Node], offset: &mut u64) -> bool {
    let count = nodes.len();
    *offset += 97;
    let mut all = true;
    for (at, node) in nodes.iter_mut().enumerate() {
        // Each partition at three members.
        let mine = (0..1_024_u32).filter(|p| (0..3).any(|r| (*p as usize + r) % count == at));
        // Neither the offsets nor their steps are alike.
        let spread = |p: u32| u64::from(p.wrapping_mul(2_654_435_761) % 10_007);
        let next = |p: u32| 1_000_000_000 + spread(p) * 2_003 + *offset * (1 + spread(p) % 7);
        let held: Vec<_> = mine.map(|p| (p, Holding::Serving, next(p))).collect();
        node.hold(&held);
        let view = node.view().await;
        all &= view.len() == count && view.values().all(|m| m.alive && !m.held.is_empty());
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(250)).await;
    all
}
