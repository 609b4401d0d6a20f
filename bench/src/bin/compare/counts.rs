//! System calls and heap allocations a request, by the kernel's own probes (`perf`, as root). What
//! could not be counted is told as such and never as zero.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::peer::{Peer, Running};
use super::scenario::Scenario;
use super::{Comparison, Fallible};

/// Events a request; `None` where they could not be counted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub syscalls: Option<f64>,
    pub allocations: Option<f64>,
}

/// The C library's allocator, and that of Pumice.
const LIBC: [&str; 3] = ["malloc", "calloc", "realloc"];
const MIMALLOC: [&str; 3] = ["mi_malloc_aligned", "mi_zalloc_aligned", "mi_realloc_aligned"];
const GROUP: &str = "compare";

/// Counts while the server is driven once more.
pub fn of(
    comparison: &Comparison,
    scenario: &Scenario,
    peer: Peer,
    running: &Running,
) -> Fallible<Counts> {
    let probes = Probes::add(comparison, peer);
    let pids: Vec<String> = running.process.pids().iter().map(u32::to_string).collect();
    let mut events = vec!["raw_syscalls:sys_enter".to_owned()];
    events.extend(probes.0.iter().map(|name| format!("{GROUP}:{name}")));
    let file = comparison.work.path().join("perf.csv");
    let perf = Command::new("perf")
        .args(["stat", "-x", ";", "-o"])
        .arg(&file)
        .args(["-e", &events.join(","), "-p", &pids.join(",")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut perf) = perf else { return Ok(Counts::default()) };
    // It says nothing when it has begun.
    thread::sleep(Duration::from_millis(300));
    let name = format!("{}-{}-counted", scenario.name, peer.name());
    let driven = comparison.drive(scenario, peer, running, &["--closed"], &name);
    let _ = Command::new("kill").args(["-INT", &perf.id().to_string()]).status();
    perf.wait()?;
    let requests = driven?.pointer("/answered").and_then(|n| n.as_f64()).unwrap_or(f64::NAN);
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let count = |event: &str| {
        let line = text.lines().find(|line| line.split(';').nth(2) == Some(event))?;
        line.split(';').next()?.parse::<f64>().ok()
    };
    let allocations = probes.0.iter().map(|name| count(&format!("{GROUP}:{name}")));
    let allocations: Option<f64> = allocations.sum();
    Ok(Counts {
        syscalls: count("raw_syscalls:sys_enter").map(|calls| calls / requests),
        allocations: allocations.filter(|_| !probes.0.is_empty()).map(|all| all / requests),
    })
}

/// Probes at the entries of an allocator, until they are dropped.
struct Probes(Vec<&'static str>);

impl Probes {
    fn add(comparison: &Comparison, peer: Peer) -> Self {
        let mut added = Vec::new();
        let own = peer.has_records().then(|| comparison.built("pumice"));
        let own = own.map(|path| (path.display().to_string(), &MIMALLOC));
        for (binary, functions) in libc().map(|path| (path, &LIBC)).into_iter().chain(own) {
            for function in functions {
                let probe = format!("{GROUP}:{function}={function}");
                if perf(&["probe", "--quiet", "-x", &binary, "--add", &probe]) {
                    added.push(*function);
                }
            }
        }
        Self(added)
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        perf(&["probe", "--quiet", "--del", &format!("{GROUP}:*")]);
    }
}

fn perf(arguments: &[&str]) -> bool {
    let mut command = Command::new("perf");
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The C library that this process, and so the servers, run with.
fn libc() -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains("/libc.so"))?;
    line.split_whitespace().last().map(str::to_owned)
}
