//! Two nodes of one name: who comes second is refused, and who is found out later says so.

use pumice::cluster::gossip::GossipFault;
use pumice_model::holding::Holding;

use crate::peer::{Peer, meanwhile, until};

#[tokio::test]
async fn a_second_node_of_a_name_is_refused_and_nobody_believes_it() {
    let a = Peer::new("a");
    let b = Peer::new("b").after(&a);
    // It has every seed, and started last, so that its life would be the later one.
    let mut second = Peer { incarnation: b.incarnation + 1, ..Peer::new("b").after(&a) };
    second.seeds.push(b.address().to_string());
    let address = b.address();
    let (a, b) = tokio::join!(a.start(), b.start());
    let mut all = [a.unwrap(), b.unwrap()];
    all[1].hold(&[(3, Holding::Serving, 1)]);
    let is_first = |view: &pumice::cluster::view::View| {
        view.get("b").is_some_and(|b| b.incarnation == 1_763_000_000_000 && b.held.len() == 1)
    };
    until("both see b", &mut all, is_first).await;
    let second = tokio::spawn(second.start());
    meanwhile(&mut all, is_first).await;
    let fault = second.await.unwrap().err().unwrap();
    assert!(matches!(&fault, GossipFault::Taken { id, .. } if id == "b"), "{fault}");
    let line = format!(
        "another node is called b: it is heard at {address}; give this one a --node-id of its own"
    );
    assert_eq!(fault.to_string(), line);
    meanwhile(&mut all, is_first).await;
}

#[tokio::test]
async fn of_two_that_start_at_once_one_goes_on() {
    let first = Peer::new("b");
    let second = Peer { incarnation: first.incarnation + 1, ..Peer::new("b").after(&first) };
    let (first, second) = tokio::join!(first.start(), second.start());
    assert!(first.is_ok(), "{:?}", first.err());
    assert!(matches!(second.err(), Some(GossipFault::Taken { .. })));
}

#[tokio::test]
async fn a_node_that_hears_a_later_one_of_its_name_says_so() {
    // Two halves of a network that know nothing of each other until c comes.
    let first = Peer::new("b");
    let second = Peer { incarnation: first.incarnation + 1, ..Peer::new("b") };
    let mut c = Peer::new("c").after(&first);
    c.seeds.push(second.address().to_string());
    let later = second.address().to_string();
    let (first, second) = tokio::join!(first.start(), second.start());
    let (first, second) = (first.unwrap(), second.unwrap());
    let mut all = [first, second, c.start().await.unwrap()];
    let start = std::time::Instant::now();
    while all[0].gossip.usurped().is_none() {
        assert!(start.elapsed().as_secs() < 90, "the first never heard of the second");
        meanwhile(&mut all, |_| true).await;
    }
    assert_eq!(all[0].gossip.usurped(), Some(later.as_str()));
    assert_eq!(all[1].gossip.usurped(), None);
    until("c believes the later", &mut all[2..], |view| {
        view.get("b").is_some_and(|b| b.incarnation == 1_763_000_000_001)
    })
    .await;
}
