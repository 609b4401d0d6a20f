//! The floor the server stands on, from outside: a core that answers every request alike, real
//! sockets, and clients that behave, misbehave, or say nothing. Each test has a server of its own,
//! on the runtime that this machine allows, or as part of `net_floor_tokio` on tokio.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pumice::mesh::lane::{Sender, lane};
use pumice::net::body::{BodyFault, Incoming, Intake, collect};
use pumice::net::{Drain, Limits, Service, Short, serve};
use pumice::rt::{self, Runtime};
use pumice::stats::net::NetStats;

/// The handler's whole answer to `/`.
const ANSWER: &str = "solid as rock";

/// How large a body `/body` takes.
const BODY_MAX: usize = 1 << 20;

/// How large a reply `/large` gives: more than sockets and buffers hold.
const LARGE: usize = 64 << 20;

/// One core that serves.
struct Server {
    address: SocketAddr,
    stats: Arc<NetStats>,
    /// Starts the drain.
    drain: Sender<()>,
    core: rt::Joining<()>,
}

fn runtime() -> Runtime {
    let wanted = module_path!().starts_with("net_floor_tokio").then_some(Runtime::Tokio);
    Runtime::choose(wanted).unwrap()
}

impl Server {
    fn start(limits: Limits) -> Server {
        let socket = rt::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let stats = Arc::new(NetStats::default());
        let counted = Arc::clone(&stats);
        let (drain, mut orders) = lane(1);
        let core = runtime().spawn("core-floor", None, move || async move {
            let listener = rt::Listener::new(socket).unwrap();
            let drain = Drain::new();
            let order = drain.clone();
            rt::spawn_local(async move {
                orders.recv_many(&mut Vec::new(), 1).await;
                order.start();
            });
            serve(listener, Rc::new(Floor), limits, drain, counted).await;
        });
        Server { address, stats, drain, core: core.unwrap() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        // Only so that a fault of the server fails the test instead of hanging it.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    async fn connect_h2(&self) -> SendRequest<Full<Bytes>> {
        let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        let io = TokioIo::new(stream);
        let (send, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        send
    }

    /// Drains and returns the counts.
    fn stop(self) -> Arc<NetStats> {
        let _ = self.drain.try_send(());
        self.core.join().unwrap();
        assert_eq!(self.stats.open.get(), 0);
        self.stats
    }
}

/// Answers every request by [`answer`]; one to `/noted` by a look.
struct Floor;

impl Service for Floor {
    type Body = Full<Bytes>;
    type Answering = Pin<Box<dyn Future<Output = Response<Full<Bytes>>>>>;
    type Noted = usize;
    type Away = ();
    type Told = ();

    fn answer(&self, request: Request<Incoming>) -> Self::Answering {
        Box::pin(answer(request))
    }

    fn note(&self, noted: &mut usize, target: &str) -> bool {
        *noted += usize::from(target == "/noted");
        target == "/noted"
    }

    fn look(&self, noted: &mut usize, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        let (content_type, body) = ("text/plain", ANSWER.as_bytes());
        for number in 0..std::mem::take(noted) {
            reply(number, &Short { status: 200, content_type, fields: &[], body });
        }
    }
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let reply = |status, body| {
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        response
    };
    match request.uri().path() {
        "/slow" => {
            rt::sleep(Duration::from_millis(300)).await;
            reply(StatusCode::OK, Bytes::from_static(ANSWER.as_bytes()))
        }
        "/large" => reply(StatusCode::OK, Bytes::from(vec![7; LARGE])),
        "/panic" => panic!("a handler's fault, announced by the test"),
        "/body" => match collect(
            request.into_body(),
            BODY_MAX,
            Duration::from_millis(200),
            &Intake::default(),
        )
        .await
        {
            Ok(body) => reply(StatusCode::OK, body),
            Err(BodyFault::TooLarge(_)) => reply(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()),
            Err(BodyFault::TimedOut(_)) => reply(StatusCode::REQUEST_TIMEOUT, Bytes::new()),
            Err(BodyFault::Broken) => reply(StatusCode::BAD_REQUEST, Bytes::new()),
            Err(BodyFault::Busy) => reply(StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        },
        _ => reply(StatusCode::OK, Bytes::from_static(ANSWER.as_bytes())),
    }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("http://floor{path}")).body(Full::default()).unwrap()
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("http://floor/body").body(Full::new(body.into())).unwrap()
}

/// Reads `count` HTTP/1 replies that all carry [`ANSWER`].
fn read_answers(stream: &mut TcpStream, count: usize) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while text.matches(ANSWER).count() < count {
        let n = stream.read(&mut buffer).unwrap();
        assert!(n > 0, "closed after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), count);
}

/// Reads to the end of the stream; a reset is an end too.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(fault) if fault.kind() != io::ErrorKind::ConnectionReset => panic!("{fault}"),
        _ => bytes,
    }
}

fn tokio(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn http1_keeps_the_connection() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
        read_answers(&mut stream, 1);
    }
    let stats = server.stop();
    assert_eq!(read_to_end(&mut stream), b"", "a drain closes idle connections");
    assert_eq!((stats.accepted.get(), stats.closed.get(), stats.cut_at_drain.get()), (1, 1, 0));
}

