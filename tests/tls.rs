//! TLS on the public port, against the real binary: both protocols inside it, cleartext beside it
//! or not, certificates of peers, and certificates that change while the server runs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

#[path = "tls/authority.rs"]
mod authority;
#[path = "tls/peer.rs"]
mod peer;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use authority::Authority;
use peer::Peer;
use server::{PUMICE, Server, request, run};

const RECORD: &str = "/v1/records/pk/sk";

/// A directory with a certificate of `authority` for 127.0.0.1, and the flags that name it.
fn files(dir: &Path, authority: &Authority) -> Vec<String> {
    let (cert, key) = authority.issues("127.0.0.1");
    std::fs::write(dir.join("cert.pem"), cert).unwrap();
    std::fs::write(dir.join("key.pem"), key).unwrap();
    std::fs::write(dir.join("ca.pem"), authority.pem()).unwrap();
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    vec!["--tls-cert".into(), path("cert.pem"), "--tls-key".into(), path("key.pem")]
}

fn start(data: &Path, flags: &[String], more: &[&str]) -> Server {
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Server::start(data, &flags)
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: pumice\r\n\r\n")
}

#[test]
fn both_protocols_are_spoken_inside_tls_and_cleartext_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let server = start(&dir.path().join("data"), &files(dir.path(), &authority), &[]);
    let put = request(server.http, "PUT", RECORD, &[], b"\"here\"");
    assert_eq!(put.status, 201, "in clear text");

    let (address, ca) = (server.http, dir.path().join("ca.pem"));
    let (url, ca) = (format!("https://{address}"), ca.to_str().unwrap());
    let got = run(&["get", "pk", "sk", "--url", &url, "--ca", ca]);
    assert_eq!((got.0, got.1.trim()), (0, "\"here\""), "HTTP/2 by our own client: {got:?}");
    let untrusted = run(&["get", "pk", "sk", "--url", &url]);
    assert_ne!(untrusted.0, 0, "an unknown authority: {untrusted:?}");
    assert!(untrusted.2.contains("certificate"), "{untrusted:?}");

    for (offered, agreed) in
        [(&["h2", "http/1.1"][..], Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
    {
        let mut peer = Peer::open(address, authority.trusted(None), offered);
        peer.shake_hands().unwrap();
        assert_eq!(peer.protocol().as_deref(), agreed);
    }
    // A pipeline of plain requests, and one that needs more than a look behind it.
    let mut peer = Peer::open(address, authority.trusted(None), &["http/1.1"]);
    let asked = get(RECORD).repeat(100)
        + &get("/v1/namespace").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    peer.send(asked.as_bytes()).unwrap();
    let told = peer.until_the_end().unwrap();
    assert_eq!(told.matches("HTTP/1.1 200 OK").count(), 101, "{told}");
    assert_eq!(told.matches("\"here\"").count(), 100);
    assert_eq!(request(server.http, "GET", RECORD, &[], b"").text(), "\"here\"");
    assert!(server.stop().success());
}

#[test]
fn curl_speaks_both() {
    let version = std::process::Command::new("curl").arg("--version").output();
    let features = version.map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
    let Ok(features) = features else {
        println!("skipped: there is no curl on this machine");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("data"), &files(dir.path(), &Authority::new()), &[]);
    let put = request(server.http, "PUT", RECORD, &[], b"\"here\"");
    assert_eq!(put.status, 201);
    let (url, ca) = (format!("https://{}{RECORD}", server.http), dir.path().join("ca.pem"));
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        if flag == "--http2" && !features.contains("HTTP2") {
            println!("skipped: this machine's curl speaks no HTTP/2");
            continue;
        }
        let output = std::process::Command::new("curl")
            .args(["-sS", flag, "--cacert"])
            .arg(&ca)
            .args(["-w", " %{http_version}", &url])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(told, format!("\"here\" {version}"), "{output:?}");
    }
    assert!(server.stop().success());
}

#[test]
fn tls_only_refuses_cleartext_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let flags = files(dir.path(), &authority);
    let server = start(&dir.path().join("data"), &flags, &["--tls-only"]);
    let refused = request(server.http, "GET", RECORD, &[], b"");
    assert_eq!(
        (refused.status, &*refused.text()),
        (400, "only TLS is spoken here: ask by https://")
    );
    let mut preface = TcpStream::connect(server.http).unwrap();
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut told = Vec::new();
    preface.read_to_end(&mut told).unwrap();
    assert!(told.starts_with(b"HTTP/1.1 400 "), "{told:?}");
    let mut peer = Peer::open(server.http, authority.trusted(None), &["http/1.1"]);
    peer.send(get(RECORD).as_bytes()).unwrap();
    assert!(peer.some().unwrap().starts_with("HTTP/1.1 404 "));
    assert!(server.stop().success());
}

