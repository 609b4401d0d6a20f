//! Reads of one record over HTTP/2, which a node asks others for many at a time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use pumice::stats::counter::Counter;
use pumice::stats::route::Route;
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::node::{Node, PARTITIONS, PATIENCE, know, on_each, partition};
use crate::peers::{Script, Scripted};

/// An answer: status, fields, body.
type Answer = (StatusCode, HeaderMap, Bytes);

/// The answers to GETs that are all sent before any is answered, on one connection.
fn together(http: SocketAddr, paths: &[String]) -> Vec<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = async {
        let socket = tokio::net::TcpStream::connect(http).await.unwrap();
        let io = TokioIo::new(socket);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        let connection = tokio::spawn(connection);
        let asked = paths.iter().map(|path| {
            let mut sender = sender.clone();
            let uri = format!("http://{http}{path}");
            async move {
                sender.ready().await.unwrap();
                let request = Request::get(uri).body(Empty::<Bytes>::new()).unwrap();
                let (head, body) = sender.send_request(request).await.unwrap().into_parts();
                (head.status, head.headers, body.collect().await.unwrap().to_bytes())
            }
        });
        let answers = futures_util::future::join_all(asked).await;
        drop(sender);
        connection.await.unwrap().unwrap();
        answers
    };
    runtime.block_on(async { tokio::time::timeout(PATIENCE, all).await.unwrap() })
}

fn path(n: usize) -> String {
    format!("/v1/records/pk{n}/s%20{n}")
}

/// Writes records `0..count`, each where every node of `nodes` has it.
fn write(nodes: &[Node], count: usize) {
    for node in nodes {
        (0..count)
            .for_each(|n| drop(node.put(&format!("pk{n}"), &format!("s%20{n}"), &n.to_string())));
    }
}

fn looks(node: &Node) -> u64 {
    node.stats.requests(Route::Look).iter().map(Counter::get).sum()
}

/// Answers for `path(0..70)`, of which 60 are there, by two nodes that have every second partition.
fn check_halves(answers: &[Answer]) {
    for (n, (status, fields, body)) in answers.iter().enumerate() {
        let at = partition(&format!("pk{n}"));
        assert_eq!(fields["pumice-node"], *format!("n{}", 2 - at.0 % 2), "{n}");
        if n < 60 {
            assert_eq!((*status, body.as_ref()), (StatusCode::OK, n.to_string().as_bytes()));
            assert!(fields.contains_key("etag") && fields.contains_key("last-modified"));
        } else {
            assert_eq!(*status, StatusCode::NOT_FOUND, "{n}: {body:?}");
        }
    }
}

#[test]
fn reads_of_one_connection_go_to_each_holder_in_one_request() {
    on_each(|runtime| {
        let nodes: [Node; 3] = Node::cluster(runtime);
        write(&nodes[1..], 60);
        (0..PARTITIONS).map(Partition).for_each(|at| {
            nodes[0].hold(at, Holding::Absent);
            // Each of the others has one half.
            nodes[1 + at.0 as usize % 2].hold(at, Holding::Absent);
        });
        know(&nodes, &[], 2);
        let paths: Vec<String> = (0..70).map(path).collect();
        // The first look opens the connections to the others.
        together(nodes[0].http, &paths);
        let until = Instant::now() + PATIENCE;
        loop {
            let before = looks(&nodes[1]) + looks(&nodes[2]);
            check_halves(&together(nodes[0].http, &paths));
            // On a busy machine a look may be late, and its reads are asked for alone.
            let requests = looks(&nodes[1]) + looks(&nodes[2]) - before;
            assert!(requests < 35, "70 reads took {requests} requests");
            if requests >= 2 {
                break;
            }
            assert!(Instant::now() < until, "no look came through");
        }
    });
}

#[test]
fn whom_nobody_answers_is_asked_for_elsewhere() {
    for script in
        [Script::Never, Script::Lost, Script::Refuses, Script::Slow(Duration::from_millis(300))]
    {
        on_each(|runtime| {
            let nodes: [Node; 2] = Node::cluster(runtime);
            write(&nodes[1..], 8);
            (0..PARTITIONS).map(Partition).for_each(|at| nodes[0].hold(at, Holding::Absent));
            let peer = Scripted::start(runtime, script);
            // It seems to be the furthest, so it is asked first.
            know(&nodes, &[(Node::member("p", peer.http), Holding::Serving)], 2);
            let paths: Vec<String> = (0..8).map(path).collect();
            let until = Instant::now() + PATIENCE;
            while peer.asked() == 0 {
                assert!(Instant::now() < until, "{script:?} was never asked");
                for (n, (status, fields, body)) in
                    together(nodes[0].http, &paths).iter().enumerate()
                {
                    assert_eq!(
                        (*status, body.as_ref()),
                        (StatusCode::OK, n.to_string().as_bytes())
                    );
                    assert_eq!(fields["pumice-node"], "n1");
                }
            }
        });
    }
}

#[test]
fn large_records_come_whole() {
    on_each(|runtime| {
        let nodes: [Node; 2] = Node::cluster(runtime);
        let mut sizes = BTreeMap::new();
        for (n, size) in [10, 200_000, 90_000, 900_000, 90_000, 90_000, 300_000].iter().enumerate()
        {
            nodes[1].put(
                &format!("pk{n}"),
                &format!("s%20{n}"),
                &format!("\"{}\"", "x".repeat(*size)),
            );
            sizes.insert(n, size + 2);
        }
        (0..PARTITIONS).map(Partition).for_each(|at| nodes[0].hold(at, Holding::Absent));
        know(&nodes, &[], 2);
        let paths: Vec<String> = sizes.keys().map(|n| path(*n)).collect();
        for (n, (status, _, body)) in together(nodes[0].http, &paths).iter().enumerate() {
            assert_eq!((*status, body.len()), (StatusCode::OK, sizes[&n]), "{n}");
        }
    });
}

#[test]
fn a_request_that_was_sent_on_is_not_sent_on_again_with_others() {
    on_each(|runtime| {
        let nodes: [Node; 2] = Node::cluster(runtime);
        write(&nodes[1..], 1);
        (0..PARTITIONS).map(Partition).for_each(|at| nodes[0].hold(at, Holding::Absent));
        know(&nodes, &[], 2);
        // What is not here is left out, and nobody else is asked for it.
        let looked = nodes[0].post("/v1/records:look", &path(0));
        assert_eq!((looked.status, looked.body.len()), (200, 0), "{looked:?}");
        assert!(!nodes[1].post("/v1/records:look", &path(0)).body.is_empty());
        assert_eq!(looks(&nodes[1]), 1);
    });
}
