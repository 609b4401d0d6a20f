//! Starts the real binary on a fresh directory and free ports, and ends it: what every test of the
//! server from outside begins with. A server that logged an error nobody announced fails its test.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod keepalive;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The binary under test.
pub const PUMICE: &str = env!("CARGO_BIN_EXE_pumice");

/// How long a server may take to start or to stop before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server. Killed when it is dropped, if it has not been stopped.
pub struct Server {
    /// The public address.
    pub http: SocketAddr,
    /// The admin address.
    pub admin: SocketAddr,
    child: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
    announced: Vec<String>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts on `data_dir` with one core, small maps, free ports and `flags`.
    pub fn start(data_dir: &Path, flags: &[&str]) -> Self {
        Self::start_with(data_dir, flags, &[])
    }

    /// [`Server::start`] with environment variables.
    pub fn start_with(data_dir: &Path, flags: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PUMICE);
        command.envs(env.iter().copied());
        Self::start_by(command, data_dir, flags)
    }

    /// [`Server::start`] by a command that ends as the binary under test.
    pub fn start_by(mut command: Command, data_dir: &Path, flags: &[&str]) -> Self {
        command.arg("serve");
        let defaults = [
            ("--http", "127.0.0.1:0"),
            ("--admin", "127.0.0.1:0"),
            ("--cores", "1"),
            ("--map-size", "1GiB"),
        ];
        for (flag, value) in defaults {
            let is_said = flags.contains(&flag) || flag == "--cores" && flags.contains(&"--pin");
            if !is_said {
                command.args([flag, value]);
            }
        }
        command.arg("--data-dir").arg(data_dir).args(flags);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut addresses = None;
        while addresses.is_none() {
            let Some(Ok(line)) = lines.next() else {
                let status = child.wait().unwrap();
                panic!("the server did not start ({status}): {:?}", log.lock().unwrap());
            };
            addresses = listening(&line);
            log.lock().unwrap().push(line);
        }
        let (http, admin) = addresses.unwrap();
        let kept = log.clone();
        let reader = thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line));
        });
        let announced = Vec::new();
        Self { http, admin, child: Some(child), log, announced, reader: Some(reader) }
    }

    /// `http://` and the public address.
    pub fn url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Lines with this text may stand in the log as errors.
    pub fn announce(&mut self, text: &str) {
        self.announced.push(text.to_owned());
    }

    /// What was logged so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends any signal, as `kill` names it.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Kills at once, as a power cut would, and waits until the process is gone.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, and the exit status, which must come in time.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the server did not end within {PATIENCE:?}: {:#?}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        };
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let known = |line: &str| self.announced.iter().any(|text| line.contains(text));
        let errors: Vec<String> = self
            .log()
            .into_iter()
            .filter(|line| (line.contains("ERROR") || line.contains("panicked")) && !known(line))
            .collect();
        assert!(errors.is_empty(), "errors that nobody announced: {errors:#?}");
        status
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The addresses in the line that a started server logs.
fn listening(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, rest) = line.split_once("serving ")?;
    let (http, rest) = rest.split_once(", admin on ")?;
    let (admin, _) = rest.split_once(',')?;
    Some((http.parse().ok()?, admin.parse().ok()?))
}

/// An answer over a plain HTTP/1.1 connection of its own.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The head, lower case.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(got, _)| *got == name).map(|(_, value)| value).next()
    }
}

/// One request on a connection of its own, written exactly as given but for `Host`,
/// `Content-Length` and `Connection`.
pub fn request(
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
    // A server may answer and close before it has read all of a body that it refuses.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    reply(&bytes)
}

/// Takes an answer apart, with a chunked body put together.
pub fn reply(bytes: &[u8]) -> Reply {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
    let (status, head) = parse_head(&bytes[..end]);
    let mut body = bytes[end + 4..].to_vec();
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    Reply { status, head, body }
}

/// The status and the head, its names in lower case.
fn parse_head(bytes: &[u8]) -> (u16, String) {
    let head = String::from_utf8_lossy(bytes).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let lower: Vec<String> = head
        .lines()
        .map(|line| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}", name.to_lowercase()),
            None => line.to_owned(),
        })
        .collect();
    (status, lower.join("\n"))
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
        let length = std::str::from_utf8(&bytes[..line]).unwrap();
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        if length == 0 {
            return whole;
        }
        let start = line + 2;
        whole.extend_from_slice(&bytes[start..start + length]);
        bytes = &bytes[start + length + 2..];
    }
}

/// Runs a command of the binary to its end: exit code, standard output, standard error.
pub fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(PUMICE).args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A file of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
