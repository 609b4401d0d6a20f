//! (pure) What becomes of one partition on this node: its next state, and at most one command to
//! the log's thread. Drawn in docs/decisions/0018-a-cluster-of-views.md; holds no state of its own.

use std::time::Duration;

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};

use crate::mesh::holds::Hold;
use crate::stats::progress::{Following, PartitionProgress};

/// How long a partition is answered for after others have been told not to ask: longer than gossip
/// takes to call a silent member dead (10 s). Whoever still asks here has then heard that it ends,
/// and a receiver that died unnoticed has been noticed before the last rows go.
pub const GRACE: Duration = Duration::from_secs(12);

/// What to tell the log's thread of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Follow it.
    Follow,
    /// Follow it no more, and drop its rows.
    Release,
}

impl Command {
    /// The command with the partition that it is about.
    pub fn of(self, partition: Partition) -> Hold {
        match self {
            Self::Follow => Hold::Follow(partition),
            Self::Release => Hold::Release(partition),
        }
    }
}

/// Where the plan wants a partition of this node's replica group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nobody can tell yet, or there is nobody to hold it: nothing begins and nothing ends.
    Unknown,
    /// Here.
    Here,
    /// At another member, which is alive and says that it serves it, or not.
    Elsewhere {
        /// Whether it says so.
        serves: bool,
    },
}

/// How a partition stands to the log on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What the log's thread does with it.
    pub following: Following,
    /// Whether there is a state to read: some entry is applied, or the log has none.
    pub has_state: bool,
    /// Whether everything is applied that the log had when it was first heard.
    pub caught_up: bool,
}

impl Standing {
    /// As the log's thread and the owner tell it; entries below `next` are applied.
    pub fn of(progress: &PartitionProgress, next: Offset) -> Self {
        let (following, caught_up) = (progress.following(), progress.caught_up(next));
        // Rows of an earlier life are a state before the log's thread has taken them up.
        let has_state = next.0 > 0 || (following == Following::Live && caught_up);
        Self { following, has_state, caught_up }
    }
}

/// What the next state of a partition follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where the plan wants it.
    pub place: Place,
    /// How it stands to the log.
    pub standing: Standing,
    /// For how long it has been held as it is.
    pub lasted: Duration,
    /// Whether one more may be on its way in.
    pub room: bool,
    /// Whether this node is about to leave: it answers on, and begins and drops nothing.
    pub leaving: bool,
}

/// How a partition is held when the node starts: what is there is followed, whoever should have it,
/// since it may be the only copy alive.
pub fn begin(has_rows: bool) -> (Holding, Option<Command>) {
    if has_rows { (Holding::CatchingUp, Some(Command::Follow)) } else { (Holding::Absent, None) }
}

/// How a partition is held next.
pub fn next(now: Holding, facts: &Facts) -> (Holding, Option<Command>) {
    match now {
        // Until the next start of the process.
        Holding::Broken => (Holding::Broken, None),
        Holding::Absent => absent(facts),
        Holding::Restoring | Holding::CatchingUp => on_its_way_in(facts),
        Holding::Serving => serving(facts),
        Holding::Draining => draining(facts),
    }
}

fn absent(facts: &Facts) -> (Holding, Option<Command>) {
    let begins = facts.place == Place::Here && !facts.leaving;
    match facts.standing.following {
        Following::Broken if begins => (Holding::Broken, None),
        Following::Absent if begins && facts.room => (Holding::Restoring, Some(Command::Follow)),
        // The log's thread has not let go of it yet, or nothing begins.
        _ => (Holding::Absent, None),
    }
}

fn on_its_way_in(facts: &Facts) -> (Holding, Option<Command>) {
    let useless = match facts.place {
        Place::Elsewhere { serves } => serves || !facts.standing.has_state,
        Place::Here | Place::Unknown => false,
    };
    if useless && !facts.leaving {
        return (Holding::Absent, Some(Command::Release));
    }
    (arrived(facts.standing), None)
}

/// How far a partition has come in.
fn arrived(standing: Standing) -> Holding {
    match standing.following {
        Following::Broken => Holding::Broken,
        Following::Live if standing.has_state && standing.caught_up => Holding::Serving,
        _ if standing.has_state => Holding::CatchingUp,
        _ => Holding::Restoring,
    }
}

