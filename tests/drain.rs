//! A server that is told to end, under load and with idle or stuck peers: it finishes what has
//! begun, refuses what has not, keeps what it acknowledged, and ends in time.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "drain/load.rs"]
mod load;
mod server;
#[path = "drain/slow.rs"]
mod slow;

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::{join, join3};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use load::Load;
use pumice_client::Client;
use server::Server;

/// How long a server may take to drain, and what a busy machine may add.
const DRAIN: Duration = Duration::from_secs(10);
const MARGIN: Duration = Duration::from_secs(5);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn start(dir: &Path) -> Server {
    let cores = if std::thread::available_parallelism().unwrap().get() > 1 { "2" } else { "1" };
    Server::start(dir, &["--cores", cores])
}

/// Waits for a good end and says how long it took.
fn ended(mut server: Server, since: Instant) -> Duration {
    let status = server.wait();
    assert_eq!(status.code(), Some(0), "{:#?}", server.log());
    since.elapsed()
}

async fn until_logged(server: &Server, text: &str) {
    while !server.log().iter().any(|line| line.contains(text)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn sigterm_under_load() {
    under_load("-TERM");
}

#[test]
fn sigint_under_load() {
    under_load("-INT");
}

fn under_load(signal: &str) {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let load = Load::new(&server.url());
    let mut told = Instant::now();
    block_on(async {
        slow::fill(&Client::new(&server.url()).unwrap()).await;
        let mut h1 = slow::Http1::begin(server.http).await;
        let mut h2 = slow::Http2::begin(server.http).await;
        let end = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            told = Instant::now();
            load.ending.set(true);
            server.signal(signal);
            // Two replies are still under way, so the server runs, and takes nobody new.
            while tokio::net::TcpStream::connect(server.http).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(Path::new(&format!("/proc/{}", server.pid())).exists());
            join(h1.finish(), h2.finish()).await;
        };
        join3(end, load.write(), load.read()).await;
    });
    let took = ended(server, told);
    assert!(took < DRAIN + MARGIN, "the drain took {took:?}");
    println!("{signal}: drained in {took:?}, {}", load.summary());

    let server = start(dir.path());
    block_on(load.prove(&Client::new(&server.url()).unwrap()));
    assert!(server.stop().success());
}

#[test]
fn a_second_signal_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(dir.path());
    let url = server.url();
    block_on(async { Client::new(&url).unwrap().put("a", "b", &1).await }).unwrap();
    // A request whose body never ends.
    let mut hanging = TcpStream::connect(server.http).unwrap();
    let head = "PUT /v1/records/a/c HTTP/1.1\r\nhost: pumice\r\ncontent-length: 100\r\n\r\n[1,";
    hanging.write_all(head.as_bytes()).unwrap();
    // Once another connection was served, this one was accepted.
    assert_eq!(server::request(server.http, "GET", "/up", &[], b"").status, 200);
    server.terminate();
    block_on(until_logged(&server, "finishing what is in flight"));
    server.signal("-INT");
    assert_eq!(server.wait().code(), Some(130));

    let server = start(dir.path());
    let got = server::request(server.http, "GET", "/v1/records/a/b", &[], b"");
    assert_eq!((got.status, got.text().as_str()), (200, "1"));
    assert!(server.stop().success());
}

#[test]
fn idle_connections_do_not_hold_the_drain_up() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let connect = |said: &str| {
        let mut stream = TcpStream::connect(server.http).unwrap();
        stream.set_read_timeout(Some(DRAIN * 3)).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    };
    let mut kept = connect("GET /up HTTP/1.1\r\nhost: pumice\r\n\r\n");
    let mut head = [0; 12];
    kept.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let (mut silent, mut half) = (connect(""), connect("GET /up HT"));
    let took = block_on(async {
        let mut sender = slow::http2(server.http).await;
        let url = format!("http://{}/up", server.http);
        let request = Request::get(url).body(Empty::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        let told = Instant::now();
        server.terminate();
        // The connection's own task must run to hear the goodbye.
        while !sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        ended(server, told)
    });
    assert!(took < DRAIN, "idle connections held the drain up for {took:?}");
    for stream in [&mut kept, &mut silent, &mut half] {
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn a_peer_that_says_nothing_more_is_cut_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(dir.path());
    let mut deaf = TcpStream::connect(server.http).unwrap();
    // Preface and empty SETTINGS; it never answers a PING, so it never leaves by itself.
    deaf.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut settings = [0; 9];
    deaf.read_exact(&mut settings).unwrap();
    let told = Instant::now();
    server.terminate();
    let took = ended(server, told);
    assert!(took < DRAIN + MARGIN, "the drain took {took:?}");
}
