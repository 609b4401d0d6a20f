//! What a session asks of the replicas that it reads from.

use crate::cluster::{Cluster, pk_of};
use crate::scripted::{Seen, Server, json};
use pumice_client::{Batch, Client, Offset, Partition, Token};

const ALL: &[(usize, &str)] = &[(0, "serving"), (1, "serving"), (2, "serving")];

fn wanted(seen: &Seen) -> Option<String> {
    seen.headers.get("pumice-min-offsets").map(|offsets| offsets.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_asks_for_its_writes_where_it_reads() {
    let cluster = Cluster::start(|_, _| None).await;
    cluster.draw([&[(0, "serving")], &[(1, "serving")], &[(2, "serving")]], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let session = client.session();
    let [zero, one, two] = [0, 1, 2].map(|partition| pk_of(partition, 0));
    session.put(&zero, "a", &1).await.unwrap();
    session.delete(&one, "a").await.unwrap();
    session.batch(&Batch::new().put(&zero, "b", &1)).await.unwrap();
    let token = |partition| Token { partition: Partition(partition), offset: Offset(9) };
    assert_eq!(session.tokens(), [token(0), token(1)]);

    session.get(&zero, "a").await.unwrap();
    session.clone().list(&one).next().await.unwrap();
    session.get(&two, "a").await.unwrap();
    session.get_many(&[(&zero, "a"), (&one, "a"), (&two, "a")]).await.unwrap();
    client.get(&zero, "a").await.unwrap();
    let reads = |node: &Server| {
        let seen = node.seen().into_iter();
        let ours = seen.filter(|seen| !seen.path.ends_with("/learned"));
        let reads = ours.filter(|seen| seen.method == "GET" || seen.path == "/v1/records:get");
        reads.map(|seen| wanted(&seen)).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(reads(&cluster.nodes[0]), [some("0:9"), some("0:9"), None]);
    assert_eq!(reads(&cluster.nodes[1]), [some("1:9"), some("1:9")]);
    assert_eq!(reads(&cluster.nodes[2]), [None, None]);
}

#[tokio::test]
async fn what_was_read_counts_when_asked_for() {
    let cluster = Cluster::start(|_, _| None).await;
    cluster.draw([ALL, ALL, ALL], |_, _| {});
    let client = cluster.builder().build().unwrap();
    cluster.learned(&client).await;
    let (plain, monotonic) = (client.session(), client.monotonic_session());
    for session in [&plain, &monotonic] {
        session.get(&pk_of(0, 0), "a").await.unwrap();
    }
    let seven = Token { partition: Partition(0), offset: Offset(7) };
    assert!(plain.tokens().is_empty());
    assert_eq!(monotonic.tokens(), [seven]);
    monotonic.at_least(Token { offset: Offset(8), ..seven }).get(&pk_of(0, 0), "a").await.unwrap();
    let asked: Vec<_> =
        cluster.nodes.iter().flat_map(Server::seen).filter_map(|s| wanted(&s)).collect();
    assert_eq!(asked, ["0:8"], "the higher of the two");
}

#[tokio::test]
async fn all_that_was_written_is_asked_for_while_placing_is_unknown() {
    let server = Server::start(|seen, before| match seen.method.as_str() {
        "GET" => json(404, ""),
        _ if before == 0 => json(200, r#"{"outcome":"applied","partition":3,"offset":9}"#),
        _ => json(200, r#"{"outcome":"applied","partition":1,"offset":4}"#),
    })
    .await;
    server.tell_routes("no such route".to_owned());
    let session = Client::new(&server.url).unwrap().session();
    session.put("a", "b", &1).await.unwrap();
    session.put("b", "b", &1).await.unwrap();
    session.get("a", "b").await.unwrap();
    assert_eq!(wanted(&server.seen()[2]).as_deref(), Some("1:4,3:9"));
}
