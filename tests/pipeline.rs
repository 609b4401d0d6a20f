//! A bug that was: with hyper's aggregated pipeline flush an answer waited for as long as bytes of
//! a next request stood in the buffer, and was lost when those bytes were no request.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use server::Server;

const WHOLE: &str = "GET /up HTTP/1.1\r\nHost: pumice\r\n\r\n";

fn answers_to(server: &Server, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server.http).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut answer = [0; 4_096];
    let got = stream.read(&mut answer).expect("an answer before the next request is whole");
    String::from_utf8_lossy(&answer[..got]).into_owned()
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let answer = answers_to(&server, &format!("{WHOLE}GET /up HT"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.stop().success());
}

#[test]
fn an_answer_is_not_lost_for_garbage_behind_its_request() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path(), &[]);
    let answer = answers_to(&server, &format!("{WHOLE}\u{1}\u{2}garbage\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = answers_to(&server, "\u{1}\u{2}garbage\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(server.stop().success());
}
