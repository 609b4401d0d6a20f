//! (pure) One node's part in the cluster: how it holds each partition, and what the log's thread is
//! told, one step after the other. Lives on the cluster's thread; knows no clock and no socket.

mod members;
mod picture;
#[cfg(test)]
mod tests;

use std::mem;
use std::time::Duration;

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

pub use members::{REPLACED, SETTLE};
pub use picture::{clock_fault, routes};

use self::members::Members;
use super::table::{self, Facts, Place, Standing};
use super::view::{Member, View};
use crate::mesh::holds::Hold;

/// Partitions on their way in at a time. Each has a snapshot or a replay under way, which take the
/// disk and the log from those that serve; and what is begun one after the other serves earlier.
pub const COMING: usize = 4;
/// A node that was given seeds waits for one of them this long before it plans without them.
const UNHEARD: Duration = Duration::from_secs(5);
/// Members that keep coming do not keep a node from its first plan for longer than this.
const UNSETTLED: Duration = Duration::from_secs(10);

/// A node that leaves answers on for so long after others serve what it has: until then some peer
/// may know nobody else to ask. Three rounds of gossip.
const TOLD: Duration = Duration::from_secs(3);

/// A node that has not stepped for so long stood still, as one does that is suspended or out of
/// memory. What it believes of others is as old, though gossip that waited for it may make it look
/// new.
const STILL: Duration = Duration::from_secs(2);

/// What a node is when it begins to steer.
#[derive(Clone, Debug)]
pub struct Begin {
    /// Its name.
    pub me: String,
    /// How many partitions the namespace has.
    pub partitions: u32,
    /// Whether it was told of seeds other than itself.
    pub seeded: bool,
    /// When, on the clock of every step: any that only goes forward.
    pub now: Duration,
}

/// The state of a node.
#[derive(Debug)]
pub struct Steer {
    me: String,
    seeded: bool,
    began: Duration,
    /// When the last step was.
    stepped: Duration,
    /// Whether the view has been good for a plan, once.
    settled: bool,
    leaving: bool,
    spare: Spare,
    members: Members,
    kept: Vec<Kept>,
}

/// Whether a node that leaves can be spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spare {
    /// It serves what nobody else of its group does, or does not leave.
    Needed,
    /// Others serve it, since then.
    Since(Duration),
    /// It has no others.
    Alone,
}

/// How a partition is held, and since when.
#[derive(Clone, Copy, Debug)]
struct Kept {
    holding: Holding,
    since: Duration,
}

/// What a step came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be told to the log's thread, in this order.
    pub commands: Vec<Hold>,
    /// Whether some partition is held otherwise than before: peers should hear at once.
    pub changed: bool,
}

impl Steer {
    /// A node at its start; `has_rows` tells what its disk has. What is to be followed at once
    /// stands in the step.
    pub fn begin(begin: Begin, has_rows: impl Fn(Partition) -> bool) -> (Self, Step) {
        let Begin { me, partitions, seeded, now } = begin;
        let mut step = Step { commands: Vec::new(), changed: true };
        let kept = (0..partitions).map(Partition).map(|partition| {
            let (holding, command) = table::begin(has_rows(partition));
            step.commands.extend(command.map(|command| command.of(partition)));
            Kept { holding, since: now }
        });
        let kept = kept.collect();
        let steer = Self {
            me,
            seeded,
            began: now,
            stepped: now,
            settled: false,
            leaving: false,
            spare: Spare::Needed,
            members: Members::default(),
            kept,
        };
        (steer, step)
    }

    /// Goes on by one step: with every new view, and a few times a second without one.
    pub fn step(
        &mut self,
        now: Duration,
        view: &View,
        standing: impl Fn(Partition) -> Standing,
    ) -> Step {
        if now.saturating_sub(mem::replace(&mut self.stepped, now)) > STILL {
            self.stood_still(now);
        }
        self.look(now, view);
        let mut step = Step::default();
        let mut coming = self.kept.iter().filter(|kept| comes(kept.holding)).count();
        for at in 0..self.kept.len() {
            let (partition, kept) = (Partition(at as u32), self.kept[at]);
            let facts = Facts {
                place: self.place(partition, view),
                standing: standing(partition),
                lasted: now.saturating_sub(kept.since),
                room: coming < COMING,
                leaving: self.leaving,
            };
            let (holding, command) = table::next(kept.holding, &facts);
            step.commands.extend(command.map(|command| command.of(partition)));
            if holding != kept.holding {
                coming += usize::from(!comes(kept.holding) && comes(holding));
                self.kept[at] = Kept { holding, since: now };
                step.changed = true;
            }
        }
        if self.leaving {
            self.spare = self.spared(now, view);
        }
        step
    }

