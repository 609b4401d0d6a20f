//! HTTP/1.1 as bytes, against the real binary: whatever is sent at once, in pieces, or mixed with
//! what needs more than a look, is answered as if it had been asked alone and in order.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

#[path = "h1_protocol/ends.rs"]
mod ends;
#[path = "h1_protocol/second_readings.rs"]
mod second_readings;
#[path = "h1_protocol/together.rs"]
mod together;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use server::keepalive::Connection;
use server::{Reply, Server};

/// Longer than any answer takes, so that only a server that gives none fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Records that are there; as many more that are not are asked for too.
const RECORDS: usize = 40;

fn start(dir: &tempfile::TempDir, flags: &[&str]) -> Server {
    let server = Server::start(dir.path(), flags);
    let mut connection = Connection::open(server.http);
    for n in 0..RECORDS {
        let value = format!("\"{}\"", "v".repeat(n * 7));
        let put = connection.request("PUT", &record(n), &[], value.as_bytes()).unwrap();
        assert_eq!(put.status, 201);
    }
    server
}

/// Records lie in all shards, so that looks do not come in the order of their requests.
fn record(n: usize) -> String {
    format!("/v1/records/pk%20{n}/{n}")
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: pumice\r\n\r\n")
}

/// The status, the fields but the date, sorted, and the body.
type Seen = (u16, Vec<String>, Vec<u8>);

fn seen(reply: Reply) -> Seen {
    assert!(reply.header("date").is_some_and(|date| date.ends_with(" GMT")), "{reply:?}");
    let fields = reply.head.lines().skip(1).filter(|line| !line.starts_with("date: "));
    let mut fields: Vec<String> = fields.map(str::to_owned).collect();
    fields.sort();
    (reply.status, fields, reply.body)
}

/// All that comes until the connection ends.
fn until_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// What `bytes`, cut at `cuts`, are answered with, each answer without its date.
fn answers(address: SocketAddr, bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut sent = 0;
    for &cut in cuts {
        stream.write_all(&bytes[sent..cut]).unwrap();
        sent = cut;
        // So that the pieces mostly come as pieces.
        std::thread::yield_now();
    }
    stream.write_all(&bytes[sent..]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    without_dates(until_the_end(&mut stream))
}

fn without_dates(mut bytes: Vec<u8>) -> Vec<u8> {
    const MARK: &[u8] = b"\r\ndate: ";
    const DATE: usize = "Sun, 07 May 2023 12:00:00 GMT".len();
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(MARK.len()).position(|eight| eight == MARK) {
        at += found + MARK.len();
        bytes[at..at + DATE].fill(b'.');
    }
    bytes
}

#[test]
fn a_plain_get_is_answered_as_any_other_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut plain = Connection::open(server.http);
    for target in [record(0), record(39), record(RECORDS), "/v1/records/a/%00".to_owned()] {
        plain.send(get(&target).as_bytes()).unwrap();
        let plain = seen(plain.reply(true).unwrap());
        // A length, though it is none, makes a request other than plain.
        let mut other = Connection::open(server.http);
        let other = seen(other.request("GET", &target, &[], b"").unwrap());
        assert_eq!(plain, other, "{target}");
    }
    assert!(server.stop().success());
}

#[test]
fn a_pipeline_is_answered_as_its_requests_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut alone = Vec::new();
    let mut connection = Connection::open(server.http);
    let heads: Vec<String> = (0..1_000).map(|n| get(&record(n * 13 % (RECORDS * 2)))).collect();
    for head in &heads {
        alone.push(answers_of_one(&mut connection, head));
    }
    for count in [1, 2, 3, 16, 63, 64, 65, 500, 1_000] {
        let bytes = heads[..count].concat();
        assert!(answers(server.http, bytes.as_bytes(), &[]) == alone[..count].concat(), "{count}");
    }
    // Cut once, at each byte of three requests, and in pieces of every size.
    let (bytes, three) = (heads[..3].concat(), alone[..3].concat());
    for cut in 1..bytes.len() {
        assert!(answers(server.http, bytes.as_bytes(), &[cut]) == three, "cut at {cut}");
    }
    let (bytes, all) = (heads[..100].concat(), alone[..100].concat());
    for piece in [1, 2, 7, 61, 997] {
        let cuts: Vec<usize> = (1..bytes.len()).step_by(piece).collect();
        assert!(answers(server.http, bytes.as_bytes(), &cuts) == all, "in pieces of {piece}");
    }
    assert!(server.stop().success());
}

/// The bytes of one answer, put together from what a client sees of it.
fn answers_of_one(connection: &mut Connection, head: &str) -> Vec<u8> {
    connection.send(head.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    let (mut length, mut count) = (usize::MAX, 1);
    while bytes.len() < length {
        bytes = connection.peek(count).unwrap().to_vec();
        count = bytes.len() + 1;
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let body = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length = end + 4 + body.unwrap().parse::<usize>().unwrap();
        }
    }
    connection.reply(true).unwrap();
    without_dates(bytes)
}

