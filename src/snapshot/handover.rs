//! (pure) Where a partition that a node takes over is restored from, best first: a function of the
//! setting, the routes and whether there are objects.

use pumice_model::holding::Holding;
use pumice_model::ids::Partition;

use crate::mesh::routes::{Holder, Routes};
use crate::settings::Handover;

/// Holders that are asked in one go: who has failed twice before fails for a reason of our own.
const ASKED_MAX: usize = 3;

/// One way to have a partition restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The newest snapshot in the objects.
    Objects,
    /// These members, one after the other, by their place in [`Routes::nodes`].
    Holders(Vec<usize>),
}

/// The ways to restore `partition`, in order; the log's replay is what is left when all fail,
/// unless the log `has_gap`: its beginning is gone.
pub fn sources(
    handover: Handover,
    routes: &Routes,
    partition: Partition,
    has_objects: bool,
    has_gap: bool,
) -> Vec<Source> {
    let (near, far) = holders(routes, partition, Holding::answers);
    // Behind themselves, and yet not behind what the log still has.
    let late = if has_gap {
        let (near, far) = holders(routes, partition, |holding| holding == Holding::CatchingUp);
        [near, far].concat()
    } else {
        Vec::new()
    };
    let objects = has_objects.then_some(Source::Objects);
    let some = |holders: Vec<usize>| {
        let first = holders.into_iter().take(ASKED_MAX).collect::<Vec<_>>();
        (!first.is_empty()).then_some(Source::Holders(first))
    };
    let ways = match handover {
        Handover::Snapshot => [objects, None, None, None],
        Handover::Stream => [some([near, far].concat()), objects, None, some(late)],
        Handover::Auto => [some(near), objects, some(far), some(late)],
    };
    ways.into_iter().flatten().collect()
}

/// The others that have `partition` in such a way: those of this node's region and those of others,
/// each with those that stay before those that leave, and then the furthest first.
fn holders(
    routes: &Routes,
    partition: Partition,
    which: impl Fn(Holding) -> bool,
) -> (Vec<usize>, Vec<usize>) {
    let mine = routes.nodes.get(routes.me).map(|me| me.region.as_str());
    let region = |holder: &Holder| routes.nodes.get(holder.node).map(|n| n.region.as_str());
    let others = routes.others(partition).into_iter();
    let mut others: Vec<_> = others.filter(|holder| which(holder.holding)).collect();
    others.sort_by_key(|holder| {
        let leaves = routes.nodes.get(holder.node).is_none_or(|node| node.draining);
        (leaves, u64::MAX - holder.next.0)
    });
    let (near, far): (Vec<_>, Vec<_>) = others.into_iter().partition(|h| region(h) == mine);
    let nodes = |holders: Vec<&Holder>| holders.into_iter().map(|holder| holder.node).collect();
    (nodes(near), nodes(far))
}

#[cfg(test)]
mod tests {
    use pumice_model::ids::Offset;

    use super::*;
    use crate::mesh::routes::Node;

    const P: Partition = Partition(0);

    /// Members as `region`, or `region!` for one that leaves, each with how it holds the partition;
    /// the first is this node.
    fn routes(members: &[(&str, Holding, u64)]) -> Routes {
        let node = |(nth, (region, ..)): (usize, &(&str, Holding, u64))| Node {
            id: format!("n{nth}"),
            region: region.trim_end_matches('!').to_owned(),
            group: "a".to_owned(),
            http: String::new(),
            draining: region.ends_with('!'),
        };
        let holder = |(node, (_, holding, next)): (usize, &(&str, Holding, u64))| Holder {
            node,
            holding: *holding,
            next: Offset(*next),
        };
        let holders = vec![members.iter().enumerate().map(holder).collect()];
        Routes { version: 1, nodes: members.iter().enumerate().map(node).collect(), me: 0, holders }
    }

    #[test]
    fn the_setting_says_where_from() {
        use Holding::{Absent, Broken, CatchingUp, Restoring, Serving};
        use Source::{Holders, Objects};
        let me = ("eu", Restoring, 0);
        let nobody = routes(&[me, ("eu", Absent, 0), ("eu", CatchingUp, 9), ("us", Broken, 9)]);
        let far = routes(&[me, ("us", Serving, 5)]);
        let both = routes(&[me, ("us", Serving, 5), ("eu", Serving, 4)]);
        let table = [
            // Without objects, and with.
            (Handover::Snapshot, &both, vec![], vec![Objects]),
            (Handover::Snapshot, &nobody, vec![], vec![Objects]),
            (Handover::Stream, &nobody, vec![], vec![Objects]),
            (Handover::Stream, &far, vec![Holders(vec![1])], vec![Holders(vec![1]), Objects]),
            (
                Handover::Stream,
                &both,
                vec![Holders(vec![2, 1])],
                vec![Holders(vec![2, 1]), Objects],
            ),
            (Handover::Auto, &nobody, vec![], vec![Objects]),
            (Handover::Auto, &far, vec![Holders(vec![1])], vec![Objects, Holders(vec![1])]),
            (
                Handover::Auto,
                &both,
                vec![Holders(vec![2]), Holders(vec![1])],
                vec![Holders(vec![2]), Objects, Holders(vec![1])],
            ),
        ];
        for (nth, (handover, routes, without, with)) in table.into_iter().enumerate() {
            assert_eq!(sources(handover, routes, P, false, false), without, "row {nth}");
            assert_eq!(sources(handover, routes, P, true, false), with, "row {nth}");
        }
    }

    #[test]
    fn who_stays_and_is_far_ahead_is_asked_first_and_not_everybody() {
        use Holding::{Draining, Serving};
        let members = [
            ("eu", Serving, 99),
            ("eu!", Serving, 9),
            ("eu", Draining, 7),
            ("eu", Serving, 8),
            ("eu", Serving, 3),
        ];
        let asked = sources(Handover::Auto, &routes(&members), P, false, false);
        assert_eq!(asked, [Source::Holders(vec![3, 2, 4])]);
    }

    #[test]
    fn who_is_late_will_do_where_the_log_has_a_gap() {
        use Holding::{Broken, CatchingUp, Restoring, Serving};
        let late = [("eu", Restoring, 0), ("us", CatchingUp, 9), ("eu", CatchingUp, 7)];
        let asked = |handover, gap| sources(handover, &routes(&late), P, true, gap);
        assert_eq!(asked(Handover::Auto, false), [Source::Objects]);
        for handover in [Handover::Auto, Handover::Stream] {
            assert_eq!(asked(handover, true), [Source::Objects, Source::Holders(vec![2, 1])]);
        }
        assert_eq!(asked(Handover::Snapshot, true), [Source::Objects]);
        let served = [("eu", Restoring, 0), ("eu", Serving, 3), ("eu", Broken, 9)];
        let asked = sources(Handover::Auto, &routes(&served), P, false, true);
        assert_eq!(asked, [Source::Holders(vec![1])]);
    }
}
