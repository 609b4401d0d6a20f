//! Bodies that never come, never end, or end too late, and answers that nobody takes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use crate::frames::{END_HEADERS, END_STREAM, HEADERS, Raw, frame, get};
use crate::server::keepalive::Connection;
use crate::server::{reply, request};

/// Longer than the server's patience, so that only a server that has none fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections of one attack.
const MANY: usize = 20;

/// Records of some size, for answers that are long.
pub fn fill(address: SocketAddr) {
    let mut connection = Connection::open(address);
    let value = format!("\"{}\"", "v".repeat(500_000));
    for n in 0..20 {
        let target = format!("/v1/records/big/{n}");
        let put = connection.request("PUT", &target, &[], value.as_bytes()).unwrap();
        assert_eq!(put.status, 201);
    }
}

fn send(address: SocketAddr, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    stream
}

/// The status and text that a connection gets before it is closed.
fn last_words(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    // A peer that is still sending is reset behind the answer.
    let _ = stream.read_to_end(&mut bytes);
    let reply = reply(&bytes);
    (reply.status, reply.text())
}

/// A length is declared, and a few bytes of it sent.
pub fn declared_and_not_sent(address: SocketAddr) {
    let targets = ["POST /v1/records:get", "POST /records/put", "PUT /v1/records/pk/late"];
    let head = "HTTP/1.1\r\nHost: pumice\r\nContent-Type: application/json\r\n\
                Content-Length: 1000000\r\n\r\n{";
    let waiting: Vec<_> = targets
        .iter()
        .flat_map(|target| (0..MANY).map(move |_| target))
        .map(|target| send(address, &format!("{target} {head}")))
        .collect();
    for mut stream in waiting {
        let (status, text) = last_words(&mut stream);
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("the body did not end within 30s"), "{text}");
    }
}

/// A chunked body that goes on, a byte at a time.
pub fn endless_drip(address: SocketAddr) {
    let head =
        "PUT /v1/records/pk/drip HTTP/1.1\r\nHost: pumice\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut dripping: Vec<_> = (0..MANY).map(|_| send(address, head)).collect();
    // Until the first of them is told to stop; the others were as slow.
    dripping[0].set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut byte = [0; 1];
    for _ in 0..PATIENCE.as_millis() / 200 {
        let _ = dripping.iter_mut().map(|stream| stream.write_all(b"1\r\n1\r\n")).count();
        if matches!(dripping[0].peek(&mut byte), Ok(1)) {
            break;
        }
    }
    for mut stream in dripping {
        let (status, text) = last_words(&mut stream);
        assert_eq!(status, 400, "{text}");
        assert!(text.contains("the body did not end within 30s"), "{text}");
    }
}

/// A chunked body that goes on as fast as it can: past the largest body it is refused.
pub fn endless_gush(address: SocketAddr) {
    let head = "POST /v1/batch HTTP/1.1\r\nHost: pumice\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let gushing = (0..2).map(|_| {
        let (mut stream, chunk) = (send(address, head), chunk.clone());
        thread::spawn(move || {
            // A hundred megabytes is what none of these sends before it is stopped.
            let taken =
                (0..1_600).take_while(|_| stream.write_all(chunk.as_bytes()).is_ok()).count();
            assert!(taken < 1_600, "a body without end was taken");
        })
    });
    let gushing: Vec<_> = gushing.collect();
    gushing.into_iter().for_each(|one| one.join().unwrap());
    let polite = Connection::open(address);
    too_large(polite, head, &chunk);
}

/// One that stops at the limit and listens hears why.
fn too_large(mut connection: Connection, head: &str, chunk: &str) {
    connection.send(head.as_bytes()).unwrap();
    for _ in 0..=256 {
        // The last of it may meet a connection that is closed already.
        let _ = connection.send(chunk.as_bytes());
    }
    if let Ok(reply) = connection.reply(true) {
        assert_eq!(reply.status, 413, "{reply:?}");
        assert_eq!(reply.json()["error"]["code"], "too_large");
    }
}

/// Bodies of millions of parts, of which a request may have thousands.
pub fn of_many_parts(address: SocketAddr) {
    let elements = format!(r#"{{"Records":[{}{{}}]}}"#, "{},".repeat(5_000_000));
    let names = format!(r#"{{{}"Records":[]}}"#, r#""a":1,"#.repeat(2_000_000));
    for body in [elements, names] {
        assert_eq!(put_records(address, &body), 400);
    }
}

/// Requests with as many conditions as they may have, all of it work: patterns to read.
pub fn laborious(address: SocketAddr) {
    let pattern = r#"pk matches \"\\\\w{200}\""#;
    let record = format!(r#"{{"pk":"pk","if":"{}"}}"#, [pattern; 30].join("||"));
    let body = format!(r#"{{"Records":[{}]}}"#, vec![record; 1_000].join(","));
    for _ in 0..10 {
        assert_eq!(put_records(address, &body), 200);
    }
}

fn put_records(address: SocketAddr, body: &str) -> u16 {
    let json = [("content-type", "application/json")];
    request(address, "POST", "/records/put", &json, body.as_bytes()).status
}

/// Long answers are asked for and not taken: they are made a page at a time, and not for ever.
pub fn answers_not_taken_http1(address: SocketAddr) {
    let head = "GET /v1/records/big HTTP/1.1\r\nHost: pumice\r\n\r\n";
    let stalled: Vec<_> = (0..MANY).map(|_| send(address, &head.repeat(3))).collect();
    thread::sleep(Duration::from_secs(33));
    for mut stream in stalled {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        assert!(bytes.len() < 30_000_000, "a peer that took nothing for so long got all of it");
    }
}

/// The same with a window that is never opened.
pub fn answers_not_taken_http2(address: SocketAddr) {
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    let mut raw = Raw::open(address, &[0, 4, 0, 0, 0, 0]);
    for stream in (1..100).step_by(2) {
        let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, &get("/v1/records/big/1"));
        assert!(raw.send(&asked));
    }
    let (_, closed) = raw.read(PATIENCE);
    assert!(closed, "a peer that takes nothing is still welcome");
}
