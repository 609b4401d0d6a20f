//! Nodes that follow a log: how they are started, and what they say of themselves. Each test has
//! its own namespace, so that nodes of two tests never meet.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, until};
use crate::server::{PUMICE, Reply, Server, reply};

/// The settings that all nodes of a namespace share.
#[derive(Clone, Debug)]
pub struct Place {
    /// `host:port` of the brokers.
    pub brokers: String,
    /// Its name.
    pub namespace: String,
    /// Its partitions.
    pub partitions: u32,
    /// What else is said.
    pub more: Vec<String>,
}

/// What became of a start that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The exit code.
    pub code: i32,
    /// What it said.
    pub log: String,
}

impl Place {
    /// Where the brokers have the default topics.
    pub fn new(brokers: &str, namespace: &str, partitions: u32) -> Self {
        let (brokers, namespace) = (brokers.to_owned(), namespace.to_owned());
        Self { brokers, namespace, partitions, more: Vec::new() }
    }

    /// The same with more flags.
    pub fn with(&self, flags: &[&str]) -> Self {
        let mut place = self.clone();
        place.more.extend(flags.iter().map(|&flag| flag.to_owned()));
        place
    }

    /// The same through other brokers.
    pub fn through(&self, brokers: &str) -> Self {
        Self { brokers: brokers.to_owned(), ..self.clone() }
    }

    fn flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = [
            ("--log", "kafka"),
            ("--kafka-brokers", &self.brokers),
            ("--namespace", &self.namespace),
            ("--partitions", &self.partitions.to_string()),
        ]
        .iter()
        .flat_map(|&(name, value)| [name.to_owned(), value.to_owned()])
        .collect();
        flags.extend(self.more.iter().cloned());
        flags
    }

    /// Starts a node on a directory.
    pub fn start(&self, dir: &Path) -> Node {
        self.start_by(Command::new(PUMICE), dir)
    }

    /// The same by a command that ends as the binary under test.
    pub fn start_by(&self, command: Command, dir: &Path) -> Node {
        let flags = self.flags();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Node { server: Server::start_by(command, dir, &flags) }
    }

    /// Starts a node that must not start.
    pub fn refused(&self, dir: &Path) -> Refused {
        let mut command = Command::new(PUMICE);
        command.args(["serve", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(["--cores", "1", "--map-size", "1GiB", "--data-dir"]).arg(dir);
        let mut child = command
            .args(self.flags())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                child.kill().unwrap();
                panic!("it did not refuse to start: {:?}", child.wait_with_output());
            }
            thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Refused { code: output.status.code().unwrap(), log }
    }
}

/// A node.
pub struct Node {
    /// Its process.
    pub server: Server,
}

impl Node {
    /// The public address.
    pub fn http(&self) -> SocketAddr {
        self.server.http
    }

    /// Writes a record.
    pub fn put(&self, at: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        request(self.server.http, "PUT", &format!("/v1/records/{at}"), headers, body.as_bytes())
    }

    /// Reads something of the public port.
    pub fn get(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        request(self.server.http, "GET", path, headers, b"")
    }

    /// Posts JSON to the public port.
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        all.extend_from_slice(headers);
        request(self.server.http, "POST", path, &all, body.as_bytes())
    }

    /// Reads something of the admin port.
    pub fn admin(&self, path: &str) -> Reply {
        request(self.server.admin, "GET", path, &[], b"")
    }

    /// The sum of the samples of a family that have all of these labels.
    pub fn metric(&self, family: &str, labels: &[&str]) -> f64 {
        let page = self.admin("/metrics").text();
        let of_family = |line: &&str| {
            line.strip_prefix(family).is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        let samples = page.lines().filter(of_family);
        let samples = samples.filter(|line| labels.iter().all(|label| line.contains(label)));
        samples.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum()
    }

    /// What it says of each partition.
    pub fn partitions(&self) -> Vec<Value> {
        self.admin("/v1/status").json()["partitions"].as_array().unwrap().clone()
    }

    /// The last applied offset and the state hash of each partition.
    pub fn states(&self) -> Vec<(Option<u64>, String)> {
        let state = |partition: &Value| {
            let hash = partition["hash"].as_str().unwrap().to_owned();
            (partition["offset"].as_u64(), hash)
        };
        self.partitions().iter().map(state).collect()
    }

    /// The partitions that cannot follow, as `/ready` lists them.
    pub fn broken(&self) -> Vec<u64> {
        let body = self.admin("/ready").json();
        let broken = body["broken_partitions"].as_array().unwrap().iter();
        broken.map(|partition| partition.as_u64().unwrap()).collect()
    }

    /// Waits until it says that it is ready.
    pub fn ready(self) -> Self {
        until("ready", || (self.admin("/ready").status == 200).then_some(()));
        self
    }

    /// Waits until each partition has all entries below its end.
    pub fn reaches(&self, ends: &[i64]) {
        until("all entries", || {
            let states = self.states();
            let next = |state: &(Option<u64>, String)| state.0.map_or(0, |last| last as i64 + 1);
            let reached = states.iter().zip(ends).all(|(state, end)| next(state) >= *end);
            reached.then_some(())
        });
    }

    /// Ends it in good order.
    pub fn stop(self) {
        let status = self.server.stop();
        assert!(status.success(), "{status}");
    }
}

/// One request on a connection of its own. Waits longer than any write may wait.
fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: pumice\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    reply(&bytes)
}
