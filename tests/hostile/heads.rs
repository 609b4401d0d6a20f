//! Heads of HTTP/1.1 requests that are wrong, too long, slow, or never come.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::keepalive::Connection;
use crate::{RECORD, start};

/// Longer than the server's patience, so that only a server that has none fails.
const PATIENCE: Duration = Duration::from_secs(45);

/// Connections of one attack.
const MANY: usize = 50;

/// Peers that connect and say nothing: they are sent away.
pub fn never_sent(address: SocketAddr) {
    let mut silent: Vec<TcpStream> =
        (0..MANY).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0)), "a silent peer is still welcome");
    }
}

/// Peers that send a byte now and then: a head has a time as a whole, whatever trickles in.
pub fn byte_by_byte(address: SocketAddr) {
    let mut slow: Vec<TcpStream> =
        (0..MANY).map(|_| TcpStream::connect(address).unwrap()).collect();
    let head = format!("GET {RECORD} HTTP/1.1\r\nHost: pumice\r\nX-Slow: {}", "x".repeat(1_000));
    let deadline = Instant::now() + PATIENCE;
    for byte in head.bytes() {
        slow.retain_mut(|stream| {
            stream.set_nonblocking(true).unwrap();
            let read = stream.read(&mut [0; 64]);
            let open = matches!(&read, Err(fault) if fault.kind() == ErrorKind::WouldBlock);
            open && stream.write_all(&[byte]).is_ok()
        });
        if slow.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{} slow peers are still welcome", slow.len());
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{} slow peers have sent their whole head", slow.len());
}

#[test]
fn heads_that_are_wrong_get_their_status() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir);
    let get = format!("GET {RECORD} HTTP/1.1\r\nHost: pumice\r\n");
    let long = "x".repeat(20_000);
    let post = "POST /v1/records:get HTTP/1.1\r\nHost: pumice\r\n";
    for (head, status) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400),
        ("\0\0\0\0\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n".to_owned(), 400),
        ("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        (get.replace("sk", "s k") + "\r\n", 400),
        (get.replace("sk", "%") + "\r\n", 400),
        (get.replace("sk", &long) + "\r\n", 431),
        (format!("{get}X: {long}\r\n\r\n"), 431),
        (format!("{get}{}\r\n", "X: y\r\n".repeat(200)), 431),
        (format!("{get}X: a\0b\r\n\r\n"), 400),
        (format!("{get}No colon\r\n\r\n"), 400),
        (format!("{get} : x\r\n\r\n"), 400),
        (format!("{post}Content-Length: ten\r\n\r\n"), 400),
        (format!("{post}Content-Length: -1\r\n\r\n"), 400),
        (format!("{post}Content-Length: 1\r\nContent-Length: 2\r\n\r\n[]"), 400),
        (format!("{post}Transfer-Encoding: gzip\r\n\r\n"), 400),
        (format!("{post}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400),
        (format!("{post}Content-Length: 16777217\r\n\r\n"), 413),
        (format!("{post}Content-Length: 9223372036854775807\r\n\r\n"), 413),
        (format!("{post}Content-Length: 18446744073709551615\r\n\r\n"), 431),
        (format!("{post}Content-Length: 18446744073709551616\r\n\r\n"), 400),
        (format!("{post}Content-Length: 16777217\r\nExpect: 100-continue\r\n\r\n"), 413),
        (get.replace(RECORD, "http://elsewhere/v1/records/pk/sk") + "\r\n", 200),
        (get.replace("GET", "BREW") + "\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: pumice\r\n\r\n".to_owned(), 204),
        (get.clone() + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 200),
    ] {
        let mut connection = Connection::open(server.http);
        let _ = connection.send(head.as_bytes());
        let shown = &head[..head.len().min(120)];
        let reply = connection.reply(true).unwrap_or_else(|fault| panic!("{shown:?}: {fault}"));
        assert_eq!(reply.status, status, "{shown:?}: {reply:?}");
    }
    assert!(server.stop().success());
}

#[test]
fn a_half_request_is_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir);
    let whole =
        "PUT /v1/records/pk/half HTTP/1.1\r\nHost: pumice\r\nContent-Length: 6\r\n\r\n\"half\"";
    for cut in 0..whole.len() {
        let mut stream = TcpStream::connect(server.http).unwrap();
        stream.write_all(&whole.as_bytes()[..cut]).unwrap();
        drop(stream);
    }
    let mut connection = Connection::open(server.http);
    let half = connection.request("GET", "/v1/records/pk/half", &[], b"").unwrap();
    assert_eq!(half.status, 404, "{half:?}");
    assert_eq!(connection.request("GET", RECORD, &[], b"").unwrap().text(), "\"here\"");
    assert!(server.stop().success());
}