    /// This node is about to leave: the plan is without it, it begins and drops nothing, and what
    /// it serves it serves until it ends.
    pub fn leave(&mut self) {
        self.leaving = true;
    }

    /// Whether a node that leaves may end: all that it serves has been served for a while by other
    /// members of its group that stay, or there are none that could.
    pub fn may_leave(&self, now: Duration) -> bool {
        match self.spare {
            Spare::Needed => false,
            Spare::Since(since) => now.saturating_sub(since) >= TOLD,
            Spare::Alone => true,
        }
    }

    /// How each partition is held.
    pub fn held(&self) -> impl Iterator<Item = (Partition, Holding)> {
        (0..).map(Partition).zip(self.kept.iter().map(|kept| kept.holding))
    }

    /// How a partition is held, and since when on the clock of the steps.
    pub fn holding(&self, partition: Partition) -> (Holding, Duration) {
        let kept = self.kept.get(partition.0 as usize);
        kept.map_or((Holding::Absent, self.began), |kept| (kept.holding, kept.since))
    }

    /// Of the partitions that the plan gives to this node, how many it answers for or can follow no
    /// more, and how many there are; `None` before there is a plan.
    pub fn arrived(&self) -> Option<(usize, usize)> {
        if !self.settled {
            return None;
        }
        let planned = |partition: &Partition| self.planned(*partition) == Some(&self.me);
        let here = self.held().filter(|(partition, _)| planned(partition));
        let here: Vec<Holding> = here.map(|(_, holding)| holding).collect();
        let done = here.iter().filter(|holding| !comes(**holding) && **holding != Holding::Absent);
        Some((done.count(), here.len()))
    }

    /// The member of this node's group that should have a partition; `None` before there is a plan.
    pub fn planned(&self, partition: Partition) -> Option<&str> {
        self.members.planned(partition)
    }

    /// Begins to wait anew wherever others must have been watched meanwhile.
    fn stood_still(&mut self, now: Duration) {
        for kept in self.kept.iter_mut().filter(|kept| kept.holding == Holding::Draining) {
            kept.since = now;
        }
        self.spare = Spare::Needed;
    }

    /// Counts the members, and makes the plan when the view is good for one.
    fn look(&mut self, now: Duration, view: &View) {
        let Some(group) = view.get(&self.me).map(|member| member.group.as_str()) else { return };
        self.members.look(now, view, group, &self.me, self.leaving);
        let age = now.saturating_sub(self.began);
        let heard = !self.seeded || view.len() > 1 || age >= UNHEARD;
        let complete = !self.members.awaits(view, group) || age >= UNSETTLED;
        self.settled |= age >= SETTLE && heard && complete;
        if self.settled {
            self.members.plan(self.kept.len() as u32);
        }
    }

    /// Whether others that stay serve all that this node does.
    fn spared(&self, now: Duration, view: &View) -> Spare {
        let group = view.get(&self.me).map(|member| member.group.as_str());
        let stays = |id: &str, other: &Member| {
            let stays = other.alive && !other.draining && !other.ending;
            id != self.me && Some(other.group.as_str()) == group && stays
        };
        let others = || view.iter().filter(|(id, other)| stays(id, other)).map(|(_, other)| other);
        let served = |partition| others().any(|o| o.holding(partition) == Holding::Serving);
        if others().next().is_none() {
            // One that restarts is to have what this node has, and is waited for as the plan does.
            if self.members.any() { Spare::Needed } else { Spare::Alone }
        } else if self.held().any(|(partition, held)| held.answers() && !served(partition)) {
            Spare::Needed
        } else if let Spare::Since(since) = self.spare {
            Spare::Since(since)
        } else {
            Spare::Since(now)
        }
    }

    fn place(&self, partition: Partition, view: &View) -> Place {
        match self.members.planned(partition) {
            None => Place::Unknown,
            Some(planned) if planned == self.me => Place::Here,
            Some(planned) => {
                let serving = |member: &Member| member.holding(partition) == Holding::Serving;
                // Nothing goes for the sake of one that is about to be away.
                let member = view.get(planned).filter(|member| member.alive && !member.ending);
                Place::Elsewhere { serves: member.is_some_and(serving) }
            }
        }
    }
}

/// Whether a partition is on its way in.
fn comes(holding: Holding) -> bool {
    matches!(holding, Holding::Restoring | Holding::CatchingUp)
}
