//! How each partition stands to the log: what the log has, when it said so, and whether the
//! partition can follow. Written by the log's thread and the owners, read by every core.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;

/// After this long without an answer of the broker nobody knows what the log has: three long polls
/// with room for a slow network.
const SILENCE_MS: i64 = 3_000;
const UNKNOWN: u64 = u64::MAX;

/// Whether a partition follows the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Following {
    /// The log was not heard yet.
    Starting = 0,
    /// Entries come and are applied.
    Live = 1,
    /// A snapshot is being restored.
    Restoring = 2,
    /// It cannot follow: reads of its last state go on.
    Broken = 3,
}

/// How far behind the log a partition is; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lag {
    /// It has all that the log had a moment ago.
    None,
    /// So many milliseconds at most.
    Ms(u64),
    /// Nobody knows: the log has not been heard since the start.
    Unknown,
}

/// All partitions of a node.
#[derive(Debug)]
pub struct Progress {
    partitions: Box<[PartitionProgress]>,
    /// Whether the start is over: it has caught up, or there was no log to catch up with.
    started: AtomicBool,
}

/// One partition.
#[derive(Debug)]
pub struct PartitionProgress {
    following: AtomicU8,
    /// What peers are told of it; without peers every partition is served.
    holding: AtomicU8,
    because: OnceLock<String>,
    /// The log's end: the offset that its next record will have.
    end: AtomicU64,
    /// The end when this process first heard it: where the start has caught up.
    end_at_start: AtomicU64,
    /// When the log last answered.
    heard_at: AtomicI64,
    /// A time at which nothing was missing; 0 when there was none.
    fresh_at: AtomicI64,
}

impl Progress {
    /// All partitions, not heard of yet.
    pub fn new(partitions: u32) -> Self {
        let partitions = (0..partitions).map(|_| PartitionProgress::new()).collect();
        Self { partitions, started: AtomicBool::new(false) }
    }

    /// The node serves what it has, since no log could be heard.
    pub fn serve_unheard(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Whether every partition that can follow has what the log had at the start; `next` tells how
    /// far each is applied. Once true, it stays so.
    pub fn started(&self, next: impl Fn(Partition) -> Offset) -> bool {
        if self.started.load(Ordering::Acquire) {
            return true;
        }
        let mut partitions = self.all();
        let started = partitions.all(|(partition, progress)| {
            progress.following() == Following::Broken || progress.caught_up(next(partition))
        });
        if started {
            self.started.store(true, Ordering::Release);
        }
        started
    }

    /// One of them; `None` when the namespace has no such partition.
    pub fn of(&self, partition: Partition) -> Option<&PartitionProgress> {
        self.partitions.get(partition.0 as usize)
    }

    /// Every partition with its number.
    pub fn all(&self) -> impl Iterator<Item = (Partition, &PartitionProgress)> {
        (0..).map(Partition).zip(&self.partitions)
    }
}

impl PartitionProgress {
    fn new() -> Self {
        Self {
            following: AtomicU8::new(Following::Starting as u8),
            holding: AtomicU8::new(Holding::Serving as u8),
            because: OnceLock::new(),
            end: AtomicU64::new(UNKNOWN),
            end_at_start: AtomicU64::new(UNKNOWN),
            heard_at: AtomicI64::new(0),
            fresh_at: AtomicI64::new(0),
        }
    }

    /// What the partition does now.
    pub fn following(&self) -> Following {
        match self.following.load(Ordering::Acquire) {
            0 => Following::Starting,
            1 => Following::Live,
            2 => Following::Restoring,
            _ => Following::Broken,
        }
    }

