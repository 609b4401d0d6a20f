//! Clients that each put rising numbers on a key of their own, unconditionally, with a note of what
//! they were told; and what must then hold of every read and of the whole log.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::kafka::mock;
use crate::kafka::node::Place;
use crate::log;
use crate::server::{Reply, reply};

/// Longer than a server takes to say that it does not know.
const PATIENCE: Duration = Duration::from_secs(150);

/// What became of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is in the log and applied.
    Acknowledged,
    /// 503: it never will be.
    Never,
    /// 504: perhaps.
    Unknown,
    /// No answer: perhaps.
    Gone,
}

/// One writer, and what it was told.
pub struct Writer {
    name: usize,
    /// Its key; the sk is empty.
    pub pk: String,
    next: AtomicU64,
    acknowledged: AtomicU64,
    seen: AtomicU64,
    told: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    acknowledged: BTreeSet<u64>,
    never: BTreeSet<u64>,
    unknown: u64,
}

/// How often writers were told what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// 200 and 201.
    pub acknowledged: usize,
    /// 503.
    pub never: usize,
    /// 504, or no answer.
    pub unknown: u64,
}

impl Writer {
    /// So many, spread evenly.
    pub fn all(count: usize, partitions: u32) -> Vec<Self> {
        let one = |name| Self {
            name,
            pk: crate::pk(name as u32 % partitions, partitions, name),
            next: AtomicU64::new(1),
            acknowledged: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            told: Mutex::default(),
        };
        (0..count).map(one).collect()
    }

    /// Puts the next number.
    pub fn put(&self, address: SocketAddr) -> Told {
        let n = self.next.fetch_add(1, Ordering::SeqCst);
        let body = format!("\"writer {} says {n}.\"", self.name);
        let told = exchange(address, "PUT", &format!("/v1/records/{}/", self.pk), &[], &body);
        let mut notes = self.told.lock().unwrap();
        match told.as_ref().map(|told| told.status) {
            Ok(200 | 201) => {
                notes.acknowledged.insert(n);
                self.acknowledged.store(n, Ordering::SeqCst);
                Told::Acknowledged
            }
            Ok(503) => {
                notes.never.insert(n);
                Told::Never
            }
            Ok(504) => {
                notes.unknown += 1;
                Told::Unknown
            }
            Ok(_) => panic!("a put of {n}: {told:?}"),
            Err(_) => {
                notes.unknown += 1;
                Told::Gone
            }
        }
    }

    /// Reads the key: it has what was acknowledged before, and never an older number than it had.
    pub fn look(&self, address: SocketAddr) {
        let (acknowledged, seen) = self.least();
        let got = exchange(address, "GET", &format!("/v1/records/{}/", self.pk), &[], "").unwrap();
        let n = match got.status {
            200 => said(&got.body).filter(|(writer, _)| *writer == self.name).unwrap().1,
            404 => 0,
            _ => panic!("a read: {got:?}"),
        };
        assert!(n >= acknowledged, "writer {}: {n} is read, {acknowledged} is lost", self.name);
        assert!(n >= seen, "writer {}: the value fell from {seen} to {n}", self.name);
        assert!(!self.told.lock().unwrap().never.contains(&n), "{n} was told never to appear");
        self.seen.fetch_max(n, Ordering::SeqCst);
    }

    /// The last number that was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    fn least(&self) -> (u64, u64) {
        (self.acknowledged(), self.seen.load(Ordering::SeqCst))
    }
}

/// Holds the whole log against what writers were told, and gives how often they were told what.
pub fn prove(writers: &[Writer], place: &Place) -> Sum {
    let topic = mock::mutations(&place.namespace);
    let mut there: Vec<BTreeSet<u64>> = writers.iter().map(|_| BTreeSet::new()).collect();
    for partition in 0..place.partitions {
        log::each(&place.brokers, &topic, partition, |value| {
            if let Some((writer, n)) = said(value) {
                there[writer].insert(n);
            }
        });
    }
    let mut sum = Sum::default();
    for (writer, there) in writers.iter().zip(&there) {
        let notes = writer.told.lock().unwrap();
        let lost: Vec<_> = notes.acknowledged.difference(there).collect();
        assert!(lost.is_empty(), "writer {}: acknowledged and lost: {lost:?}", writer.name);
        let late: Vec<_> = notes.never.intersection(there).collect();
        assert!(late.is_empty(), "writer {}: told 503, and there: {late:?}", writer.name);
        sum.acknowledged += notes.acknowledged.len();
        sum.never += notes.never.len();
        sum.unknown += notes.unknown;
    }
    sum
}

/// Which writer said what, in an entry or in a row.
fn said(value: &[u8]) -> Option<(usize, u64)> {
    let text = String::from_utf8_lossy(value);
    let (_, rest) = text.split_once("\"writer ")?;
    let (writer, rest) = rest.split_once(" says ")?;
    let (n, _) = rest.split_once(".\"")?;
    Some((writer.parse().unwrap(), n.parse().unwrap()))
}

/// One request on a connection of its own; an error when no whole answer comes.
pub fn exchange(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = "Host: pumice\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let text =
        format!("{method} {target} HTTP/1.1\r\n{head}{more}Content-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    if !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let whole = reply(&bytes);
    let length = whole.header("content-length").and_then(|length| length.parse().ok());
    if length.is_some_and(|length: usize| whole.body.len() < length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(whole)
}
