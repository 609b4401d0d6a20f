//! (pure) The members of the cluster as this node knows them at one moment. Made by gossip, read by
//! the plan and the tables; holds no clock and no socket.

use std::collections::BTreeMap;
use std::time::Duration;

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use pumice_model::time::Millis;

/// The members by id, this node too.
pub type View = BTreeMap<String, Member>;

/// What a member says of itself, and how it is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which life of this id: milliseconds of its start; the highest counts.
    pub incarnation: u64,
    /// Where it stands.
    pub region: String,
    /// Which copy of everything it is a part of.
    pub group: String,
    /// `HOST:PORT` of its public port.
    pub http: String,
    /// `HOST:PORT` of its admin port.
    pub admin: String,
    /// Whether it is about to leave: others are to have what it has.
    pub draining: bool,
    /// Whether its process ends: others are asked before it, and what it has waits for its return.
    pub ending: bool,
    /// Its wall clock when it last said something, less ours when we heard it.
    pub clock_off: Millis,
    /// Reads that it answers in a second, over the last seconds.
    pub load: u64,
    /// What it holds, but for what is absent.
    pub held: BTreeMap<Partition, Held>,
    /// Whether gossip takes it for alive.
    pub alive: bool,
    /// For how long it has been what `alive` says.
    pub since: Duration,
}

/// How a member holds a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The state.
    pub holding: Holding,
    /// How far it has applied it.
    pub next: Offset,
}

impl Member {
    /// How it holds `partition`.
    pub fn holding(&self, partition: Partition) -> Holding {
        self.held.get(&partition).map_or(Holding::Absent, |held| held.holding)
    }
}
