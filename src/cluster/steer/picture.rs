//! (pure) What a view says at one moment: where every partition is to be had, and whether this
//! node's clock can be trusted.

use pumice_model::ids::Partition;
use pumice_model::time::Millis;

use crate::cluster::view::{Member, View};
use crate::mesh::routes::{Holder, Node, Routes};

/// A clock that is further off than this is wrong: NTP keeps one within a fraction of a second, and
/// what expires may do so early or late by as much.
const CLOCK_OFF_MS: Millis = 30_000;
/// With fewer peers nobody can tell whose clock is wrong, and a newcomer's must not stop its peer.
const JUDGES: usize = 2;

/// Where every partition is to be had: at the members that are alive, and at `me`.
pub fn routes(view: &View, me: &str, version: u64, partitions: u32) -> Routes {
    let members = || view.iter().filter(|(id, member)| member.alive || *id == me);
    let nodes: Vec<Node> = members()
        .map(|(id, member)| Node {
            id: id.clone(),
            region: member.region.clone(),
            group: member.group.clone(),
            http: member.http.clone(),
            draining: member.draining || member.ending,
        })
        .collect();
    let holders = |partition| {
        let held = |(node, (_, member)): (usize, (_, &Member))| {
            let held = member.held.get(&partition)?;
            Some(Holder { node, holding: held.holding, next: held.next })
        };
        members().enumerate().filter_map(held).collect()
    };
    Routes {
        version,
        me: nodes.iter().position(|node| node.id == me).unwrap_or(usize::MAX),
        holders: (0..partitions).map(Partition).map(holders).collect(),
        nodes,
    }
}

/// Why this node's clock is not to be trusted, for the one line that says so: it is far from the
/// median of its peers' that are alive. Of two middle ones the nearer counts.
pub fn clock_fault(view: &View, me: &str) -> Option<String> {
    let peers = view.iter().filter(|(id, member)| member.alive && *id != me);
    let mut off: Vec<Millis> = peers.map(|(_, member)| member.clock_off).collect();
    if off.len() < JUDGES {
        return None;
    }
    off.sort_unstable();
    let middle = [off[(off.len() - 1) / 2], off[off.len() / 2]];
    let median = middle.into_iter().min_by_key(|off| off.unsigned_abs())?;
    if median.unsigned_abs() <= CLOCK_OFF_MS.unsigned_abs() {
        return None;
    }
    let (seconds, word) =
        (median.unsigned_abs() / 1_000, if median > 0 { "behind" } else { "ahead of" });
    Some(format!(
        "the clock of this node is {seconds} s {word} the median of its {} peers: set it, and keep \
         it with NTP",
        off.len()
    ))
}
