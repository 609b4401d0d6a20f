//! The generator against a server in this process, through its command line's arguments and its
//! JSON report: every protocol, every operation, and every kind of failure that it must tell.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use clap::Parser;
use pumice_loadgen::args::{Cli, Command};
use pumice_loadgen::failure::Failure;
use pumice_loadgen::report::Report;
use pumice_loadgen::run::{self, Fault};
use server::{Faults, Server};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Runs a command line; whether all was right, and the report.
fn loadgen(line: &str) -> (bool, Report) {
    try_loadgen(line).unwrap_or_else(|fault| panic!("{line}: {fault:?}"))
}

fn try_loadgen(line: &str) -> Result<(bool, Report), Fault> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = format!("loadgen {line} --quiet --json {}", file.path().display());
    let stop = Arc::new(AtomicBool::new(false));
    let right = match Cli::try_parse_from(line.split(' ')).unwrap().command {
        Command::Run(args) => run::run(&args, &stop)?,
        Command::Load(args) => run::load(&args, &stop)?,
        other => panic!("{other:?} makes no report"),
    };
    Ok((right, Report::read_json(file.path()).unwrap()))
}

const PROTOCOLS: [&str; 3] = ["--http 2 -m 10", "--http 1.1", "--http 1.1 --pipeline 7"];

#[test]
fn every_answer_is_counted_over_every_protocol() {
    for protocol in PROTOCOLS {
        let server = Server::start(Faults::default());
        let url = format!("http://{}/constant", server.address);
        let (right, report) =
            loadgen(&format!("run --url {url} {protocol} -c 3 -t 2 --closed -n 5000 --warm-up 0s"));
        assert!(right, "{protocol}: {:?}", report.failures);
        assert_eq!((report.answered, server.served()), (5_000, 5_000), "{protocol}");
        assert_eq!(report.body_bytes, 5_000 * "constant".len() as u64, "{protocol}");
        assert_eq!(report.latency.buckets.iter().map(|(_, count)| count).sum::<u64>(), 5_000);
    }
}

#[test]
fn what_was_loaded_is_read_back_and_every_operation_is_verified() {
    for protocol in PROTOCOLS {
        let server = Server::start(Faults::default());
        let records = "--records 2000 --per-pk 20 --value-size 100";
        let to = format!("--target http://{} {protocol} -c 2 {records}", server.address);
        let (right, report) = loadgen(&format!("load {to} --batch 150"));
        assert!(right, "{protocol}: {:?}", report.failures);
        assert_eq!(server.records(), 2_000, "{protocol}");

        let mix = "--mix read=4,get=1,scan=1,put=2,insert=1,rmw=1 --batch 10 --miss 0.2";
        let (right, report) = loadgen(&format!(
            "run {to} {mix} --verify --keys zipfian --closed -n 3000 --warm-up 0s"
        ));
        assert!(right, "{protocol}: {:?} {:?}", report.failures, report.statuses);
        assert_eq!(report.operations.len(), 6, "{protocol}: every operation occurred");
        assert!(server.records() > 2_000, "{protocol}: inserts came");
        for keys in ["latest", "hot:0.1:0.9", "uniform"] {
            let (right, _) = loadgen(&format!(
                "run {to} --mix read=9,insert=1 --keys {keys} --verify --closed -n 1000"
            ));
            assert!(right, "{protocol} {keys}");
        }
    }
}

#[test]
fn a_wrong_value_is_found_by_verification_only() {
    let server = Server::start(Faults { wrong_every: Some(100), ..Faults::default() });
    let to = format!("--target http://{} -c 1 -m 4 --records 500", server.address);
    assert!(loadgen(&format!("load {to}")).0);
    let read = format!("run {to} --closed -n 2000 --warm-up 0s");
    assert!(loadgen(&read).0, "without --verify a 200 is right");
    let (right, report) = loadgen(&format!("{read} --verify"));
    assert!(!right);
    let wrong = report.failures[&Failure::Wrong];
    assert!((15..=20).contains(&wrong), "{wrong}: one in a hundred, but for the record's own");
    assert_eq!(report.answered + wrong, 2_000);
    let (right, report) = loadgen(&format!("{read} --miss 1"));
    assert!(!right && report.failures[&Failure::Wrong] == 20, "found what was never written");
}

#[test]
fn another_seed_is_found_too() {
    let server = Server::start(Faults::default());
    let to = format!("--target http://{} -c 1 -m 4 --records 100", server.address);
    assert!(loadgen(&format!("load {to}")).0);
    let (right, report) = loadgen(&format!("run {to} --seed 2 --verify --closed -n 100"));
    assert!(!right && report.failures[&Failure::Wrong] == 100);
}

