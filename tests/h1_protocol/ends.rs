//! How a connection that asked plain GETs ends: by a head that does not, by a peer that takes
//! nothing, by a drain.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::server::keepalive::Connection;
use crate::{get, record, says_nothing, start, until_the_end};

#[test]
fn a_head_that_does_not_end_is_cut_and_an_idle_connection_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut idle = Connection::open(server.http);
    idle.send(get(&record(1)).as_bytes()).unwrap();
    assert_eq!(idle.reply(true).unwrap().status, 200);
    let whole = get(&record(1));
    thread::scope(|scope| {
        // Cut within the head's first word, its target, a field, and its empty line.
        for cut in [1, 3, 10, whole.len() - 10, whole.len() - 1] {
            let (whole, address) = (&whole, server.http);
            scope.spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(whole.repeat(2).as_bytes()).unwrap();
                stream.write_all(&whole.as_bytes()[..cut]).unwrap();
                let text = String::from_utf8(until_the_end(&mut stream)).unwrap();
                assert_eq!(text.matches(" 200 OK\r\n").count(), 2, "cut at {cut}: {text}");
            });
        }
    });
    idle.send(whole.as_bytes()).unwrap();
    assert_eq!(idle.reply(true).unwrap().status, 200);
    assert!(server.stop().success());
}

#[test]
fn a_peer_that_takes_nothing_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let mut connection = Connection::open(server.http);
    let value = format!("\"{}\"", "v".repeat(800_000));
    let put = connection.request("PUT", "/v1/records/large/x", &[], value.as_bytes()).unwrap();
    assert_eq!(put.status, 201);
    let mut stalled = TcpStream::connect(server.http).unwrap();
    stalled.write_all(get("/v1/records/large/x").repeat(500).as_bytes()).unwrap();
    thread::sleep(Duration::from_secs(34));
    let mut bytes = Vec::new();
    stalled.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let _ = std::io::Read::read_to_end(&mut stalled, &mut bytes);
    assert!(bytes.len() < 100_000_000, "a peer that took nothing got {} bytes", bytes.len());
    assert!(server.stop().success());
}

#[test]
fn a_drain_answers_what_has_come_and_says_that_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = start(&dir, &[]);
    let mut idle = TcpStream::connect(server.http).unwrap();
    let mut begun = TcpStream::connect(server.http).unwrap();
    let mut silent = TcpStream::connect(server.http).unwrap();
    let whole = get(&record(1));
    idle.write_all(whole.as_bytes()).unwrap();
    let mut first = [0; 4_096];
    assert!(std::io::Read::read(&mut idle, &mut first).unwrap() > 0);
    begun.write_all((whole.repeat(2) + &whole[..20]).as_bytes()).unwrap();
    assert!(std::io::Read::read(&mut begun, &mut first).unwrap() > 0);
    assert!(says_nothing(&mut begun) && says_nothing(&mut silent));
    server.terminate();
    assert_eq!(until_the_end(&mut idle), b"", "an idle connection just ends");
    begun.write_all(&whole.as_bytes()[20..]).unwrap();
    let last = String::from_utf8(until_the_end(&mut begun)).unwrap();
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n"), "{last}");
    assert!(last.contains("\r\nconnection: close\r\n"), "{last}");
    assert!(server.wait().success());
}
