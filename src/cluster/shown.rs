//! (pure) The view as the admin port shows it.

use std::collections::BTreeMap;

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use pumice_model::wire::{
    ClusterBody, ClusterHolder, ClusterMember, ClusterPartition, HoldingCounts,
};

use super::view::{Member, View};

/// Whose view it is.
pub struct Eyes<'a> {
    /// The name of the data set.
    pub namespace: &'a str,
    /// How many partitions it has.
    pub partitions: u32,
    /// The node that sees.
    pub me: &'a str,
    /// Why the cluster keeps it from being ready.
    pub unready: Option<&'a str>,
    /// Whether it is about to leave.
    pub leaving: bool,
    /// Whether others serve all that it serves.
    pub may_leave: bool,
}

/// The body of `/v1/cluster`. `end` is what this node heard of a partition's log.
pub fn body(
    eyes: &Eyes<'_>,
    view: &View,
    end: impl Fn(Partition) -> Option<Offset>,
) -> ClusterBody {
    let mut holders: BTreeMap<Partition, Vec<ClusterHolder>> = BTreeMap::new();
    for (id, member) in view.iter().filter(|(_, member)| member.alive) {
        for (partition, held) in &member.held {
            let (node, state) = (id.clone(), held.holding.word().to_owned());
            let holder = ClusterHolder { node, state, next: held.next.0, lag: 0 };
            holders.entry(*partition).or_default().push(holder);
        }
    }
    let partition = |number: u32| {
        let mut holders = holders.remove(&Partition(number)).unwrap_or_default();
        let furthest = holders.iter().map(|holder| holder.next).max().unwrap_or(0);
        let end = end(Partition(number)).map_or(furthest, |end| end.0.max(furthest));
        holders.iter_mut().for_each(|holder| holder.lag = end - holder.next);
        ClusterPartition { partition: number, end, holders }
    };
    ClusterBody {
        namespace: eyes.namespace.to_owned(),
        node: eyes.me.to_owned(),
        unready: eyes.unready.map(str::to_owned),
        leaving: eyes.leaving,
        may_leave: eyes.leaving && eyes.may_leave,
        members: view.iter().map(member).collect(),
        partitions: (0..eyes.partitions).map(partition).collect(),
    }
}

fn member((id, member): (&String, &Member)) -> ClusterMember {
    let mut partitions = HoldingCounts::default();
    for held in member.held.values() {
        let count = match held.holding {
            Holding::Absent => continue,
            Holding::Restoring => &mut partitions.restoring,
            Holding::CatchingUp => &mut partitions.catching_up,
            Holding::Serving => &mut partitions.serving,
            Holding::Draining => &mut partitions.draining,
            Holding::Broken => &mut partitions.broken,
        };
        *count += 1;
    }
    ClusterMember {
        id: id.clone(),
        region: member.region.clone(),
        replica_group: member.group.clone(),
        http: member.http.clone(),
        admin: member.admin.clone(),
        incarnation: member.incarnation,
        alive: member.alive,
        since_ms: u64::try_from(member.since.as_millis()).unwrap_or(u64::MAX),
        draining: member.draining || member.ending,
        clock_off_ms: member.clock_off,
        load: member.load,
        partitions,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::view::Held;

    #[test]
    fn a_partition_is_as_far_as_anybody_knows() {
        let member = |alive: bool, held: &[(u32, Holding, u64)]| Member {
            incarnation: 7,
            region: "eu".to_owned(),
            group: "a".to_owned(),
            http: "h:1".to_owned(),
            admin: "h:2".to_owned(),
            draining: false,
            ending: false,
            clock_off: -5,
            load: 3,
            held: held
                .iter()
                .map(|(p, holding, next)| {
                    (Partition(*p), Held { holding: *holding, next: Offset(*next) })
                })
                .collect(),
            alive,
            since: Duration::from_secs(2),
        };
        let view = View::from([
            ("a".to_owned(), member(true, &[(0, Holding::Serving, 90), (1, Holding::Broken, 4)])),
            ("b".to_owned(), member(true, &[(0, Holding::CatchingUp, 40)])),
            ("c".to_owned(), member(false, &[(0, Holding::Serving, 99)])),
        ]);
        let eyes = Eyes {
            namespace: "n",
            partitions: 3,
            me: "a",
            unready: None,
            leaving: true,
            may_leave: false,
        };
        let body = body(&eyes, &view, |p| (p.0 == 0).then_some(Offset(100)));
        let lags = |p: usize| -> Vec<(&str, &str, u64)> {
            let holders = body.partitions[p].holders.iter();
            holders.map(|h| (h.node.as_str(), h.state.as_str(), h.lag)).collect()
        };
        assert_eq!(lags(0), [("a", "serving", 10), ("b", "catching-up", 60)]);
        assert_eq!((body.partitions[0].end, lags(1)), (100, vec![("a", "broken", 0)]));
        assert!(body.partitions[2].holders.is_empty());
        let counts = HoldingCounts { serving: 1, broken: 1, ..HoldingCounts::default() };
        assert_eq!(body.members[0].partitions, counts);
        assert!(!body.members[2].alive);
    }
}