#[test]
fn failures_are_counted_by_kind() {
    let server = Server::start(Faults::default());
    for protocol in PROTOCOLS {
        let url = |path| format!("run --url http://{}/{path} {protocol} -c 1", server.address);
        let (right, report) = loadgen(&format!("{} --closed -n 50 --warm-up 0s", url("busy")));
        assert!(!right);
        assert_eq!(report.statuses[&503], 50, "{protocol}");
        assert_eq!((report.failures[&Failure::Status], report.answered), (50, 0), "{protocol}");

        let slow = format!("{} --closed -n 1 --timeout 100ms --warm-up 0s", url("never"));
        let (right, report) = loadgen(&slow);
        assert!(!right && report.failures[&Failure::Timeout] == 1, "{protocol}");
    }
    let missing = format!("run --target http://{} --closed -n 10 --warm-up 0s", server.address);
    assert_eq!(loadgen(&missing).1.statuses[&404], 10, "nothing was loaded");
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fault = try_loadgen(&format!("run --target http://{free} --closed")).unwrap_err();
    assert!(matches!(&fault, Fault::Failed(why) if why.contains("refused")), "{fault:?}");
}

#[test]
fn connections_that_the_server_ends_are_made_again() {
    let server = Server::start(Faults { close_every: Some(10), ..Faults::default() });
    let line = format!(
        "run --url http://{}/constant --http 1.1 -c 2 --closed -n 200 --warm-up 0s",
        server.address
    );
    let (right, report) = loadgen(&line);
    assert!(right, "{:?}", report.failures);
    assert_eq!(report.answered, 200);
}

#[test]
fn a_server_with_fewer_streams_is_not_overrun() {
    let server = Server::start(Faults { streams: Some(3), ..Faults::default() });
    let url = format!("http://{}/constant", server.address);
    for pace in ["--closed", "--rate 20k"] {
        let (right, report) = loadgen(&format!("run --url {url} -c 1 -m 50 {pace} -n 2000"));
        assert!(right, "{:?}", report.failures);
        assert!(report.notes[0].contains("3 streams"), "{:?}", report.notes);
    }
}

/// Requests that had to wait longer than 50 ms around a stall of 300 ms.
fn waited(pace: &str) -> u64 {
    let stall = Some((400, Duration::from_millis(300)));
    let server = Server::start(Faults { stall, ..Faults::default() });
    let url = format!("http://{}/constant", server.address);
    let (_, report) = loadgen(&format!("run --url {url} -c 1 -m 4 {pace} -n 4000 --warm-up 0s"));
    assert_eq!(report.answered, 4_000);
    let late = |times: &[(u64, u64)]| -> u64 {
        times.iter().filter(|(time, _)| *time > 50_000_000).map(|(_, count)| count).sum()
    };
    let (latency, service) = (late(&report.latency.buckets), late(&report.service.buckets));
    assert!(service <= latency);
    latency
}

#[test]
fn a_stall_is_charged_to_everybody_who_was_due_and_only_in_an_open_loop() {
    let open = waited("--rate 2000");
    assert!((300..=4_000).contains(&open), "about 500 were due in its first 250 ms: {open}");
    let closed = waited("--closed");
    assert!((1..=100).contains(&closed), "four places were taken: {closed}");
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let server = Server::start(Faults::default());
    let url = format!("http://{}/constant", server.address);
    for gaps in ["", " --poisson"] {
        let line = format!("run --url {url} -c 2 -m 10 --rate 1000{gaps} -d 2s --warm-up 500ms");
        let (right, report) = loadgen(&line);
        assert!(right);
        assert!((1_700..=2_300).contains(&report.answered), "{gaps}: {}", report.answered);
        assert_eq!(report.seconds.len(), 2);
    }
}

#[test]
fn tls_is_spoken_and_the_certificate_is_checked() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls");
    let certificate = CertificateDer::from_pem_file(place.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(place.join("key.pem")).unwrap();
    let mut config = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = Server::start_with(Faults::default(), Some(TlsAcceptor::from(Arc::new(config))));
    let to = format!("--target https://localhost:{} -c 2 --records 500", server.address.port());
    let trust = format!("--ca {}", place.join("certificate.pem").display());
    assert!(loadgen(&format!("load {to} {trust}")).0);
    for protocol in PROTOCOLS {
        for trust in [trust.as_str(), "--insecure"] {
            let line = format!("run {to} {protocol} {trust} --verify --mix read=9,get=1 --closed");
            let (right, report) = loadgen(&format!("{line} -n 1000"));
            assert!(right, "{protocol}: {:?}", report.failures);
        }
    }
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/other.pem");
    let fault = try_loadgen(&format!("run {to} --ca {} --closed", other.display())).unwrap_err();
    assert!(matches!(&fault, Fault::Failed(why) if why.contains("certificate")), "{fault:?}");
}
