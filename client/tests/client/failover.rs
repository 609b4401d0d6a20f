//! What happens when nodes die, hang or break off: no read fails that another can answer, no write
//! is sent twice that has no name, and every call ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::cluster::{Cluster, pk_of, unavailable};
use crate::scripted::{Reply, Server, json};
use pumice_client::{Client, Error, Puts, WriteId};

const ALL: &[(usize, &str)] = &[(0, "serving"), (1, "serving"), (2, "serving")];
const TWO: &[(usize, &str)] = &[(1, "serving"), (2, "serving")];

fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn no_read_fails_when_a_node_dies() {
    let mut cluster = Cluster::start(|_, _| None).await;
    cluster.draw([ALL, ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let readers = (0..10).map(|reader| {
        let client = client.clone();
        tokio::spawn(async move {
            for nth in 0..100 {
                let pk = pk_of((reader + nth) % 3, 0);
                client.get(&pk, "a").await.unwrap();
                client.get_many(&[(&pk, "a"), (&pk_of(0, 0), "b")]).await.unwrap();
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    while cluster.nodes[1].seen().len() < 50 {
        tokio::task::yield_now().await;
    }
    cluster.nodes[1].kill().await;
    for reader in readers {
        reader.await.unwrap();
    }
    for _ in 0..20 {
        client.put(&pk_of(0, 0), "a", &1).await.unwrap();
    }
}

#[tokio::test]
async fn the_first_node_may_die() {
    let mut cluster = Cluster::start(|_, _| None).await;
    cluster.draw([ALL, ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    cluster.nodes[0].kill().await;
    for _ in 0..50 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    // Before anything is learned, another address that was given is as good.
    let client = Client::builder(&nobody()).also(&cluster.nodes[2].url).build().unwrap();
    client.put(&pk_of(0, 0), "a", &1).await.unwrap();
    client.get(&pk_of(0, 0), "a").await.unwrap();
    let mut puts = Puts::new();
    puts.push("a", "b", &()).unwrap();
    // The fake answers one outcome that is none of this route: what counts is that it came.
    assert!(matches!(client.put_many(&puts).await, Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn a_read_goes_on_elsewhere_when_a_node_cannot() {
    let cluster = Cluster::start(|node, seen| {
        let ours = node == 1 && seen.path.contains(&pk_of(0, 0));
        ours.then(|| unavailable("unavailable"))
    })
    .await;
    cluster.draw([TWO, ALL, ALL], |_, _| {});
    let client = cluster.builder().read_retries(1).build().unwrap();
    cluster.learned(&client).await;
    for _ in 0..10 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    assert!(cluster.count("GET", 0)[1] > 0);
}

#[tokio::test]
async fn a_write_that_was_cut_goes_on_elsewhere_only_by_its_name() {
    let cluster = Cluster::start(|node, seen| {
        let ours = node == 1 && seen.method == "PUT";
        ours.then_some(Reply::Cut)
    })
    .await;
    cluster.draw([TWO, &[(1, "serving")], ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;

    let unnamed = client.put(&pk_of(1, 0), "a", &1).await;
    assert!(matches!(unnamed, Err(Error::Unknown { token: None, .. })), "{unnamed:?}");
    assert_eq!(cluster.count("PUT", 1), [0, 1, 0]);

    // Each has its turn, once the one that broke off is trusted again.
    let mut puts = 0;
    while cluster.count("PUT", 0)[1] == 0 {
        client.put(&pk_of(0, 0), "a", &1).write_id(WriteId(puts)).await.unwrap();
        puts += 1;
    }
    assert_eq!(cluster.count("PUT", 0), [0, 1, puts as usize]);
}

#[tokio::test]
async fn a_later_try_cannot_deny_that_the_first_may_be_written() {
    let server = Server::start(|_, before| match before {
        0 => Reply::Cut,
        _ => json(503, r#"{"error":{"code":"unavailable","message":"full"}}"#),
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let result = client.put("a", "b", &1).write_id(WriteId(1)).await;
    assert!(matches!(result, Err(Error::Unknown { token: None, .. })), "{result:?}");
    assert_eq!(server.seen().len(), 3);
    assert!(
        server
            .seen()
            .iter()
            .all(|seen| seen.headers["pumice-write-id"].to_str().unwrap().ends_with('1'))
    );
}

#[tokio::test]
async fn a_named_write_gets_its_outcome_in_the_end() {
    let server = Server::start(|_, before| match before {
        0 => json(
            504,
            r#"{"error":{"code":"not_judged","message":"late","partition":3,"offset":9}}"#,
        ),
        _ => json(200, r#"{"outcome":"applied","partition":3,"offset":9}"#),
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    client.put("a", "b", &1).write_id(WriteId(1)).await.unwrap();
}

#[tokio::test]
async fn a_node_that_never_answers_costs_a_read_part_of_its_time() {
    let silent = Arc::new(AtomicUsize::new(0));
    let count = silent.clone();
    let cluster = Cluster::start(move |node, seen| {
        let ours = node == 1 && seen.path.contains(&pk_of(0, 0));
        ours.then(|| {
            count.fetch_add(1, Ordering::Relaxed);
            Reply::Silence
        })
    })
    .await;
    cluster.draw([TWO, ALL, ALL], |_, _| {});
    let client = cluster.builder().timeout(Duration::from_secs(6)).build().unwrap();
    cluster.learned(&client).await;
    while silent.load(Ordering::Relaxed) == 0 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
}

#[tokio::test]
async fn calls_end_when_nobody_ever_answers() {
    let cluster =
        Cluster::start(|_, seen| seen.path.contains(&pk_of(0, 0)).then_some(Reply::Silence)).await;
    cluster.draw([ALL, ALL, ALL], |_, _| {});
    let client = cluster.builder().timeout(Duration::from_millis(300)).build().unwrap();
    cluster.learned(&client).await;
    let pk = pk_of(0, 0);
    assert!(matches!(client.get(&pk, "a").await, Err(Error::Unavailable { .. })));
    assert!(matches!(client.put(&pk, "a", &1).await, Err(Error::Unknown { .. })));
    let named = client.put(&pk, "a", &1).write_id(WriteId(1)).await;
    assert!(matches!(named, Err(Error::Unknown { .. })));

    // Connections are made by the kernel; nobody takes them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(&url).timeout(Duration::from_millis(300)).build().unwrap();
    assert!(matches!(client.get("a", "b").await, Err(Error::Unavailable { .. })));
    assert!(matches!(client.get_many(&[("a", "b")]).await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn a_node_where_reads_pile_up_is_passed_over() {
    let cluster = Cluster::start(|node, seen| {
        let ours = node == 1 && seen.path.contains(&pk_of(0, 0));
        ours.then_some(Reply::Silence)
    })
    .await;
    cluster.draw([TWO, ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let mut reads = tokio::task::JoinSet::new();
    for nth in 1..=200 {
        let client = client.clone();
        reads.spawn(async move { client.get(&pk_of(0, 0), "a").await });
        while cluster.count("GET", 0).iter().sum::<usize>() < nth {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let counts = cluster.count("GET", 0);
    assert!((1..50).contains(&counts[1]), "{counts:?}, in turn it would be 100 each");
}