#[test]
fn sighup_brings_the_new_certificate_and_a_wrong_file_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let flags = files(dir.path(), &old);
    let server = start(&dir.path().join("data"), &flags, &[]);
    let mut kept = Peer::open(server.http, old.trusted(None), &["http/1.1"]);
    kept.send(get(RECORD).as_bytes()).unwrap();
    assert!(kept.some().unwrap().starts_with("HTTP/1.1 404 "));
    let is_served = |authority: &Authority| {
        Peer::open(server.http, authority.trusted(None), &["h2"]).shake_hands().is_ok()
    };
    assert!(is_served(&old) && !is_served(&new));

    // The key of another: the old pair stays, and the log says why.
    let (cert, key) = new.issues("127.0.0.1");
    std::fs::write(dir.path().join("cert.pem"), &cert).unwrap();
    server.signal("-HUP");
    until(|| server.log().iter().any(|line| line.contains("the old certificate stays")));
    assert!(is_served(&old) && !is_served(&new));

    std::fs::write(dir.path().join("key.pem"), key).unwrap();
    server.signal("-HUP");
    until(|| is_served(&new));
    assert!(!is_served(&old));
    kept.send(get(RECORD).as_bytes()).unwrap();
    assert!(kept.some().unwrap().starts_with("HTTP/1.1 404 "), "an old connection goes on");
    assert!(server.stop().success());
}

#[test]
fn a_peers_certificate_is_verified_if_it_shows_one() {
    let dir = tempfile::tempdir().unwrap();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let flags = files(dir.path(), &authority);
    let ca = dir.path().join("ca.pem");
    let with = ["--peer-ca", ca.to_str().unwrap()];
    let server = start(&dir.path().join("data"), &flags, &with);
    for (shown, is_welcome) in [(None, true), (Some(&authority), true), (Some(&stranger), false)] {
        let mut peer = Peer::open(server.http, authority.trusted(shown), &["http/1.1"]);
        let sent = peer.send(get(RECORD).as_bytes());
        let answered = sent.and_then(|()| peer.some()).is_ok_and(|told| !told.is_empty());
        assert_eq!(answered, is_welcome);
    }
    assert!(server.stop().success());
}

#[test]
fn files_that_will_not_do_are_refused_at_start_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    files(dir.path(), &Authority::new());
    std::fs::write(path("other.pem"), Authority::new().issues("127.0.0.1").1).unwrap();
    std::fs::write(path("empty.pem"), "").unwrap();
    for (cert, key, named) in [
        ("cert.pem", "other.pem", "other.pem: "),
        ("absent.pem", "key.pem", "absent.pem: there is no such file"),
        ("empty.pem", "key.pem", "empty.pem: holds no PEM of a certificate"),
        ("cert.pem", "cert.pem", "cert.pem: holds no PEM of a private key"),
    ] {
        let data = path("data");
        let (cert, key) = (path(cert), path(key));
        let refused = run(&[
            "serve",
            "--http",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--data-dir",
            &data,
            "--tls-cert",
            &cert,
            "--tls-key",
            &key,
        ]);
        assert_eq!(refused.0, 64, "{refused:?}");
        assert!(refused.2.contains(named) && refused.2.lines().count() == 1, "{refused:?}");
        assert!(!Path::new(&data).exists(), "a refused start leaves nothing");
    }
}

#[test]
fn a_handshake_that_does_not_end_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let server = start(&dir.path().join("data"), &files(dir.path(), &Authority::new()), &[]);
    let cut = [&b"\x16"[..], b"\x16\x03\x01\x02\x00\x01", b"\x16garbage that is no record at all"];
    thread::scope(|scope| {
        for first in cut {
            scope.spawn(move || {
                let mut stream = TcpStream::connect(server.http).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                stream.write_all(first).unwrap();
                let mut told = Vec::new();
                // A reset is an end too.
                match stream.read_to_end(&mut told) {
                    Err(fault) => assert_ne!(fault.kind(), std::io::ErrorKind::WouldBlock),
                    Ok(_) => assert!(!told.starts_with(b"HTTP"), "{told:?}"),
                }
            });
        }
    });
    assert!(server.stop().success());
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "what {PUMICE} was told has not come to pass");
        thread::sleep(Duration::from_millis(10));
    }
}
