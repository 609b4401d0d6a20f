//! The log's thread of a simulated node, for one partition: it follows, restores, falls behind and
//! lets go, each in its own time, and says how it stands as the server's does.

use std::collections::VecDeque;
use std::rc::Rc;

use pumice::cluster::table::{Command, Standing};
use pumice::stats::progress::{Following, PartitionProgress, Progress};
use pumice_model::ids::{Offset, Partition};

use crate::log::Log;
use crate::store::{Snapshot, Store};

/// One partition.
pub struct Follower {
    partition: Partition,
    progress: Progress,
    told: VecDeque<Command>,
    phase: Phase,
}

enum Phase {
    /// Nobody follows it.
    Idle,
    /// It looks where to begin.
    Locating,
    /// A snapshot is on its way until then.
    Restoring(Rc<Snapshot>, u64),
    /// Entries are applied as they come.
    Live,
    /// Its rows go then.
    Releasing(u64),
}

/// What a follower works with in one step.
pub struct Hands<'w> {
    pub now: u64,
    pub log: &'w Log,
    pub store: &'w mut Store,
    /// Whether the broker and the objects can be reached.
    pub online: bool,
    /// Entries in a step.
    pub pace: u64,
    /// Milliseconds that a restore or a release takes.
    pub effort: u64,
    /// Whether it skips an entry now and then: what a checker must see.
    pub skips: bool,
}

impl Follower {
    pub fn new(partition: Partition) -> Self {
        let (told, phase) = (VecDeque::new(), Phase::Idle);
        Self { partition, progress: absent(), told, phase }
    }

    pub fn tell(&mut self, command: Command) {
        self.told.push_back(command);
    }

    fn progress(&self) -> &PartitionProgress {
        self.progress.of(Partition(0)).expect("it has one")
    }

    pub fn standing(&self, store: &Store) -> Standing {
        Standing::of(self.progress(), Offset(store.next(self.partition)))
    }

    /// Whether a request is answered from what is there.
    pub fn has_state(&self, store: &Store) -> bool {
        let standing = self.standing(store);
        standing.has_state && standing.following != Following::Absent
    }

    pub fn step(&mut self, hands: &mut Hands<'_>) {
        self.obey(hands);
        match &self.phase {
            Phase::Locating if hands.online => self.locate(hands),
            Phase::Restoring(snapshot, until) if hands.online && hands.now >= *until => {
                hands.store.install(self.partition, snapshot);
                self.progress().set(Following::Starting);
                self.phase = Phase::Locating;
            }
            Phase::Live if hands.online => self.apply(hands),
            Phase::Releasing(until) if hands.now >= *until => {
                hands.store.release(self.partition);
                self.progress = absent();
                self.phase = Phase::Idle;
            }
            _ => {}
        }
    }

    /// Takes up the next command, unless the last release is still under way.
    fn obey(&mut self, hands: &Hands<'_>) {
        let releases = matches!(self.phase, Phase::Releasing(_));
        let Some(command) = (!releases).then(|| self.told.pop_front()).flatten() else { return };
        let idle = matches!(self.phase, Phase::Idle);
        match command {
            Command::Follow => {
                assert!(idle, "partition {} is told to be followed twice", self.partition);
                self.progress().set(Following::Starting);
                self.phase = Phase::Locating;
            }
            Command::Release => {
                assert!(!idle, "partition {} is released, and nobody follows it", self.partition);
                self.progress().set(Following::Absent);
                self.phase = Phase::Releasing(hands.now + hands.effort / 4);
            }
        }
    }

    fn locate(&mut self, hands: &Hands<'_>) {
        let next = hands.store.next(self.partition);
        let (start, end) = (hands.log.start(self.partition), hands.log.end(self.partition));
        let newest = hands.log.newest(self.partition);
        match newest.filter(|newest| next < start || (next == 0 && newest.next() > 0)) {
            Some(snapshot) => {
                self.progress().set(Following::Restoring);
                self.phase = Phase::Restoring(snapshot, hands.now + hands.effort);
            }
            None => {
                assert!(next >= start, "the log is trimmed beyond its snapshots");
                self.progress().heard(Offset(end), Offset(next), 1);
                self.progress().set(Following::Live);
                self.phase = Phase::Live;
            }
        }
    }

    fn apply(&mut self, hands: &mut Hands<'_>) {
        let next = hands.store.next(self.partition);
        let end = hands.log.end(self.partition);
        if next < hands.log.start(self.partition) {
            self.phase = Phase::Locating;
            return;
        }
        let to = end.min(next + hands.pace);
        if hands.skips && to > next && next % 5 == 4 {
            hands.store.skip(hands.log, self.partition);
        } else if to > next {
            hands.store.apply(hands.log, self.partition, to);
        }
        self.progress().heard(Offset(end), Offset(hands.store.next(self.partition)), 1);
    }
}

fn absent() -> Progress {
    let progress = Progress::new(1);
    progress.of(Partition(0)).expect("it has one").set(Following::Absent);
    progress
}
