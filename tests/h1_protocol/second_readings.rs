//! Requests that two readers of HTTP/1.1 could read in two ways, behind a plain one and on their
//! own: refused, or read in the one way that RFC 9112 allows.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use crate::{get, record, start, until_the_end};

/// What the bytes behind a request hide: a request of its own, if they are not its body.
const HIDDEN: &str = "GET /v1/records/hidden/x HTTP/1.1\r\nHost: pumice\r\n\r\n";

#[test]
fn nothing_is_read_in_two_ways() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir, &[]);
    let line = format!("GET {} HTTP/1.1\r\n", record(1));
    let put = format!("PUT {} HTTP/1.1\r\nHost: pumice\r\n", record(1));
    let length = HIDDEN.len();
    for (request, statuses) in [
        // A length that is one, twice, or none.
        (format!("{line}Host: pumice\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"), &[200][..]),
        (format!("{put}Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{put}Content-Length: {length}, 0\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{put}Content-Length: +0\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{put}Content-Length : 0\r\n\r\n{HIDDEN}"), &[400]),
        // Chunks that a length contradicts.
        (
            format!(
                "{line}Host: pumice\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n\
                 {length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"
            ),
            &[200],
        ),
        (format!("{line}Host: pumice\r\nTransfer-Encoding : chunked\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{line}Host: pumice\r\nTransfer-Encoding: xchunked\r\n\r\n{HIDDEN}"), &[400]),
        // Folded lines, lines without their whole end, and bytes that end none.
        (
            format!("{line}Host: pumice\r\nX: a\r\n Content-Length: {length}\r\n\r\n{HIDDEN}"),
            &[400],
        ),
        (format!("{line}Host: pumice\r\nX: a\rContent-Length: {length}\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{line}Host: pumice\r\nX: a\0Content-Length: {length}\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{line} Host: pumice\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{line}Host : pumice\r\n\r\n{HIDDEN}"), &[400]),
        (format!("{line}: pumice\r\n\r\n{HIDDEN}"), &[400]),
        // A line feed alone ends a line (RFC 9112 section 2.2), the length with it.
        (format!("{line}Host: pumice\nContent-Length: {length}\n\n{HIDDEN}"), &[200]),
    ] {
        for before in [0, 1, 3] {
            let mut stream = TcpStream::connect(server.http).unwrap();
            let bytes = get(&record(1)).repeat(before) + &request;
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let text = String::from_utf8(until_the_end(&mut stream)).unwrap();
            let told: Vec<u16> = text
                .match_indices("HTTP/1.1 ")
                .map(|(at, _)| text[at + 9..at + 12].parse().unwrap())
                .collect();
            let expected = [&[200; 3][..before], statuses].concat();
            assert_eq!(told, expected, "{request:?} behind {before} plain ones: {text}");
        }
    }
    assert!(server.stop().success());
}
