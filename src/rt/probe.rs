//! Tells before anything starts whether this machine lets us use io_uring, and what to change if it
//! does not. Runs on the thread that starts the node. It must leave nothing behind.

use std::fmt;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Executors refuse to start below this (glommio 0.9, `sys/uring.rs`), in bytes.
const MEMLOCK_MIN: u64 = 512 << 10;

/// The oldest kernel whose io_uring has every operation the runtime asks for.
const KERNEL_MIN: (u32, u32) = (5, 8);

/// What this machine lacks to run executors on io_uring. Its text is one line with the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// The running kernel, `(major, minor)`.
    Kernel(u32, u32),
    /// io_uring was refused by policy: seccomp, or the sysctl `kernel.io_uring_disabled`.
    Forbidden,
    /// The hard limit of locked memory, in bytes.
    LockedMemory(u64),
    /// Another fault of `io_uring_setup`, in the system's words.
    Ring(String),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Kernel(major, minor) => write!(
                f,
                "kernel {major}.{minor} has no complete io_uring: run Linux {}.{} or newer",
                KERNEL_MIN.0, KERNEL_MIN.1
            ),
            Missing::Forbidden => write!(
                f,
                "io_uring is forbidden here: in a container use the seccomp profile in docker/ \
                 (or seccomp=unconfined), elsewhere set sysctl kernel.io_uring_disabled=0, or \
                 serve with --runtime tokio"
            ),
            Missing::LockedMemory(have) => write!(
                f,
                "the limit of locked memory is {} KiB and {} KiB are needed: raise it with \
                 `ulimit -l`, LimitMEMLOCK=infinity (systemd) or --ulimit memlock=-1 (docker)",
                have >> 10,
                MEMLOCK_MIN >> 10
            ),
            Missing::Ring(why) => write!(
                f,
                "io_uring cannot be set up ({why}): check the limits of open files and memory"
            ),
        }
    }
}

impl std::error::Error for Missing {}

/// Checks kernel, policy and limits, and raises this process's soft limit of locked memory to its
/// hard one.
///
/// # Errors
/// The first thing that is missing.
pub fn probe() -> Result<(), Missing> {
    let (major, minor) = kernel();
    if (major, minor) < KERNEL_MIN {
        return Err(Missing::Kernel(major, minor));
    }
    let locked = raise(libc::RLIMIT_MEMLOCK);
    if locked < MEMLOCK_MIN {
        return Err(Missing::LockedMemory(locked));
    }
    match try_ring() {
        Ok(()) => Ok(()),
        Err(fault) => Err(match fault.raw_os_error() {
            Some(libc::EPERM) | Some(libc::ENOSYS) => Missing::Forbidden,
            Some(libc::ENOMEM) => Missing::LockedMemory(locked),
            _ => Missing::Ring(fault.to_string()),
        }),
    }
}

/// Raises this process's soft limit of open files, one a connection, to its hard one.
pub(super) fn raise_open_files() {
    raise(libc::RLIMIT_NOFILE);
}

/// The running kernel as `(major, minor)`; zeros when its name cannot be read.
fn kernel() -> (u32, u32) {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Returns the soft limit as it stands after the attempt.
#[expect(unsafe_code, reason = "the limits of a process have no safe interface in std")]
fn raise(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid, writable rlimit for both calls.
    unsafe {
        if libc::getrlimit(resource, &mut limit) != 0 {
            return 0;
        }
        let soft = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if soft < limit.rlim_max && libc::setrlimit(resource, &limit) != 0 {
            return soft;
        }
    }
    limit.rlim_cur
}

/// Makes the smallest ring and drops it.
#[expect(unsafe_code, reason = "a bare io_uring_setup tells why it fails; the runtime panics")]
fn try_ring() -> io::Result<()> {
    // `struct io_uring_params` is 120 bytes; the kernel writes into it and wants zeros.
    let mut params = [0u64; 15];
    // SAFETY: `params` is as large and as aligned as the structure the kernel fills.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 2u32, params.as_mut_ptr()) };
    if ring < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made this descriptor and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(ring as i32) });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::Runtime;
    use super::*;

    #[test]
    fn every_lack_is_one_line_with_a_remedy() {
        for (missing, remedy) in [
            (Missing::Kernel(4, 18), "5.8"),
            (Missing::Forbidden, "seccomp"),
            (Missing::LockedMemory(65_536), "LimitMEMLOCK"),
            (Missing::Ring("too many open files".into()), "open files"),
        ] {
            let text = missing.to_string();
            assert!(text.contains(remedy) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn the_kernel_has_a_version() {
        assert!(kernel() > (0, 0));
    }

    #[test]
    fn this_machine_runs_executors_or_says_why_not() {
        if let Err(missing) = probe() {
            println!("skipped: {missing}");
        } else {
            let core = Runtime::Glommio.spawn("probe", None, || async {});
            assert!(core.unwrap().join().is_ok());
        }
    }
}
