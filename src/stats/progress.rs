//! How each partition stands to the log: what the log has, when it said so, and whether the
//! partition can follow. Written by the log's thread and the owners, read by every core.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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
    /// This node does not have it: it is not followed, and what is stored of it is read by nobody.
    Absent = 4,
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
    /// Why nothing can follow the log any more, whichever partition.
    because: OnceLock<String>,
}

/// One partition.
#[derive(Debug)]
pub struct PartitionProgress {
    following: AtomicU8,
    /// What peers are told of it; without peers every partition is served.
    holding: AtomicU8,
    because: Mutex<Option<String>>,
    /// The log's end: the offset that its next record will have.
    end: AtomicU64,
    /// The end when it was first heard since the partition began: where that has caught up.
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
        Self { partitions, started: AtomicBool::new(false), because: OnceLock::new() }
    }

    /// No partition is followed until it is said of each.
    pub fn follow_none(&self) {
        self.partitions.iter().for_each(PartitionProgress::leave);
    }

    /// The node serves what it has, since no log could be heard, or since nothing is its to follow.
    pub fn serve_unheard(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Whether every partition that follows has what the log had when it began, and there is one;
    /// `next` tells how far each is applied. Once true, it stays so.
    pub fn started(&self, next: impl Fn(Partition) -> Offset) -> bool {
        if self.started.load(Ordering::Acquire) {
            return true;
        }
        let mut any = false;
        let mut partitions = self.all();
        let caught_up = partitions.all(|(partition, progress)| match progress.following() {
            Following::Absent => true,
            following => {
                any = true;
                following == Following::Broken || progress.caught_up(next(partition))
            }
        });
        let started = any && caught_up;
        if started {
            self.started.store(true, Ordering::Release);
        }
        started
    }

    /// Nothing can follow the log any more, and nothing that begins from now on will. Reads go on.
    pub fn break_all(&self, because: &str) {
        let because = self.because.get_or_init(|| because.to_owned());
        for progress in &self.partitions {
            if progress.following() != Following::Broken {
                progress.set_broken(because.clone());
            }
        }
    }

    /// Why nothing can follow the log any more.
    pub fn broken_because(&self) -> Option<&str> {
        self.because.get().map(String::as_str)
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
            because: Mutex::new(None),
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
            3 => Following::Broken,
            _ => Following::Absent,
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

    /// It follows, or restores. A broken partition stays so until it is left or the process ends.
    pub fn set(&self, following: Following) {
        if self.following() != Following::Broken {
            self.following.store(following as u8, Ordering::Release);
        }
    }

    /// It can follow no more; the first reason stays.
    pub fn set_broken(&self, because: String) {
        self.because().get_or_insert(because);
        self.following.store(Following::Broken as u8, Ordering::Release);
    }

    /// Why it is broken.
    pub fn broken_because(&self) -> Option<String> {
        self.because().clone()
    }

    /// It is not followed any more. To be called before its rows go, so that whoever finds none
    /// sees why.
    pub fn leave(&self) {
        self.following.store(Following::Absent as u8, Ordering::Release);
        *self.because() = None;
    }

    /// Its rows are gone, and nobody applies or hears anything of it: what was known of the log is
    /// forgotten, so that it can begin as after a start.
    pub fn begin_again(&self) {
        self.leave();
        self.end.store(UNKNOWN, Ordering::Release);
        self.end_at_start.store(UNKNOWN, Ordering::Release);
        self.heard_at.store(0, Ordering::Release);
        self.fresh_at.store(0, Ordering::Release);
    }

    // What it guards is whole between any two of its lines.
    fn because(&self) -> MutexGuard<'_, Option<String>> {
        self.because.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Whether there is a state to read: some entry was applied, or the log is followed and had
    /// none when it was first heard. Asked before a read and, where partitions come and go, after
    /// it: a release says so before it takes the rows.
    pub fn has_state(&self, next: Offset) -> bool {
        match self.following() {
            Following::Absent => false,
            Following::Live => next.0 > 0 || self.caught_up(next),
            Following::Starting | Following::Restoring | Following::Broken => next.0 > 0,
        }
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
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
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
        assert_eq!(progress.broken_because().as_deref(), Some("first"));
    }

    #[test]
    fn a_partition_that_was_left_begins_as_after_a_start() {
        let progress = PartitionProgress::new();
        progress.set(Following::Live);
        progress.heard(Offset(7), Offset(7), 1_000);
        assert!(progress.has_state(Offset(7)) && progress.caught_up(Offset(7)));
        progress.leave();
        assert!(!progress.has_state(Offset(7)), "its rows are about to go");
        progress.begin_again();
        assert_eq!((progress.end(), progress.lag(Offset(0), 1_001)), (None, Lag::Unknown));

        progress.set(Following::Restoring);
        assert!(!progress.has_state(Offset(0)));
        progress.heard(Offset(9), Offset(0), 2_000);
        progress.set(Following::Live);
        assert!(!progress.has_state(Offset(0)), "the log has entries, and none is applied");
        assert!(progress.has_state(Offset(1)) && !progress.caught_up(Offset(1)));
        progress.reached(Offset(9));
        assert!(progress.caught_up(Offset(9)));
        assert_eq!(progress.lag(Offset(9), 2_001), Lag::None);

        progress.set_broken("old".to_owned());
        assert!(progress.has_state(Offset(9)), "its last state is there");
        progress.leave();
        progress.begin_again();
        assert_eq!(progress.broken_because(), None);
        progress.set_broken("new".to_owned());
        assert_eq!(progress.broken_because().as_deref(), Some("new"));
        assert!(!progress.has_state(Offset(0)));
    }

    #[test]
    fn a_start_is_over_when_what_is_followed_has_caught_up() {
        let progress = Progress::new(3);
        let at = |next: u64| move |_: Partition| Offset(next);
        progress.follow_none();
        assert!(!progress.started(at(0)), "nobody has said what is to be followed");
        let [one, two] = [0, 2].map(|partition| progress.of(Partition(partition)).unwrap());
        one.set(Following::Starting);
        assert!(!progress.started(at(9)), "the log was not heard");
        one.heard(Offset(5), Offset(0), 1);
        two.set_broken("gone".to_owned());
        assert!(!progress.started(at(4)));
        assert!(progress.started(at(5)));
        one.leave();
        assert!(progress.started(at(0)), "once over, it is over");
    }

    #[test]
    fn a_log_that_nobody_can_follow_breaks_what_begins_later_too() {
        let progress = Progress::new(2);
        progress.follow_none();
        progress.break_all("another topic");
        progress.break_all("again");
        assert_eq!(progress.broken_because(), Some("another topic"));
        for (_, progress) in progress.all() {
            assert_eq!(progress.broken_because().as_deref(), Some("another topic"));
        }
    }
}
