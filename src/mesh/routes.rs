//! Where every partition is to be had: an immutable picture that the cluster's thread makes and
//! every core is sent. A core asks it for a holder and never waits for it.

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};

/// One picture of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Which picture: higher is later, on one node.
    pub version: u64,
    /// Every member that answers, this node too, by id.
    pub nodes: Vec<Node>,
    /// Which of them this node is.
    pub me: usize,
    /// Who has each partition, by its number; this node too.
    pub holders: Vec<Vec<Holder>>,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// Where it stands; reads prefer their own.
    pub region: String,
    /// Which copy of everything it is a part of.
    pub group: String,
    /// `HOST:PORT` of its public port.
    pub http: String,
    /// Whether it is about to leave.
    pub draining: bool,
}

/// A member that has a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// By its place in [`Routes::nodes`].
    pub node: usize,
    /// How it holds it.
    pub holding: Holding,
    /// How far it has applied it, as it last said.
    pub next: Offset,
}

impl Routes {
    /// The others that can be asked for `partition`, best first: those that answer before those
    /// that only have an older state, those that stay before those that leave, this node's region
    /// before others, and then the furthest.
    pub fn others(&self, partition: Partition) -> Vec<&Holder> {
        let mine = self.nodes.get(self.me).map(|me| me.region.as_str());
        let held = self.holders.get(partition.0 as usize).map_or(&[][..], Vec::as_slice);
        let mut others: Vec<&Holder> = held
            .iter()
            .filter(|holder| holder.node != self.me && holder.holding.has_state())
            .collect();
        others.sort_by_key(|holder| {
            let node = self.nodes.get(holder.node);
            let leaves = holder.holding == Holding::Draining || node.is_some_and(|n| n.draining);
            let far = node.map(|node| node.region.as_str()) != mine;
            (!holder.holding.answers(), leaves, far, u64::MAX - holder.next.0)
        });
        others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str, region: &str) -> Node {
        let (id, region, group) = (id.to_owned(), region.to_owned(), "a".to_owned());
        Node { id, region, group, http: String::new(), draining: false }
    }

    #[test]
    fn the_best_other_comes_first() {
        let nodes = ["me:eu", "far:us", "near:eu", "late:eu", "old:eu", "gone:eu"]
            .map(|name| name.split_once(':').map(|(id, region)| node(id, region)))
            .into_iter()
            .flatten()
            .collect();
        let holder = |node, holding, next| Holder { node, holding, next: Offset(next) };
        let holders = vec![vec![
            holder(0, Holding::CatchingUp, 9),
            holder(1, Holding::Serving, 9),
            holder(2, Holding::Serving, 8),
            holder(3, Holding::Serving, 7),
            holder(4, Holding::CatchingUp, 9),
            holder(5, Holding::Restoring, 0),
        ]];
        let routes = Routes { version: 1, nodes, me: 0, holders };
        let order: Vec<usize> = routes.others(Partition(0)).iter().map(|h| h.node).collect();
        assert_eq!(order, [2, 3, 1, 4]);
        assert!(routes.others(Partition(1)).is_empty());
    }
}
