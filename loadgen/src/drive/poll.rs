//! Readiness: one epoll instance a driver thread, waiting to the nanosecond where the kernel can.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

const EVENTS: usize = 256;
const MILLISECOND: u64 = 1_000_000;

/// What is watched, and what was ready last.
pub struct Poll {
    fd: OwnedFd,
    ready: Vec<Event>,
    /// A kernel before 5.11, or a filter of system calls, knows whole milliseconds only.
    coarse: bool,
}

impl Poll {
    /// A poll that watches nothing.
    pub fn new() -> io::Result<Self> {
        let fd = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { fd, ready: Vec::with_capacity(EVENTS), coarse: false })
    }

    /// Watches for input, and for room to send.
    pub fn add(&self, fd: impl AsFd, at: u32) -> io::Result<()> {
        let flags = EventFlags::IN | EventFlags::OUT;
        Ok(epoll::add(&self.fd, fd, EventData::new_u64(u64::from(at)), flags)?)
    }

    /// Watches for input always, for room to send only if `out`.
    pub fn modify(&self, fd: impl AsFd, at: u32, out: bool) -> io::Result<()> {
        let out = if out { EventFlags::OUT } else { EventFlags::empty() };
        Ok(epoll::modify(&self.fd, fd, EventData::new_u64(u64::from(at)), EventFlags::IN | out)?)
    }

    /// Waits at most this many nanoseconds, and says how many are ready.
    #[inline]
    pub fn wait(&mut self, patience: u64) -> io::Result<usize> {
        let patience = if self.coarse { patience / MILLISECOND * MILLISECOND } else { patience };
        let timeout = Timespec {
            tv_sec: (patience / (1_000 * MILLISECOND)) as i64,
            tv_nsec: (patience % (1_000 * MILLISECOND)) as i64,
        };
        self.ready.clear();
        match epoll::wait(&self.fd, spare_capacity(&mut self.ready), Some(&timeout)) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(Errno::NOSYS | Errno::PERM) if !self.coarse => {
                self.coarse = true;
                Ok(0)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    /// One of those that are ready.
    #[inline]
    pub fn ready(&self, i: usize) -> u32 {
        self.ready[i].data.u64() as u32
    }
}