#[test]
fn http1_answers_a_pipeline_in_order_however_it_is_cut() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect();
    let pipeline = b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n".repeat(500);
    for piece in pipeline.chunks(1_013) {
        stream.write_all(piece).unwrap();
    }
    read_answers(&mut stream, 500);
    stream.write_all(b"P").unwrap();
    std::thread::sleep(Duration::from_millis(20));
    stream.write_all(b"OST /body HTTP/1.1\r\nhost: floor\r\ncontent-length: 13\r\n\r\n").unwrap();
    stream.write_all(ANSWER.as_bytes()).unwrap();
    read_answers(&mut stream, 1);
    server.stop();
}

#[test]
fn http2_serves_many_streams_on_many_connections() {
    let server = Server::start(Limits::default());
    tokio(async {
        let mut replies = Vec::new();
        for _ in 0..8 {
            let send = server.connect_h2().await;
            replies.extend((0..250).map(|_| {
                let mut send = send.clone();
                tokio::spawn(async move {
                    let response = send.send_request(get("/")).await.unwrap();
                    response.into_body().collect().await.unwrap().to_bytes()
                })
            }));
        }
        for reply in replies {
            assert_eq!(reply.await.unwrap(), ANSWER);
        }
    });
    assert_eq!(server.stop().accepted.get(), 8);
}

#[test]
fn bodies_are_taken_within_their_size_and_time() {
    let server = Server::start(Limits::default());
    tokio(async {
        let mut send = server.connect_h2().await;
        let full = Bytes::from(vec![42; BODY_MAX]);
        let response = send.send_request(post(full.clone())).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), full);
        let response = send.send_request(post(vec![42; BODY_MAX + 1])).await.unwrap();
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    });
    let mut stream = server.connect();
    stream
        .write_all(b"POST /body HTTP/1.1\r\nhost: floor\r\ncontent-length: 9\r\n\r\nfour")
        .unwrap();
    let reply = read_to_end(&mut stream);
    assert!(reply.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&reply));
    // Without a declared length, the limit holds as the bytes come.
    let mut stream = server.connect();
    stream
        .write_all(b"POST /body HTTP/1.1\r\nhost: floor\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    let chunk = [b"10000\r\n".as_slice(), &vec![42; 0x10000], b"\r\n"].concat();
    let mut wrote = 0;
    while wrote < 1024 && stream.write_all(&chunk).is_ok() {
        wrote += 1;
    }
    assert!(wrote < 1024, "64 MiB were taken where 1 MiB is the limit");
    server.stop();
}

#[test]
fn a_head_that_never_ends_is_cut_and_idle_connections_are_not() {
    let limits = Limits { head_time: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits);
    let mut idle = server.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    read_answers(&mut idle, 1);
    let mut cut: Vec<_> = (0..4).map(|_| server.connect()).collect();
    cut[1].write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    cut[2].write_all(b"GET / HTTP/1.1\r\nhost: fl").unwrap();
    // A whole request, then half of one.
    cut[3].write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    read_answers(&mut cut[3], 1);
    cut[3].write_all(b"GET / HTTP").unwrap();
    for stream in &mut cut {
        assert_eq!(read_to_end(stream), b"");
    }
    idle.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    read_answers(&mut idle, 1);
    assert_eq!(server.stop().timed_out.get(), 4);
}

#[test]
fn garbage_is_refused() {
    let server = Server::start(Limits::default());
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client that speaks TLS\r\n\r\n".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(garbage).unwrap();
        let reply = read_to_end(&mut stream);
        assert!(!reply.windows(ANSWER.len()).any(|bytes| bytes == ANSWER.as_bytes()));
    }
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let mut stream = server.connect();
    // It may be refused before it is all written.
    let _ = stream.write_all(long.as_bytes());
    read_to_end(&mut stream);
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    read_answers(&mut stream, 1);
    assert_eq!(server.stop().protocol_errors.get(), 4);
}

