//! (pure) Which members of this node's replica group the plan counts, and the plan that follows.
//! Members come late and go late, so that one that flaps moves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use pumice_model::ids::Partition;
use pumice_model::placement::place;

use crate::cluster::view::{Member, View};

/// A member counts when it has been alive for so long: two rounds of gossip, and longer than a
/// process that crashes at its start takes to do so.
pub const SETTLE: Duration = Duration::from_secs(2);
/// A member counts until it has been dead for so long; gossip takes 10 s to call it that. Longer
/// than a restart, shorter than anybody wants to be without a replica.
pub const REPLACED: Duration = Duration::from_secs(10);
/// And one that said goodbye, as does a process that is asked to end, until it has been away for as
/// long as a silent one: a restart moves nothing. Who is not to be waited for drains first.
const AWAY: Duration = Duration::from_secs(20);

/// The plan of one replica group, as this node makes it.
#[derive(Debug, Default)]
pub struct Members {
    /// Those that count, in the order of their names; since when the view has been without them.
    counted: BTreeMap<String, Option<Duration>>,
    /// For whom the plan is.
    names: Vec<String>,
    /// Who has each partition in it, by its place in `names`.
    plan: Vec<usize>,
}

impl Members {
    /// Looks at the members of `group` anew; `me` counts unless it `leaves`.
    pub fn look(&mut self, now: Duration, view: &View, group: &str, me: &str, leaves: bool) {
        let member = |name: &str| view.get(name).filter(|member| member.group == group);
        self.counted.retain(|name, gone| match member(name) {
            Some(member) => {
                *gone = None;
                !member.draining && (member.alive || member.since < REPLACED)
            }
            None => now.saturating_sub(*gone.get_or_insert(now)) < AWAY,
        });
        for (name, _) in view.iter().filter(|(_, member)| joins(member, group)) {
            self.counted.entry(name.clone()).or_default();
        }
        if leaves {
            self.counted.remove(me);
        } else {
            self.counted.insert(me.to_owned(), None);
        }
    }

    /// Whether anybody counts; a node that leaves does not count itself.
    pub fn any(&self) -> bool {
        !self.counted.is_empty()
    }

    /// Whether a member of `group` has yet to be alive for long enough to count.
    pub fn awaits(&self, view: &View, group: &str) -> bool {
        view.iter().any(|(name, member)| {
            let may = member.group == group && member.alive && !member.draining;
            may && !self.counted.contains_key(name)
        })
    }

    /// Makes the plan anew where it is for others than those that count.
    pub fn plan(&mut self, partitions: u32) {
        if !self.names.iter().eq(self.counted.keys()) {
            self.names = self.counted.keys().cloned().collect();
            let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
            self.plan = place(&names, partitions);
        }
    }

    /// Who should have a partition; `None` before there is a plan, and where nobody counts.
    pub fn planned(&self, partition: Partition) -> Option<&str> {
        let node = *self.plan.get(partition.0 as usize)?;
        self.names.get(node).map(String::as_str)
    }
}

fn joins(member: &Member, group: &str) -> bool {
    member.group == group && member.alive && !member.draining && member.since >= SETTLE
}
