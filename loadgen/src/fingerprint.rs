//! What machine a report comes from. Read once, from /proc; nothing in it names a person or a host.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine of the generator, which need not be the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Its processor's name.
    pub cpu: String,
    /// How many CPUs this process may use.
    pub cpus: usize,
    /// Its memory, MiB.
    pub memory_mib: u64,
    /// Its kernel.
    pub kernel: String,
    /// `loadgen` and its version.
    pub tool: String,
}

impl Fingerprint {
    /// This machine's; what cannot be read is called unknown.
    pub fn take() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let unknown = || "unknown".to_owned();
        let memory = field(&read("/proc/meminfo"), "MemTotal");
        let kilobytes = memory.and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
        Self {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kilobytes.unwrap_or(0) / 1_024,
            kernel: if kernel.is_empty() { unknown() } else { kernel },
            tool: concat!("loadgen ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