#[test]
fn a_client_that_stops_reading_is_cut() {
    let limits = Limits { stall_time: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits);
    let mut stuck = server.connect();
    stuck.write_all(b"GET /large HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    tokio(async {
        // Takes the head, and then no frame: its windows fill, its socket does not.
        let mut send = server.connect_h2().await;
        let held = send.send_request(get("/large")).await.unwrap();
        while server.stats.timed_out.get() < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(held.into_body().collect().await.is_err());
    });
    assert!(read_to_end(&mut stuck).len() < LARGE);
    server.stop();
}

#[test]
fn a_slow_reader_gets_all_of_a_large_reply() {
    let limits = Limits { stall_time: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits);
    let mut stream = server.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: floor\r\nconnection: close\r\n\r\n").unwrap();
    let mut taken = 0;
    let mut buffer = vec![0; 8 << 20];
    loop {
        std::thread::sleep(Duration::from_millis(100));
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            n => taken += n,
        }
    }
    assert!(taken > LARGE);
    assert_eq!(server.stop().timed_out.get(), 0);
}

#[test]
fn connections_over_the_limit_are_closed() {
    let limits = Limits { connections: 2, ..Limits::default() };
    let server = Server::start(limits);
    let mut kept: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for stream in &mut kept {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
        read_answers(stream, 1);
    }
    assert_eq!(read_to_end(&mut server.connect()), b"");
    drop(kept.pop());
    // The place is free once the server has seen the end of the other.
    while server.stats.open.get() == 2 {
        std::thread::yield_now();
    }
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    read_answers(&mut stream, 1);
    let stats = server.stop();
    assert_eq!((stats.accepted.get(), stats.over_limit.get()), (4, 1));
}

#[test]
fn a_panic_ends_one_connection() {
    let server = Server::start(Limits::default());
    let mut broken = server.connect();
    broken.write_all(b"GET /panic HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    assert_eq!(read_to_end(&mut broken), b"");
    tokio(async {
        let mut send = server.connect_h2().await;
        assert!(send.send_request(get("/panic")).await.is_err());
        let mut send = server.connect_h2().await;
        assert_eq!(send.send_request(get("/")).await.unwrap().status(), StatusCode::OK);
    });
    assert_eq!(server.stop().panicked.get(), 2);
}

#[test]
fn a_drain_lets_requests_finish_and_takes_no_new_connection() {
    let server = Server::start(Limits::default());
    let mut h1 = server.connect();
    h1.write_all(b"GET /slow HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    // Neither says anything, so neither may hold the drain.
    let (mut silent, mut half) = (server.connect(), server.connect());
    half.write_all(b"GET / HT").unwrap();
    let address = server.address;
    let (stats, stopped) = mpsc::channel();
    tokio(async {
        let mut send = server.connect_h2().await;
        send.send_request(get("/")).await.unwrap();
        let slow = tokio::spawn(send.send_request(get("/slow")));
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::thread::spawn(move || stats.send(server.stop()));
        let response = slow.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), ANSWER);
    });
    read_answers(&mut h1, 1);
    assert_eq!((read_to_end(&mut silent), read_to_end(&mut half)), (vec![], vec![]));
    assert_eq!(stopped.recv().unwrap().cut_at_drain.get(), 0);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_drain_cuts_what_does_not_finish() {
    let limits = Limits { drain_time: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits);
    let mut stream = server.connect();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: floor\r\n\r\n").unwrap();
    stream.read_exact(&mut [0; 1]).unwrap();
    assert_eq!(server.stop().cut_at_drain.get(), 1);
    assert!(read_to_end(&mut stream).len() < LARGE);
}

#[test]
fn a_silent_http2_peer_is_asked_and_then_cut() {
    let (h2_ping_after, h2_ping_time) = (Duration::from_secs(1), Duration::from_secs(1));
    let server = Server::start(Limits { h2_ping_after, h2_ping_time, ..Limits::default() });
    let mut stream = server.connect();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut said = Vec::new();
    // It ends by an end, or a reset; a server that waits for ever ends it by the stream's timeout.
    if let Err(fault) = stream.read_to_end(&mut said) {
        assert_eq!(fault.kind(), io::ErrorKind::ConnectionReset);
    }
    // PING, of eight bytes, on the connection.
    assert!(said.windows(9).any(|frame| frame == [0, 0, 8, 6, 0, 0, 0, 0, 0]), "{said:?}");
    assert_eq!(server.stop().timed_out.get(), 1);
}