    /// What peers are told of it.
    pub fn holding(&self) -> Holding {
        Holding::of(self.holding.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// Peers are told this from now on.
    pub fn hold(&self, holding: Holding) {
        self.holding.store(holding as u8, Ordering::Release);
    }

    /// It follows, or restores. A broken partition stays so until the next start.
    pub fn set(&self, following: Following) {
        if self.following() != Following::Broken {
            self.following.store(following as u8, Ordering::Release);
        }
    }

    /// It can follow no more; the first reason stays.
    pub fn set_broken(&self, because: String) {
        let _ = self.because.set(because);
        self.following.store(Following::Broken as u8, Ordering::Release);
    }

    /// Why it is broken.
    pub fn broken_because(&self) -> Option<&str> {
        self.because.get().map(String::as_str)
    }

    /// The stored state was complete at `time`: the log time of the last entry applied before this
    /// process started.
    pub fn was_fresh(&self, time: Millis) {
        self.fresh_at.fetch_max(time, Ordering::AcqRel);
    }

    /// The log said at `now` that its end is `end`; entries below `next` are applied.
    pub fn heard(&self, end: Offset, next: Offset, now: Millis) {
        self.end.store(end.0, Ordering::Release);
        self.heard_at.store(now, Ordering::Release);
        let _ =
            self.end_at_start.compare_exchange(UNKNOWN, end.0, Ordering::AcqRel, Ordering::Acquire);
        self.reached(next);
    }

    /// Entries below `next` are applied.
    pub fn reached(&self, next: Offset) {
        if next.0 >= self.end.load(Ordering::Acquire) {
            self.fresh_at.fetch_max(self.heard_at.load(Ordering::Acquire), Ordering::AcqRel);
        }
    }

    /// Whether there is a state to read: some entry was applied, or the log was heard and nothing
    /// stands in the way of following it.
    pub fn has_state(&self, next: Offset) -> bool {
        next.0 > 0 || self.following() == Following::Live
    }

    /// The log's end, as far as heard.
    pub fn end(&self) -> Option<Offset> {
        known(self.end.load(Ordering::Acquire))
    }

    /// Whether everything that the log had when it was first heard is applied.
    pub fn caught_up(&self, next: Offset) -> bool {
        known(self.end_at_start.load(Ordering::Acquire)).is_some_and(|end| next >= end)
    }

    /// Entries that the log has and the partition has not; `None` before the log was heard.
    pub fn lag_entries(&self, next: Offset) -> Option<u64> {
        self.end().map(|end| end.0.saturating_sub(next.0))
    }

    /// How old the state may be, with entries below `next` applied.
    pub fn lag(&self, next: Offset, now: Millis) -> Lag {
        let heard = self.heard_at.load(Ordering::Acquire);
        let complete = self.end().is_some_and(|end| next >= end);
        if complete && now - heard <= SILENCE_MS {
            return Lag::None;
        }
        match self.fresh_at.load(Ordering::Acquire) {
            0 => Lag::Unknown,
            fresh => Lag::Ms((now - fresh).max(0).unsigned_abs()),
        }
    }
}

fn known(offset: u64) -> Option<Offset> {
    (offset != UNKNOWN).then_some(Offset(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_told_when_something_is_missing_or_the_log_is_silent() {
        let progress = PartitionProgress::new();
        assert_eq!(progress.lag(Offset(0), 1_000), Lag::Unknown);
        assert!(!progress.caught_up(Offset(0)));
        progress.was_fresh(400);
        assert_eq!(progress.lag(Offset(5), 1_000), Lag::Ms(600));
        progress.heard(Offset(7), Offset(5), 1_000);
        assert_eq!(progress.lag(Offset(5), 1_001), Lag::Ms(601));
        assert_eq!(progress.lag_entries(Offset(5)), Some(2));
        assert!(!progress.caught_up(Offset(6)));
        progress.reached(Offset(7));
        assert_eq!(progress.lag(Offset(7), 1_500), Lag::None);
        assert!(progress.caught_up(Offset(7)));
        // The broker falls silent: the state is as old as its last word.
        assert_eq!(progress.lag(Offset(7), 9_000), Lag::Ms(8_000));
    }

    #[test]
    fn a_broken_partition_stays_broken_with_its_first_reason() {
        let progress = PartitionProgress::new();
        progress.set_broken("first".to_owned());
        progress.set(Following::Live);
        progress.set_broken("second".to_owned());
        assert_eq!(progress.following(), Following::Broken);
        assert_eq!(progress.broken_because(), Some("first"));
    }
}
