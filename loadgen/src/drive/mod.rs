//! Driving a server: threads, each pinned to a CPU if asked, each with its own connections and
//! counts. They share nothing while they run; the caller's thread collects their seconds.

mod connection;
mod desk;
mod driver;
mod h1;
mod poll;
pub mod slot;
mod socket;
mod traffic;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::record::{Ending, Event, Interval, Recorder};
use crate::target::Target;
use crate::work::Workload;
use driver::Driver;

/// Seconds of all threads that may wait for the collector.
const EVENTS_MAX: usize = 1_024;
/// From the word to go until the clock starts: every thread has woken up by then.
const RUN_UP: Duration = Duration::from_millis(20);

/// When requests are begun.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loop {
    /// When the one before them on their place is answered.
    Closed,
    /// On a schedule.
    Open {
        /// Requests a second, all threads together.
        rate: f64,
        /// Exponential gaps instead of equal ones.
        poisson: bool,
    },
}

/// A run.
#[derive(Debug, Clone)]
pub struct Drive {
    /// Against whom.
    pub target: Target,
    /// What is asked.
    pub workload: Workload,
    /// When.
    pub pace: Loop,
    /// Driver threads, at least 1.
    pub threads: usize,
    /// CPUs that they are pinned to, in turn; empty for none.
    pub cpus: Vec<usize>,
    /// Connections, at least one a thread.
    pub connections: usize,
    /// Requests in flight a connection: streams, or the depth of a pipeline.
    pub streams: usize,
    /// Not measured, nanoseconds.
    pub warm_up: u64,
    /// Measured, nanoseconds.
    pub duration: u64,
    /// At most this many requests.
    pub requests: Option<u64>,
    /// From sending a request to giving up on it, nanoseconds.
    pub timeout: u64,
    /// Never sleep while waiting.
    pub spin: bool,
    /// Set from outside to end early.
    pub stop: Arc<AtomicBool>,
}

/// What a run has counted.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Second by second, all threads together; the last may hold answers that came late.
    pub seconds: Vec<Interval>,
    /// All of them.
    pub total: Interval,
    /// Requests that were due and never left.
    pub unsent: u64,
    /// CPU time of each thread over its time, 0 to 1.
    pub busy: Vec<f64>,
    /// How long it took from the first due request to the last answer, nanoseconds.
    pub wall: u64,
    /// Where there was less than asked for.
    pub notes: Vec<String>,
}

impl Drive {
    /// Drives, and hands every finished second to `each`.
    ///
    /// # Errors
    /// When a connection cannot be made at the start; later failures are counted.
    pub fn run(&self, mut each: impl FnMut(&Interval)) -> Result<Outcome, String> {
        raise_open_files();
        let (tell, events) = sync_channel(EVENTS_MAX);
        std::thread::scope(|scope| {
            let mut go = Vec::new();
            for thread in 0..self.threads {
                let (start, wait) = sync_channel(1);
                let tell = tell.clone();
                let spawned = std::thread::Builder::new()
                    .name(format!("driver-{thread}"))
                    .spawn_scoped(scope, move || self.thread(thread, &tell, &wait));
                spawned.map_err(|fault| format!("no thread: {fault}"))?;
                go.push(start);
            }
            drop(tell);
            let mut outcome = Outcome::default();
            for _ in 0..self.threads {
                match events.recv() {
                    Ok(Event::Ready(note)) => outcome.notes.extend(note),
                    Ok(Event::Failed(fault)) => return Err(fault),
                    _ => return Err("a driver thread ended before it began".into()),
                }
            }
            outcome.notes.dedup();
            let start = Instant::now() + RUN_UP;
            for go in &go {
                go.send(start).map_err(|_| "a driver thread ended before it began")?;
            }
            self.collect(&events, &mut outcome, &mut each)?;
            Ok(outcome)
        })
    }

    fn thread(&self, thread: usize, tell: &SyncSender<Event>, go: &Receiver<Instant>) {
        if let Some(fault) = self.settle_in(thread) {
            let _ = tell.send(Event::Failed(fault));
            return;
        }
        let recorder = Recorder::new(self.warm_up, tell.clone());
        let mut driver = match Driver::new(self, thread, recorder) {
            Ok(driver) => driver,
            Err(fault) => {
                let _ = tell.send(Event::Failed(fault.to_string()));
                return;
            }
        };
        let ready = driver.connect();
        let failed = ready.is_err();
        let told = tell.send(ready.map_or_else(Event::Failed, Event::Ready));
        if failed || told.is_err() {
            return;
        }
        // The starter hangs up when another thread has failed.
        if let Ok(start) = go.recv() {
            driver.run(start);
        }
    }

    /// Pins the thread and asks for exact timers; what went wrong, if anything did.
    fn settle_in(&self, thread: usize) -> Option<String> {
        if let Some(cpu) = self.cpus.get(thread % self.cpus.len().max(1)) {
            let mut set = rustix::thread::CpuSet::new();
            set.set(*cpu);
            if let Err(fault) = rustix::thread::sched_setaffinity(None, &set) {
                return Some(format!("cpu {cpu}: {fault}"));
            }
        }
        // Without it timers may be 50 microseconds late. Where it is forbidden, they are.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        None
    }

    fn collect(
        &self,
        events: &Receiver<Event>,
        outcome: &mut Outcome,
        each: &mut impl FnMut(&Interval),
    ) -> Result<(), String> {
        let mut endings: Vec<Ending> = Vec::new();
        let (mut open, mut reported) = (Vec::<(usize, Interval)>::new(), 0);
        while endings.len() < self.threads {
            match events.recv().map_err(|_| "a driver thread has stopped short")? {
                Event::Finished(ending) => endings.push(ending),
                Event::Interval(interval) => {
                    let at = interval.second as usize;
                    if open.len() <= at {
                        open.resize_with(at + 1, Default::default);
                    }
                    let (threads, sum) = &mut open[at];
                    *threads += 1;
                    sum.second = interval.second;
                    sum.add(&interval);
                }
                Event::Ready(_) | Event::Failed(_) => {}
            }
            while open.get(reported).is_some_and(|(threads, _)| *threads == self.threads) {
                each(&open[reported].1);
                reported += 1;
            }
        }
        outcome.seconds = open.into_iter().map(|(_, sum)| sum).collect();
        for (second, interval) in outcome.seconds.iter_mut().enumerate() {
            interval.second = second as u64;
            outcome.total.add(interval);
        }
        outcome.unsent = endings.iter().map(|ending| ending.unsent).sum();
        outcome.busy =
            endings.iter().map(|ending| ending.cpu as f64 / ending.wall.max(1) as f64).collect();
        let wall = endings.iter().map(|ending| ending.wall).max().unwrap_or(0);
        outcome.wall = wall.saturating_sub(self.warm_up).max(1);
        Ok(())
    }
}

/// Takes as many descriptors as the process may have. Where that is too few, a connection says so.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
