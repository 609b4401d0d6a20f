//! What the kernel and the limits of this process allow: io_uring, locked memory, open files, CPUs.
//! Runs on the main thread. Apart from io_uring, which has to be tried, it judges only what it is
//! given and must never read the machine itself.

use super::{Row, fail, ok, warn};
use crate::rt;

/// What an executor's ring and wake-ups lock at least (glommio 0.9 refuses below it), in bytes.
const LOCKED_BYTES_PER_CORE: u64 = 512 << 10;
/// Before 5.12 the kernel counts rings as locked memory of the user.
const KERNEL_WITHOUT_LOCKED_RINGS: (u32, u32) = (5, 12);
/// 10,000 idle connections, and room for shards and listeners.
const OPEN_FILES_ENOUGH: u64 = 16_384;
/// Shards and listeners, and hardly a connection.
const OPEN_FILES_LEAST: u64 = 1_024;
/// A burst of connections waits here between two turns of a core's loop.
const BACKLOG_ENOUGH: u64 = 1_024;

pub fn kernel(release: &str) -> Row {
    let mut numbers = release.split(['.', '-', '+']).map_while(|n| n.parse().ok());
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) >= KERNEL_WITHOUT_LOCKED_RINGS {
        return ok("kernel", release);
    }
    let remedy = "before 5.12 rings count as locked memory: run a newer kernel, or raise memlock";
    warn("kernel", release, remedy)
}

pub fn io_uring() -> Row {
    match rt::probe() {
        Ok(()) => ok("io_uring", "allowed"),
        Err(missing) => warn("io_uring", "not usable: tokio would serve", missing.to_string()),
    }
}

/// A row of `/proc/self/limits` as (soft, hard).
fn limit(limits: &str, name: &str) -> Option<(u64, u64)> {
    let row = limits.lines().find_map(|line| line.strip_prefix(name))?;
    let mut numbers = row.split_whitespace().map_while(|number| match number {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    });
    Some((numbers.next()?, numbers.next()?))
}

/// The hard limit counts: the runtime raises the soft one to it.
pub fn locked_memory(limits: &str, cores: u64) -> Row {
    let Some((_, hard)) = limit(limits, "Max locked memory") else {
        return warn("locked memory", "not to be read", "see that `ulimit -H -l` is large enough");
    };
    let wanted = LOCKED_BYTES_PER_CORE * cores;
    let found = match hard {
        u64::MAX => "unlimited".to_owned(),
        hard => format!("at most {} KiB", hard >> 10),
    };
    let remedy = format!(
        "allow {} KiB: `ulimit -l`, LimitMEMLOCK= (systemd) or --ulimit memlock= (docker)",
        wanted >> 10
    );
    match hard {
        hard if hard >= wanted => ok("locked memory", found),
        _ => warn("locked memory", found, remedy),
    }
}

pub fn open_files(limits: &str) -> Row {
    let Some((soft, hard)) = limit(limits, "Max open files") else {
        return warn("open files", "not to be read", "see that `ulimit -n` is large enough");
    };
    let found = format!("{soft}, at most {hard}");
    let remedy = format!(
        "each connection takes one: `ulimit -n {OPEN_FILES_ENOUGH}`, LimitNOFILE= (systemd) or \
         --ulimit nofile= (docker)"
    );
    // A server raises the soft limit to the hard one.
    match hard {
        hard if hard >= OPEN_FILES_ENOUGH => ok("open files", found),
        hard if hard >= OPEN_FILES_LEAST => warn("open files", found, remedy),
        _ => fail("open files", found, remedy),
    }
}

pub fn serving_cpus(cpus: &[usize]) -> Row {
    let names: Vec<_> = cpus.iter().map(usize::to_string).collect();
    let found = format!("{} allowed: {}", cpus.len(), names.join(","));
    if cpus.len() > 1 {
        return ok("CPUs", found);
    }
    warn("CPUs", found, "commits share the only serving CPU: allow another one")
}

pub fn huge_pages(setting: &str) -> Row {
    if !setting.contains("[always]") {
        return ok("huge pages", if setting.is_empty() { "none" } else { setting });
    }
    let remedy = "the process grows and stalls: write madvise to \
                  /sys/kernel/mm/transparent_hugepage/enabled";
    warn("huge pages", setting, remedy)
}

pub fn backlog(somaxconn: &str) -> Row {
    if somaxconn.parse().is_ok_and(|backlog: u64| backlog >= BACKLOG_ENOUGH) {
        return ok("listen backlog", somaxconn);
    }
    let found = if somaxconn.is_empty() { "not to be read" } else { somaxconn };
    let remedy = format!("bursts of connections wait: sysctl net.core.somaxconn={BACKLOG_ENOUGH}");
    warn("listen backlog", found, remedy)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 524288               files
Max locked memory         8388608              unlimited            bytes
";

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        assert_eq!(limit(LIMITS, "Max open files"), Some((1_024, 524_288)));
        assert_eq!(limit(LIMITS, "Max locked memory"), Some((8_388_608, u64::MAX)));
        assert_eq!(limit(LIMITS, "Max nice priority"), None);
    }

    #[test]
    fn each_limit_can_be_less_than_ok() {
        assert_eq!(open_files(LIMITS).status, Status::Ok);
        assert_eq!(open_files(&LIMITS.replace("524288", "4096")).status, Status::Warn);
        assert_eq!(open_files(&LIMITS.replace("524288", "256")).status, Status::Fail);
        assert_eq!(open_files("").status, Status::Warn);

        let with_hard = |hard: &str| LIMITS.replace("unlimited", hard);
        assert_eq!(locked_memory(LIMITS, 64).status, Status::Ok);
        assert_eq!(locked_memory(&with_hard("524288"), 1).status, Status::Ok);
        assert_eq!(locked_memory(&with_hard("524288"), 2).status, Status::Warn);
        assert_eq!(locked_memory(&with_hard("65536"), 1).status, Status::Warn);

        assert_eq!(kernel("6.18.4-generic").status, Status::Ok);
        assert_eq!(kernel("5.10.0-29-amd64").status, Status::Warn);
        assert_eq!(serving_cpus(&[0, 1]).status, Status::Ok);
        assert_eq!(serving_cpus(&[3]).status, Status::Warn);
        assert_eq!(huge_pages("always [madvise] never").status, Status::Ok);
        assert_eq!(huge_pages("[always] madvise never").status, Status::Warn);
        assert_eq!(backlog("4096").status, Status::Ok);
        assert_eq!(backlog("128").status, Status::Warn);
    }
}
