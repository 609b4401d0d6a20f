//! Who is not of the cluster: without its secret, of another namespace, with other settings, or
//! saying what nobody understands. Each is harmless, counted, and told of with one line.

use std::time::Duration;

use crate::logged::Logged;
use crate::peer::{Peer, meanwhile, until};

const SECRET: Option<&str> = Some("correct horse battery");

async fn two(a: Peer, b: Peer) -> [crate::peer::Node; 2] {
    let (a, b) = tokio::join!(a.start(), b.start());
    [a.unwrap(), b.unwrap()]
}

#[tokio::test]
async fn those_who_know_the_secret_see_each_other() {
    let a = Peer { secret: SECRET, ..Peer::new("a") };
    let b = Peer { secret: SECRET, ..Peer::new("b").after(&a) };
    let mut all = two(a, b).await;
    until("both see two", &mut all, |view| view.len() == 2).await;
    assert_eq!(all[0].stats.unsealed.get() + all[1].stats.unsealed.get(), 0);
}

#[tokio::test]
async fn without_the_secret_nobody_is_heard() {
    for (ours, theirs, line) in [
        (SECRET, None, "it knows no --cluster-secret-file, and we do"),
        (None, SECRET, "it has a --cluster-secret-file, and we have none"),
        (SECRET, Some("another one that is long"), "it has another --cluster-secret-file"),
    ] {
        let logged = Logged::default();
        let _guard = tracing::subscriber::set_default(logged.clone());
        let a = Peer { secret: ours, ..Peer::new("a") };
        let b = Peer { secret: theirs, ..Peer::new("b").after(&a) };
        let mut all = two(a, b).await;
        meanwhile(&mut all, |view| view.len() == 1).await;
        assert!(all[0].stats.unsealed.get() > 3);
        logged.only(line);
    }
}

#[tokio::test]
async fn a_cluster_without_a_secret_is_told_so_once() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let _node = Peer::new("a").start().await.unwrap();
    logged.only("has no --cluster-secret-file");
}

#[tokio::test]
async fn another_namespace_is_another_cluster() {
    for secret in [None, SECRET] {
        let logged = Logged::default();
        let _guard = tracing::subscriber::set_default(logged.clone());
        let a = Peer { secret, ..Peer::new("a") };
        let b = Peer { secret, namespace: "m", ..Peer::new("b").after(&a) };
        let mut all = two(a, b).await;
        meanwhile(&mut all, |view| view.len() == 1).await;
        let stats = &all[0].stats;
        match secret {
            None => {
                assert!(stats.foreign.get() > 3);
                logged.only("it is of pumice/m, and this is pumice/n");
            }
            Some(_) => {
                assert!(stats.unsealed.get() > 3);
                logged.only("it has another --cluster-secret-file or --namespace");
            }
        }
    }
}

#[tokio::test]
async fn a_node_with_other_partitions_is_ignored() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let a = Peer::new("a");
    let b = Peer { partitions: 128, ..Peer::new("b").after(&a) };
    let mut all = two(a, b).await;
    meanwhile(&mut all, |view| view.len() == 1).await;
    let start = std::time::Instant::now();
    while all.iter().any(|node| node.stats.ignored.get() != 1) {
        assert!(start.elapsed().as_secs() < 90, "they never heard each other");
        meanwhile(&mut all, |view| view.len() == 1).await;
    }
    let line = logged.only("node b at");
    assert!(
        line.ends_with(
            "is ignored: it has 128 partitions by murmur2 and says so in format 1, this node has \
             64 by murmur2 in format 1"
        ),
        "{line}"
    );
    logged.only("node a at");
}

#[tokio::test]
async fn noise_is_dropped_and_gossip_goes_on() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    let a = Peer::new("a");
    let b = Peer::new("b").after(&a);
    let target = a.address();
    let mut all = two(a, b).await;
    let noise = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..400_usize {
        let mut datagram: Vec<u8> = (0..round)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect();
        if round % 2 == 0 {
            // As ours begin.
            datagram.splice(0..0, [1, 0]);
        }
        noise.send_to(&datagram, target).unwrap();
        if round % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    until("both see two", &mut all, |view| view.len() == 2).await;
    assert!(all[0].stats.garbled.get() > 100);
    logged.only("is nothing that a pumice of this version says");
    assert_eq!(all[0].gossip.ended(), None);
}

#[tokio::test]
async fn a_damaged_message_of_a_peer_does_no_harm() {
    // The test is a's seed, and so hears what a says.
    let fake = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut a = Peer::new("a");
    a.seeds.push(fake.local_addr().unwrap().to_string());
    let target = a.address();
    let b = Peer::new("b").after(&a);
    let mut all = two(a, b).await;
    all[0].hold(&[(1, pumice_model::holding::Holding::Serving, 5)]);
    until("both see two", &mut all, |view| view.len() == 2).await;
    let mut datagram = vec![0; 65_536];
    let (bytes, _) = fake.recv_from(&mut datagram).unwrap();
    let message = zstd::bulk::decompress(&datagram[2..bytes], 65_536).unwrap();
    assert_eq!(message[3], 0, "the first message of an exchange");
    let before = all[0].stats.received.get();
    for at in 4..message.len() {
        for (kind, value) in [(0, 0), (0, 255), (1, 1), (1, 127), (2, 2), (2, 255)] {
            let mut changed = message.clone();
            (changed[3], changed[at]) = (kind, value);
            let cut = if value == 127 { at } else { changed.len() };
            let mut datagram = vec![1, 0];
            datagram.extend(zstd::bulk::compress(&changed[..cut], 1).unwrap());
            fake.send_to(&datagram, target).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    until("both see two still", &mut all, |view| view.len() >= 2).await;
    assert!(all[0].stats.received.get() > before + 100);
    assert_eq!(all[0].gossip.ended(), None);
}
