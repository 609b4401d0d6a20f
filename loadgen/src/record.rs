//! What a driver thread counts, one second at a time: latency from the time a request was due,
//! service time from the time it left, failures by kind. A finished second goes to the collector.

use std::collections::BTreeMap;
use std::sync::mpsc::SyncSender;

use hdrhistogram::Histogram;

use crate::failure::{Failure, Failures};
use crate::mix::Op;

/// One second, nanoseconds.
pub const SECOND: u64 = 1_000_000_000;
/// The finest difference that is kept, and the longest time, nanoseconds.
const FINEST: u64 = 64;
const LONGEST: u64 = 120 * SECOND;
const DIGITS: u8 = 3;

/// A histogram of nanoseconds.
pub type Times = Histogram<u64>;

/// An empty histogram: 64 ns to two minutes, to three digits.
pub fn times() -> Times {
    Histogram::new_with_bounds(FINEST, LONGEST, DIGITS).expect("the bounds are fixed and sound")
}

/// What is known of one operation.
#[derive(Debug, Clone)]
pub struct OpCount {
    /// Records that its answers were about.
    pub records: u64,
    /// From when the request was due to its answer.
    pub latency: Times,
    /// From when it left to its answer.
    pub service: Times,
}

impl OpCount {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { records: 0, latency: times(), service: times() }
    }

    /// Adds what another counted.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.latency.add(&other.latency).expect("both have the same bounds");
        self.service.add(&other.service).expect("both have the same bounds");
    }
}

impl Default for OpCount {
    fn default() -> Self {
        Self::new()
    }
}

/// One second of one thread, or of all.
#[derive(Debug, Clone, Default)]
pub struct Interval {
    /// Which second of the measurement, from 0.
    pub second: u64,
    /// By operation.
    pub ops: BTreeMap<Op, OpCount>,
    /// Those that failed.
    pub failures: Failures,
    /// Statuses that should not have come.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes of bodies received.
    pub bytes: u64,
    /// Requests in flight at its end.
    pub in_flight: u64,
}

impl Interval {
    /// Adds what another thread counted in the same second, or another second.
    pub fn add(&mut self, other: &Self) {
        for (op, count) in &other.ops {
            self.ops.entry(*op).or_default().add(count);
        }
        for (sum, more) in self.failures.iter_mut().zip(other.failures) {
            *sum += more;
        }
        for (status, more) in &other.statuses {
            *self.statuses.entry(*status).or_default() += more;
        }
        self.bytes += other.bytes;
        self.in_flight += other.in_flight;
    }

    /// Right answers.
    pub fn answered(&self) -> u64 {
        self.ops.values().map(|count| count.latency.len()).sum()
    }

    /// Latencies of all operations together.
    pub fn latency(&self) -> Times {
        let mut all = times();
        for count in self.ops.values() {
            all.add(&count.latency).expect("both have the same bounds");
        }
        all
    }
}

/// What a driver thread tells the collector.
#[derive(Debug)]
pub enum Event {
    /// All its connections are made; a note where something is less than asked for.
    Ready(Option<String>),
    /// It cannot begin.
    Failed(String),
    /// A second is over.
    Interval(Interval),
    /// It is done.
    Finished(Ending),
}

/// How a driver thread ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Requests that were due and never left.
    pub unsent: u64,
    /// CPU time of the thread while it drove, nanoseconds.
    pub cpu: u64,
    /// How long it drove, nanoseconds.
    pub wall: u64,
}

/// Counts for one thread.
#[derive(Debug)]
pub struct Recorder {
    current: Interval,
    /// When the measurement begins, after the warm-up.
    from: u64,
    events: SyncSender<Event>,
}

impl Recorder {
    /// Counts requests that are due from `from` on.
    pub fn new(from: u64, events: SyncSender<Event>) -> Self {
        Self { current: Interval::default(), from, events }
    }

    /// A right answer.
    #[inline]
    pub fn answered(&mut self, op: Op, records: u64, intended: u64, sent: u64, now: u64) {
        if intended < self.from {
            return;
        }
        let count = self.current.ops.entry(op).or_default();
        count.records += records;
        count.latency.saturating_record(now.saturating_sub(intended));
        count.service.saturating_record(now.saturating_sub(sent));
    }

    /// Bytes of bodies, right or wrong.
    #[inline]
    pub fn bytes(&mut self, count: u64) {
        self.current.bytes += count;
    }

    /// A failure; those of the warm-up count too, because a wrong answer is wrong at any time.
    pub fn failed(&mut self, failure: Failure, status: u16) {
        self.current.failures[failure as usize] += 1;
        if failure == Failure::Status {
            *self.current.statuses.entry(status).or_default() += 1;
        }
    }

    /// Closes the second when it is over.
    #[inline]
    pub fn tick(&mut self, now: u64, in_flight: u64) {
        let second = now.saturating_sub(self.from) / SECOND;
        if second != self.current.second {
            self.close(second, in_flight);
        }
    }

    /// Closes the last second.
    pub fn finish(&mut self, ending: Ending) {
        self.close(u64::MAX, 0);
        self.tell(Event::Finished(ending));
    }

    /// Sends an event; a collector that is gone has nobody left to tell.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    fn close(&mut self, next: u64, in_flight: u64) {
        let mut over =
            std::mem::replace(&mut self.current, Interval { second: next, ..Interval::default() });
        over.in_flight = in_flight;
        self.tell(Event::Interval(over));
    }
}
