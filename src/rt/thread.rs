//! Plain threads beside the cores: for work that blocks, such as a commit. They keep off the
//! serving CPUs where there are others, and give way to them where there are none.

use std::{io, mem, thread};

/// How much a background thread gives way: a third of a core's share when both want one CPU.
const NICE: libc::c_int = 5;

/// Starts a named thread of lower priority that keeps off the `serving` CPUs when the process may
/// run on any other.
pub fn background<T: Send + 'static>(
    name: &str,
    serving: &[usize],
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    let serving = serving.to_vec();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        keep_off(&serving);
        run()
    })
}

/// Moves the calling thread to one CPU.
#[expect(unsafe_code, reason = "affinity of the calling thread needs libc")]
pub(super) fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::other(format!("there is no CPU {cpu}")));
    }
    // SAFETY: the set is plain bytes, `cpu` lies within it, and the kernel reads within its size.
    let moved = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set)
    };
    if moved == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Best effort: a thread that may not be moved or slowed down still does its work.
#[expect(unsafe_code, reason = "affinity and priority of the calling thread need libc")]
fn keep_off(serving: &[usize]) {
    // SAFETY: the set is plain bytes, and the kernel reads and writes within its size.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        if libc::sched_getaffinity(0, size_of_val(&set), &mut set) == 0 {
            for cpu in serving.iter().filter(|cpu| **cpu < libc::CPU_SETSIZE as usize) {
                libc::CPU_CLR(*cpu, &mut set);
            }
            if libc::CPU_COUNT(&set) > 0 {
                libc::sched_setaffinity(0, size_of_val(&set), &set);
            }
        }
        // On Linux this concerns the calling thread alone.
        libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
    }
}