fn serving(facts: &Facts) -> (Holding, Option<Command>) {
    let moved = facts.place == Place::Elsewhere { serves: true };
    if facts.standing.following == Following::Broken || !facts.standing.has_state {
        (arrived(facts.standing), None)
    } else if moved && !facts.leaving {
        (Holding::Draining, None)
    } else {
        (Holding::Serving, None)
    }
}

fn draining(facts: &Facts) -> (Holding, Option<Command>) {
    match serving(facts) {
        (Holding::Draining, _) if facts.lasted >= GRACE => {
            (Holding::Absent, Some(Command::Release))
        }
        // It is wanted here again, or the one that has it now is not heard to serve it any more.
        next => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::progress::Progress;

    const FOLLOWING: [Following; 5] = [
        Following::Starting,
        Following::Live,
        Following::Restoring,
        Following::Broken,
        Following::Absent,
    ];
    const PLACES: [Place; 4] = [
        Place::Unknown,
        Place::Here,
        Place::Elsewhere { serves: false },
        Place::Elsewhere { serves: true },
    ];

    /// Every combination of facts.
    fn all() -> Vec<Facts> {
        let mut all = Vec::new();
        for place in PLACES {
            for following in FOLLOWING {
                for bits in 0..32_u8 {
                    let is = |bit: u8| bits & (1 << bit) != 0;
                    let standing = Standing { following, has_state: is(0), caught_up: is(1) };
                    let lasted = if is(2) { GRACE } else { GRACE - Duration::from_millis(1) };
                    all.push(Facts { place, standing, lasted, room: is(3), leaving: is(4) });
                }
            }
        }
        all
    }

    /// Every step there is.
    fn steps() -> impl Iterator<Item = (Holding, Facts, Holding, Option<Command>)> {
        let of = |now| all().into_iter().map(move |facts| (now, facts));
        Holding::ALL.into_iter().flat_map(of).map(|(now, facts)| {
            let (then, command) = next(now, &facts);
            (now, facts, then, command)
        })
    }

    fn elsewhere(place: Place) -> bool {
        matches!(place, Place::Elsewhere { .. })
    }

    #[test]
    fn rows_go_only_when_another_serves_or_nobody_ever_read_them_here() {
        let served = Place::Elsewhere { serves: true };
        for (now, facts, then, command) in steps() {
            let step = format!("{now} {facts:?} -> {then} {command:?}");
            if command != Some(Command::Release) {
                continue;
            }
            assert_eq!(then, Holding::Absent, "{step}");
            assert!(!facts.leaving && elsewhere(facts.place), "{step}");
            match now {
                Holding::Draining => assert!(facts.lasted >= GRACE && facts.place == served),
                Holding::Restoring | Holding::CatchingUp => {
                    assert!(facts.place == served || !facts.standing.has_state, "{step}");
                }
                _ => panic!("{step}"),
            }
        }
    }

    #[test]
    fn what_answers_goes_on_to_answer_until_it_has_drained() {
        for (now, facts, then, command) in steps() {
            let step = format!("{now} {facts:?} -> {then} {command:?}");
            let sound = facts.standing.has_state && facts.standing.following != Following::Broken;
            if now.answers() && sound {
                let drained = now == Holding::Draining && command == Some(Command::Release);
                assert!(then.answers() || drained, "{step}");
            }
            if now == Holding::Serving {
                assert!(then != Holding::Absent && command.is_none(), "{step}");
            }
            if now.answers() && sound && (facts.leaving || !elsewhere(facts.place)) {
                assert_eq!(then, Holding::Serving, "{step}");
            }
        }
    }

    #[test]
    fn only_a_state_answers_and_only_one_that_has_caught_up_begins_to() {
        for (now, facts, then, command) in steps() {
            let step = format!("{now} {facts:?} -> {then} {command:?}");
            let Standing { following, has_state, caught_up } = facts.standing;
            assert!(!then.answers() || has_state, "{step}");
            if then.answers() && !now.answers() {
                assert!(following == Following::Live && caught_up, "{step}");
            }
        }
    }

    #[test]
    fn absence_begins_with_a_release_and_ends_with_a_follow() {
        for (now, facts, then, command) in steps() {
            let step = format!("{now} {facts:?} -> {then} {command:?}");
            match (now, then) {
                (Holding::Absent, Holding::Absent) => assert_eq!(command, None, "{step}"),
                (Holding::Absent, Holding::Restoring) => {
                    assert_eq!(command, Some(Command::Follow), "{step}");
                    assert!(facts.place == Place::Here && facts.room && !facts.leaving, "{step}");
                    let let_go = facts.standing.following == Following::Absent;
                    assert!(let_go, "its last release is still under way: {step}");
                }
                (Holding::Absent, then) => {
                    assert_eq!((then, command), (Holding::Broken, None), "{step}");
                }
                (_, Holding::Absent) => assert_eq!(command, Some(Command::Release), "{step}"),
                _ => assert_eq!(command, None, "{step}"),
            }
        }
    }

    #[test]
    fn broken_is_the_end_and_an_unknown_plan_is_no_reason_for_anything() {
        for (now, facts, then, command) in steps() {
            let step = format!("{now} {facts:?} -> {then} {command:?}");
            if now == Holding::Broken {
                assert_eq!((then, command), (Holding::Broken, None), "{step}");
            }
            if facts.place == Place::Unknown || facts.leaving {
                assert_eq!(command, None, "{step}");
            }
            let broken = facts.standing.following == Following::Broken;
            if broken && now != Holding::Absent && command.is_none() {
                assert_eq!(then, Holding::Broken, "{step}");
            }
        }
    }

    #[test]
    fn a_partition_moves_and_moves_back() {
        let standing =
            |following, has_state, caught_up| Standing { following, has_state, caught_up };
        let live = standing(Following::Live, true, true);
        let mut facts = Facts {
            place: Place::Here,
            standing: standing(Following::Absent, false, false),
            lasted: Duration::ZERO,
            room: true,
            leaving: false,
        };
        let mut now = Holding::Absent;
        let mut step = |facts: &Facts| {
            let (then, command) = next(now, facts);
            now = then;
            (then, command)
        };
        assert_eq!(step(&facts), (Holding::Restoring, Some(Command::Follow)));
        assert_eq!(step(&facts), (Holding::Restoring, None), "the log's thread has not looked yet");
        facts.standing = standing(Following::Live, true, false);
        assert_eq!(step(&facts), (Holding::CatchingUp, None));
        facts.standing = live;
        assert_eq!(step(&facts), (Holding::Serving, None));

        facts.place = Place::Elsewhere { serves: false };
        assert_eq!(step(&facts), (Holding::Serving, None));
        facts.place = Place::Elsewhere { serves: true };
        assert_eq!(step(&facts), (Holding::Draining, None));
        assert_eq!(step(&facts), (Holding::Draining, None), "somebody may still ask here");
        facts.place = Place::Elsewhere { serves: false };
        assert_eq!(step(&facts), (Holding::Serving, None), "the other one is not heard any more");
        facts.place = Place::Elsewhere { serves: true };
        assert_eq!(step(&facts), (Holding::Draining, None));
        facts.lasted = GRACE;
        assert_eq!(step(&facts), (Holding::Absent, Some(Command::Release)));

        facts.place = Place::Here;
        assert_eq!(step(&facts), (Holding::Absent, None), "its rows are still there");
        facts.standing = standing(Following::Absent, false, false);
        assert_eq!(step(&facts), (Holding::Restoring, Some(Command::Follow)));
        facts.standing = standing(Following::Broken, false, false);
        assert_eq!(step(&facts), (Holding::Broken, None));
    }

    #[test]
    fn rows_of_an_earlier_life_are_followed_and_are_a_state() {
        assert_eq!(begin(true), (Holding::CatchingUp, Some(Command::Follow)));
        assert_eq!(begin(false), (Holding::Absent, None));
        let progress = Progress::new(1);
        let Some(progress) = progress.of(Partition(0)) else { panic!("it has one") };
        progress.set(Following::Absent);
        assert!(Standing::of(progress, Offset(3)).has_state);
        assert!(!Standing::of(progress, Offset(0)).has_state);
        progress.set(Following::Live);
        assert!(!Standing::of(progress, Offset(0)).has_state, "the log was not heard");
        progress.heard(Offset(0), Offset(0), 1);
        assert!(Standing::of(progress, Offset(0)).has_state, "the log has nothing");
    }
}
