//! What the kernel says of this process, under the names that Prometheus clients share.
//! Admin executor; a number that cannot be read is left out.

use std::fs;

use super::exposition::Exposition;

/// Adds the process's own metrics.
pub fn render(page: &mut Exposition) {
    if let Some(bytes) = status_bytes("VmRSS:") {
        page.gauge("process_resident_memory_bytes", "Memory in use, mapped files included.")
            .sample("", bytes);
    }
    if let Some(bytes) = status_bytes("RssAnon:") {
        page.gauge("pumice_anonymous_memory_bytes", "Memory in use that is no file's.")
            .sample("", bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        page.gauge("process_open_fds", "Open files.").sample("", entries.count());
    }
    let version = env!("CARGO_PKG_VERSION");
    page.gauge("pumice_info", "The version of the server.")
        .sample(&format!("version=\"{version}\""), 1);
}

fn status_bytes(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}
