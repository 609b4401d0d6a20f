//! The real server as a process: started, asked over its admin port, watched by the kernel's
//! figures and killed in the end. Main thread, and one that samples memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::node::NAMESPACE;
use crate::{All, Fallible, free_address};

/// Before whatever else the machine does; its background threads set a priority of their own.
const FIRST: [&str; 2] = ["-n", "-20"];
const START: Duration = Duration::from_secs(120);
const SAMPLE: Duration = Duration::from_millis(50);

/// A server, until it is dropped.
pub struct Server {
    child: Child,
    pub http: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// Starts one with the embedded log on a directory; it may not be ready yet.
    pub fn start(all: &All, dir: &Path, partitions: u32, objects: Option<&Path>) -> Fallible<Self> {
        let (http, admin) = (free_address()?, free_address()?);
        let mut command = Command::new("nice");
        command.args(FIRST).arg(&all.pumice).arg("serve");
        for (flag, value) in [
            ("--pin", all.serving_cpu.to_string()),
            ("--namespace", NAMESPACE.to_owned()),
            ("--partitions", partitions.to_string()),
            ("--data-dir", dir.display().to_string()),
            ("--http", http.to_string()),
            ("--admin", admin.to_string()),
            ("--log-level", "warn".to_owned()),
            ("--snapshot-interval", "off".to_owned()),
            ("--snapshot-keep", "1".to_owned()),
            ("--snapshot-keep-for", "0s".to_owned()),
        ] {
            command.arg(flag).arg(value);
        }
        if let Some(objects) = objects {
            command.arg("--objects").arg(format!("dir:{}", objects.display()));
        }
        Ok(Self { child: command.spawn()?, http, admin })
    }

    /// Waits until it serves.
    pub fn ready(&mut self) -> Fallible<()> {
        let began = Instant::now();
        while !self.admin("GET", "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended with {status}").into());
            }
            if began.elapsed() > START {
                return Err("the server is not ready in time".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// One round of snapshots, waited for.
    pub fn snapshot(&self) -> Fallible<()> {
        let started = self.admin("POST", "/v1/snapshots")?;
        if !started.starts_with("HTTP/1.1 202") {
            return Err(format!("no round was started: {started}").into());
        }
        loop {
            let round = self.admin("GET", "/v1/snapshots")?;
            if round.contains(r#""running":false"#) {
                let well = round.contains(r#""failed":[]"#);
                return if well { Ok(()) } else { Err(round.into()) };
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// An answer of the admin port, head and body.
    fn admin(&self, method: &str, path: &str) -> Fallible<String> {
        let mut stream = TcpStream::connect(self.admin)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.admin
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Anonymous memory now, in bytes.
    pub fn memory(&self) -> u64 {
        anonymous(self.child.id())
    }

    /// The most anonymous memory that `work` makes it take, in bytes.
    pub fn most_during<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Fallible<(T, u64)> {
        let (most, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (pid, seen, end) = (self.child.id(), most.clone(), over.clone());
        let sampling = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                seen.fetch_max(anonymous(pid), Ordering::Relaxed);
                thread::sleep(SAMPLE);
            }
        });
        let done = work(self);
        over.store(true, Ordering::Relaxed);
        sampling.join().map_err(|_| "sampling panicked")?;
        Ok((done, most.load(Ordering::Relaxed)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `RssAnon` of a process, in bytes; 0 once it is gone.
fn anonymous(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
