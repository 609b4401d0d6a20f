//! A server that runs on one core, and what the kernel knows of it and of its children.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Fallible;

const START: Duration = Duration::from_secs(30);

/// A server, until it is dropped.
pub struct Process(Child);

impl Process {
    /// Starts a command on one CPU.
    pub fn start(cpu: usize, command: &[String]) -> Fallible<Self> {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", &cpu.to_string()]).args(command);
        Ok(Self(pinned.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }

    /// Waits until somebody accepts connections there.
    pub fn listens(&mut self, address: SocketAddr) -> Fallible<()> {
        let began = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("a server ended at its start with {status}").into());
            }
            if began.elapsed() > START {
                return Err(format!("nothing listens on {address}").into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its processes: itself and its children, of which nginx has one.
    pub fn pids(&self) -> Vec<u32> {
        let own = self.0.id();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        std::iter::once(own).chain(children).collect()
    }

    /// CPU time of all of them so far, in seconds, to the nanosecond as the scheduler counts it.
    pub fn cpu_seconds(&self) -> f64 {
        let of_task = |path: std::path::PathBuf| {
            let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0)
        };
        let tasks = self.pids().into_iter().flat_map(|pid| {
            fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten()
        });
        let ns: u64 = tasks.map(|task| of_task(task.path())).sum();
        ns as f64 / 1e9
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // nginx ends its worker when it is asked to, and not when it is killed.
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        let end = Instant::now() + Duration::from_secs(5);
        while asked.is_ok() && Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address on loopback that nobody listens on.
pub fn free_address() -> Fallible<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
