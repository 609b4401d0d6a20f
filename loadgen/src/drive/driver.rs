//! One driver thread: a poll, its connections, and one loop that receives, settles, begins and
//! sends. It never waits for anything but the poll, and writes once a turn and connection.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

use super::connection::{Connection, Phase};
use super::desk::Desk;
use super::poll::Poll;
use super::slot::Done;
use super::{Drive, Loop};
use crate::pace::Schedule;
use crate::record::{Ending, Recorder, SECOND};
use crate::work::Work;

/// How often time limits, seconds and lost connections are looked after.
const TICK: u64 = SECOND / 50;
/// Bytes of one receive and of what is held between two.
const BUFFER: usize = 256 << 10;

/// One thread's connections and its loop.
pub struct Driver<'d> {
    pub(super) drive: &'d Drive,
    pub(super) poll: Poll,
    clock: Instant,
    pub(super) connections: Vec<Connection>,
    pub(super) desk: Desk,
    /// `None` in a closed loop.
    pub(super) schedule: Option<Schedule>,
    /// Open loop: connections by turn, at least once for every request that each can take.
    pub(super) turns: VecDeque<u32>,
    /// Connections that may have something to send.
    pub(super) dirty: Vec<u32>,
    pub(super) done: Vec<Done>,
    pub(super) buffer: Vec<u8>,
    /// Whether new requests are begun.
    pub(super) begun: bool,
    next_tick: u64,
    /// What went wrong last, for the message of a start that fails.
    pub(super) fault: Option<String>,
}

impl<'d> Driver<'d> {
    /// The driver of thread `thread`, with its connections not yet made.
    pub fn new(drive: &'d Drive, thread: usize, recorder: Recorder) -> io::Result<Self> {
        let (thread, threads) = (thread as u64, drive.threads as u64);
        let share = |total: u64| total / threads + u64::from(thread < total % threads);
        let connections = share(drive.connections as u64);
        let work = Work::new(&drive.workload, thread, threads);
        let schedule = match drive.pace {
            Loop::Closed => None,
            Loop::Open { rate, poisson } => {
                let seed = poisson.then_some(drive.workload.seed);
                Some(Schedule::new(rate, thread, threads, 0, seed))
            }
        };
        Ok(Self {
            drive,
            poll: Poll::new()?,
            clock: Instant::now(),
            connections: (0..connections).map(|_| Connection::new(drive.streams)).collect(),
            desk: Desk::new(work, recorder, drive.requests.map_or(u64::MAX, share)),
            schedule,
            turns: VecDeque::new(),
            dirty: Vec::new(),
            done: Vec::new(),
            buffer: vec![0; BUFFER],
            begun: false,
            next_tick: 0,
            fault: None,
        })
    }

    /// Nanoseconds on this driver's clock.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.clock.elapsed().as_nanos() as u64
    }

    /// Makes every connection, or says why not; a note where there is less than asked for.
    pub fn connect(&mut self) -> Result<Option<String>, String> {
        let limit = self.drive.timeout.max(SECOND);
        for at in 0..self.connections.len() {
            self.reconnect(at);
        }
        while self.connections.iter().any(|connection| connection.phase != Phase::Open) {
            self.flush();
            self.turn(TICK);
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.now() > limit {
                return Err(format!("no greeting within {} ms", limit / 1_000_000));
            }
        }
        self.flush();
        let room = self.connections.iter().map(Connection::room).min().unwrap_or(0);
        let wanted = self.drive.streams;
        Ok((room < wanted).then(|| format!("the server takes {room} streams, not {wanted}")))
    }

    /// Drives from `start` until the measurement ends and every answer is in or given up.
    pub fn run(mut self, start: Instant) {
        self.clock = start;
        std::thread::sleep(start.saturating_duration_since(Instant::now()));
        let end = self.drive.warm_up + self.drive.duration;
        let cpu = thread_cpu();
        self.begun = true;
        for at in 0..self.connections.len() {
            self.opened(at);
        }
        let mut last = end;
        loop {
            let now = self.now();
            if self.begun {
                // What was due before the end leaves, if there is room, though the end has passed.
                self.send_due(now, end);
            }
            if self.begun && self.is_over(now, end) {
                (self.begun, last) = (false, now.min(end));
            }
            self.flush();
            if !self.begun && self.desk.in_flight == 0 {
                break;
            }
            self.turn(self.patience());
            self.tick();
        }
        let (cpu, wall) = (thread_cpu() - cpu, self.now());
        let unsent = self.unsent(last);
        self.desk.recorder.finish(Ending { unsent, cpu, wall });
    }

    fn is_over(&self, now: u64, end: u64) -> bool {
        now >= end || self.desk.budget == 0 || self.drive.stop.load(Ordering::Relaxed)
    }

    /// Open loop: requests that were due before `end` and never left.
    fn unsent(&mut self, end: u64) -> u64 {
        let Some(schedule) = &mut self.schedule else {
            return 0;
        };
        let mut unsent = 0;
        while schedule.due() < end && unsent < self.desk.budget {
            schedule.advance();
            unsent += 1;
        }
        unsent
    }

    /// Open loop: begins what is due, as far as there is room.
    #[inline]
    fn send_due(&mut self, now: u64, end: u64) {
        let Some(schedule) = &mut self.schedule else {
            return;
        };
        while schedule.due() <= now && schedule.due() < end {
            let Some(at) = self.turns.pop_front() else {
                return;
            };
            let connection = &mut self.connections[at as usize];
            if !connection.takes() {
                continue;
            }
            if !self.desk.begin(connection, schedule.due(), now) {
                return;
            }
            schedule.advance();
            self.dirty.push(at);
        }
    }

    /// How long the poll may wait.
    #[inline]
    fn patience(&self) -> u64 {
        if self.drive.spin {
            return 0;
        }
        let now = self.now();
        let tick = self.next_tick.saturating_sub(now).min(TICK);
        match &self.schedule {
            Some(schedule) if self.begun && !self.turns.is_empty() => {
                tick.min(schedule.due().saturating_sub(now))
            }
            _ => tick,
        }
    }

    /// Waits, and handles what is ready.
    #[inline]
    fn turn(&mut self, patience: u64) {
        match self.poll.wait(patience) {
            Ok(count) => {
                for i in 0..count {
                    self.ready(self.poll.ready(i) as usize);
                }
            }
            Err(fault) => self.fault = Some(format!("epoll: {fault}")),
        }
    }

    #[inline]
    fn tick(&mut self) {
        let now = self.now();
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.look_after(now);
        }
        self.desk.recorder.tick(now, self.desk.in_flight);
    }
}

fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * SECOND + time.tv_nsec as u64
}
