//! Gossip between nodes of one process, over real datagrams on loopback: who sees whom, what of,
//! and who is turned away. No test asserts how long anything took.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "gossip/logged.rs"]
mod logged;
#[path = "gossip/names.rs"]
mod names;
#[path = "gossip/peer.rs"]
mod peer;
#[path = "gossip/strangers.rs"]
mod strangers;
#[path = "gossip/traffic.rs"]
mod traffic;

use peer::{Peer, until};
use pumice_model::holding::Holding;

#[tokio::test]
async fn three_nodes_see_each_other_and_what_each_holds() {
    let a = Peer::new("a");
    let b = Peer { region: "us", group: "two", ..Peer::new("b").after(&a) };
    let c = Peer::new("c").after(&a);
    let (a, b, c) = tokio::join!(a.start(), b.start(), c.start());
    let mut all = [a.unwrap(), b.unwrap(), c.unwrap()];
    for (at, node) in all.iter_mut().enumerate() {
        node.hold(&[(at as u32, Holding::Serving, 100 + at as u64)]);
    }
    until("every node sees three that live, with what each holds", &mut all, |view| {
        view.len() == 3
            && view.values().zip(0..).all(|(member, at)| {
                let held = member.held.get(&pumice_model::ids::Partition(at));
                member.alive && held.is_some_and(|held| held.next.0 == 100 + u64::from(at))
            })
    })
    .await;
    let view = all[2].view().await;
    let b = &view["b"];
    assert_eq!((b.region.as_str(), b.group.as_str()), ("us", "two"));
    assert_eq!((b.http.as_str(), b.admin.as_str()), ("127.0.0.1:8190", "127.0.0.1:8191"));
    assert!(b.clock_off.abs() < 30_000 && !b.draining, "{b:?}");
    assert_eq!(b.held.len(), 1);

    all[0].hold(&[(0, Holding::Draining, 107), (63, Holding::CatchingUp, 5)]);
    all[0].draining = true;
    until("every node sees the change", &mut all, |view| {
        let a = &view["a"];
        let holding = |partition| a.holding(pumice_model::ids::Partition(partition));
        a.draining && holding(0) == Holding::Draining && holding(63) == Holding::CatchingUp
    })
    .await;
    let [a, b, c] = all;
    a.leave().await;
    let mut rest = [b, c];
    until("who left is known no more", &mut rest, |view| {
        view.keys().map(String::as_str).eq(["b", "c"])
    })
    .await;
}

#[tokio::test]
async fn a_silent_node_is_dead_after_a_while_and_not_forgotten() {
    let (a, b) = (Peer::new("a"), Peer::new("b"));
    let b = b.after(&a);
    let (a, b) = tokio::join!(a.start(), b.start());
    let mut all = [a.unwrap(), b.unwrap()];
    all[0].hold(&[(1, Holding::Serving, 9)]);
    let seen = |view: &pumice::cluster::view::View| view.len() == 2 && view["b"].alive;
    until("both live", &mut all, seen).await;
    let [a, b] = all;
    b.fall_silent();
    let mut rest = [a];
    until("b is dead", &mut rest, |view| !view["b"].alive).await;
    let view = rest[0].view().await;
    assert!(view["a"].alive, "{view:?}");
}

#[tokio::test]
async fn a_node_that_comes_back_is_its_last_life() {
    let a = Peer::new("a");
    let b = Peer::new("b").after(&a);
    let again = Peer { incarnation: b.incarnation + 5, ..Peer::new("b").after(&a) };
    let (a, b) = tokio::join!(a.start(), b.start());
    let mut all = [a.unwrap(), b.unwrap()];
    all[1].hold(&[(1, Holding::Serving, 9)]);
    until("both live", &mut all, |view| view.len() == 2 && view["b"].held.len() == 1).await;
    let [a, b] = all;
    // At another address, as a pod that was moved; the old life just ends.
    b.fall_silent();
    let incarnation = again.incarnation;
    let mut all = [a, again.start().await.unwrap()];
    all[1].hold(&[(2, Holding::Restoring, 0)]);
    until("the last life counts", &mut all, |view| {
        let b = &view["b"];
        b.incarnation == incarnation && b.alive && b.held.keys().all(|p| p.0 == 2)
    })
    .await;
    assert_eq!(all[1].gossip.usurped(), None);
}