#[test]
fn what_needs_more_than_a_look_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    for before in [0, 1, 5, 70] {
        let mut connection = Connection::open(server.http);
        let (head, length) = (get(&record(7)), "Content-Length: 5\r\n\r\n\"new\"");
        let put = format!("PUT /v1/records/pk%207/7 HTTP/1.1\r\nHost: pumice\r\n{length}");
        let list = get("/v1/records/pk%207");
        let pipeline = head.repeat(before) + &put + &head + &list + &head;
        connection.send(pipeline.as_bytes()).unwrap();
        let mut bodies = (0..before + 4).map(|_| connection.reply(true).unwrap());
        for reply in bodies.by_ref().take(before) {
            assert_eq!(reply.text().len(), 51, "{reply:?}");
        }
        let texts: Vec<String> = bodies.map(|reply| reply.text()).collect();
        assert!(texts[0].contains("\"applied\""), "{texts:?}");
        assert_eq!((&*texts[1], &*texts[3]), ("\"new\"", "\"new\""));
        assert!(texts[2].starts_with("{\"records\":["), "{texts:?}");
        // As it was, for the next round.
        let old = format!("\"{}\"", "v".repeat(49));
        let put = connection.request("PUT", &record(7), &[], old.as_bytes()).unwrap();
        assert_eq!(put.status, 200);
    }
    assert!(server.stop().success());
}

#[test]
fn other_requests_of_a_record_are_served_behind_plain_ones() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut connection = Connection::open(server.http);
    connection.send(get(&record(3)).as_bytes()).unwrap();
    let plain = connection.reply(true).unwrap();
    let (etag, length) = (plain.header("etag").unwrap(), plain.header("content-length").unwrap());
    // HEAD: the same head, and no body that would be taken for the next answer.
    let head = get(&record(3)).replacen("GET", "HEAD", 1);
    connection.send((get(&record(3)) + &head + &get(&record(3))).as_bytes()).unwrap();
    assert_eq!(connection.reply(true).unwrap().body, plain.body);
    let bare = connection.reply(false).unwrap();
    assert_eq!((bare.status, bare.header("content-length")), (200, Some(length)));
    assert_eq!(bare.header("etag"), Some(etag));
    assert_eq!(connection.reply(true).unwrap().body, plain.body);
    // Conditions, behind a plain one and on a connection of their own.
    for plain in [0, 1] {
        let mut connection = Connection::open(server.http);
        let asked = get(&record(3)).repeat(plain);
        let same = format!("If-None-Match: {etag}\r\n\r\n");
        let other = "if-none-match: \"0-999999\"\r\n\r\n";
        let field = |field: &str| get(&record(3)).trim_end().to_owned() + "\r\n" + field;
        connection.send((asked + &field(&same) + &field(other)).as_bytes()).unwrap();
        let statuses: Vec<u16> =
            (0..plain + 2).map(|_| connection.reply(true).unwrap().status).collect();
        assert_eq!(statuses[plain..], [304, 200]);
    }
    assert!(server.stop().success());
}

#[test]
fn http_1_0_ends_behind_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    for plain in ["", &get(&record(1))] {
        let mut stream = TcpStream::connect(server.http).unwrap();
        let old = format!("GET {} HTTP/1.0\r\nHost: pumice\r\n\r\n", record(2));
        stream.write_all((plain.to_owned() + &old).as_bytes()).unwrap();
        let text = String::from_utf8(until_the_end(&mut stream)).unwrap();
        assert!(text.ends_with(&format!("\"{}\"", "v".repeat(14))), "{text}");
        assert_eq!(text.matches(" 200 OK\r\n").count(), 1 + usize::from(!plain.is_empty()));
    }
    assert!(server.stop().success());
}

#[test]
fn long_answers_are_made_as_they_are_taken() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut connection = Connection::open(server.http);
    let value =
        |n: usize| format!("\"{}\"", char::from(b'a' + n as u8).to_string().repeat(800_000));
    for n in 0..4 {
        let target = format!("/v1/records/large {n}/x").replace(' ', "%20");
        let put = connection.request("PUT", &target, &[], value(n).as_bytes()).unwrap();
        assert_eq!(put.status, 201);
    }
    // A thousand of them would be 800 MB; nobody takes any while they are asked for.
    let asked: String = (0..1_000)
        .map(|n| {
            if n % 2 == 0 {
                record(n % RECORDS)
            } else {
                format!("/v1/records/large%20{}/x", n / 2 % 4)
            }
        })
        .map(|target| get(&target))
        .collect();
    let mut connection = Connection::open(server.http);
    connection.send(asked.as_bytes()).unwrap();
    for n in 0..100 {
        let reply = connection.reply(true).unwrap();
        assert_eq!(reply.status, 200);
        let length = if n % 2 == 0 { n % RECORDS * 7 + 2 } else { 800_002 };
        assert_eq!(reply.body.len(), length, "answer {n}");
        if n % 2 == 1 {
            assert!(reply.body == value(n / 2 % 4).as_bytes(), "answer {n}");
        }
    }
    drop(connection);
    assert_eq!(server::request(server.http, "GET", &record(0), &[], b"").text(), "\"\"");
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 300_000, "the server grew to {most} kB for one peer");
    assert!(server.stop().success());
}

/// Whether nothing comes for a moment: the server waits for more.
fn says_nothing(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let read = stream.read(&mut [0; 64]).map_err(|fault| fault.kind());
    matches!(read, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut))
}
