//! Who is asked: straight to a holder, each replica in turn, the own region first, nobody who
//! leaves; and when the picture is fetched anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::cluster::{Cluster, NAMES, good_from, pk_of, unavailable};
use crate::scripted::{Server, json};
use pumice_client::{Batch, Client};

const ALL: &[(usize, &str)] = &[(0, "serving"), (1, "serving"), (2, "serving")];

#[tokio::test]
async fn calls_go_straight_to_the_holder() {
    let cluster = Cluster::start(|_, _| None).await;
    cluster.draw([&[(1, "serving")], &[(2, "serving")], ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    for (partition, holder) in [(0, 1), (1, 2)] {
        let pk = pk_of(partition, 0);
        client.get(&pk, "a").await.unwrap();
        client.list(&pk).next().await.unwrap();
        client.put(&pk, "a", &1).await.unwrap();
        client.delete(&pk, "a").await.unwrap();
        client.batch(&Batch::new().delete(&pk, "a")).await.unwrap();
        let counts = ["GET", "PUT", "DELETE"].map(|method| cluster.count(method, partition));
        let only = |count| std::array::from_fn(|node| if node == holder { count } else { 0 });
        assert_eq!(counts, [only(2), only(1), only(1)]);
        let batches = |node: &Server| node.seen().iter().any(|seen| seen.path == "/v1/batch");
        assert!(batches(&cluster.nodes[holder]));
        assert!(!batches(&cluster.nodes[0]));
    }
}

#[tokio::test]
async fn reads_are_spread_evenly_over_replicas() {
    let cluster = Cluster::start(|_, _| None).await;
    cluster.draw([ALL, ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let before = [0, 1, 2].map(|partition| cluster.count("GET", partition));
    assert_eq!(before, [[0; 3]; 3]);
    let readers = (0..30).map(|reader| {
        let client = client.clone();
        tokio::spawn(async move {
            for nth in 0..100 {
                client.get(&pk_of((reader + nth) % 3, 0), "a").await.unwrap();
            }
        })
    });
    for reader in readers.collect::<Vec<_>>() {
        reader.await.unwrap();
    }
    let mut of_node = [0; 3];
    for partition in 0..3 {
        let counts = cluster.count("GET", partition);
        of_node.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    assert_eq!(of_node.iter().sum::<usize>(), 3_000);
    assert!(of_node.iter().all(|count| (900..=1_100).contains(count)), "{of_node:?}");
}

#[tokio::test]
async fn the_own_region_is_asked_as_long_as_it_answers() {
    let mut cluster = Cluster::start(|_, _| None).await;
    cluster.draw([ALL, ALL, ALL], |at, node| {
        node.region = if at == 1 { "us".into() } else { "eu".into() };
    });
    let client = cluster.builder().region("us").build().unwrap();
    cluster.learned(&client).await;
    for _ in 0..20 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    assert_eq!(cluster.count("GET", 0), [0, 20, 0]);
    cluster.nodes[1].kill().await;
    for _ in 0..20 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    let counts = cluster.count("GET", 0);
    assert_eq!((counts[1], counts[0] + counts[2]), (20, 20));
}

#[tokio::test]
async fn who_leaves_or_is_behind_is_not_asked_when_others_serve() {
    let cluster = Cluster::start(|_, _| None).await;
    let leaving: &[(usize, &str)] = &[(0, "serving"), (1, "draining"), (2, "serving")];
    let behind: &[(usize, &str)] = &[(0, "serving"), (1, "catching-up"), (2, "broken")];
    cluster.draw([leaving, behind, &[(1, "draining"), (0, "restoring")]], |at, node| {
        node.draining = at == 2;
    });
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    for partition in 0..3 {
        for _ in 0..20 {
            client.get(&pk_of(partition, 0), "a").await.unwrap();
        }
    }
    assert_eq!(cluster.count("GET", 0), [20, 0, 0]);
    assert_eq!(cluster.count("GET", 1), [20, 0, 0]);
    assert_eq!(cluster.count("GET", 2), [0, 20, 0], "nobody else has it");
}

#[tokio::test]
async fn many_keys_are_asked_of_as_few_nodes_as_have_them() {
    let cluster = Cluster::start(|_, _| None).await;
    let (one, two): (&[_], &[_]) = (&[(1, "serving")], &[(2, "serving"), (0, "serving")]);
    cluster.draw([one, two, two], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let keys: Vec<(String, String)> =
        (0..12).map(|n| (pk_of(n % 3, n as usize / 3), format!("s{n}"))).collect();
    let records = client.get_many(&keys).await.unwrap();
    for (record, (pk, sk)) in records.iter().zip(&keys) {
        let record = record.as_ref().unwrap();
        assert_eq!((&record.pk, &record.sk), (pk, sk));
    }
    let asked = |node: &Server| {
        let bodies = node.seen().into_iter().filter(|seen| seen.path == "/v1/records:get");
        bodies.map(|seen| seen.body.matches("\"pk\"").count()).collect::<Vec<_>>()
    };
    assert_eq!(asked(&cluster.nodes[1]), [4]);
    let others = [asked(&cluster.nodes[0]), asked(&cluster.nodes[2])].concat();
    assert_eq!(others, [8], "one of the two has both partitions");
}

#[tokio::test]
async fn an_answer_of_another_node_has_the_picture_fetched_again() {
    let moved = Arc::new(AtomicBool::new(false));
    let flag = moved.clone();
    let cluster = Cluster::start(move |node, seen| {
        let away = node == 1 && flag.load(Ordering::Relaxed);
        away.then(|| good_from(NAMES[2], seen))
    })
    .await;
    cluster.draw([&[(1, "serving")], ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let began = Instant::now();
    moved.store(true, Ordering::Relaxed);
    cluster.draw([&[(2, "serving")], ALL, ALL], |_, _| {});
    while cluster.count("GET", 0)[2] == 0 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    let fetched: usize = cluster.nodes.iter().map(Server::routes_asked).sum();
    let seconds = began.elapsed().as_secs() as usize;
    assert!((2..=seconds + 2).contains(&fetched), "{fetched} pictures in {seconds} s");
}

#[tokio::test]
async fn a_partition_that_moved_is_read_where_it_is_and_the_picture_fetched_again() {
    let cluster = Cluster::start(|node, seen| {
        let moved = node == 1 && seen.path.contains(&pk_of(0, 0));
        moved.then(|| unavailable("moved"))
    })
    .await;
    cluster.draw([&[(1, "serving")], ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    cluster.draw([&[(2, "serving")], ALL, ALL], |_, _| {});
    client.get(&pk_of(0, 0), "a").await.unwrap();
    let at_old_holder = cluster.count("GET", 0)[1];
    assert!(at_old_holder > 0);
    while cluster.nodes.iter().map(Server::routes_asked).sum::<usize>() < 2 {
        client.get(&pk_of(1, 0), "a").await.unwrap();
    }
}

#[tokio::test]
async fn a_picture_in_which_less_is_served_is_not_believed_alone() {
    // Every answer of the holder is a hint to fetch.
    let cluster = Cluster::start(|node, seen| (node == 1).then(|| good_from(NAMES[2], seen))).await;
    cluster.draw([&[(1, "serving")], ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    // As of a node that has just begun and has heard of nobody yet.
    let bare = r#"{"version":1,"partitions":4,"hash":"murmur2","nodes":[],"holders":[]}"#;
    cluster.nodes[0].tell_routes(bare.to_owned());
    let before = cluster.nodes[0].routes_asked();
    let of_others = || cluster.nodes[1].routes_asked() + cluster.nodes[2].routes_asked();
    while cluster.nodes[0].routes_asked() == before {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    let asked = of_others();
    while of_others() == asked {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    for _ in 0..20 {
        client.get(&pk_of(0, 0), "a").await.unwrap();
    }
    let counts = cluster.count("GET", 0);
    assert_eq!((counts[0], counts[2]), (0, 0));
}

#[tokio::test]
async fn a_server_that_is_alone_gets_everything() {
    let server = Server::start(|_, _| json(404, "")).await;
    let client = Client::new(&server.url).unwrap();
    let mut reads = 0;
    while reads < 50 || server.routes_asked() == 0 {
        assert_eq!(client.get(&pk_of(0, reads % 4), "a").await, Ok(None));
        reads += 1;
    }
    assert_eq!(server.seen().len(), reads);
    assert_eq!(server.routes_asked(), 1);
}
