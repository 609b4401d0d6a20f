//! Where partitions are to be had: a picture of the cluster that one of its nodes gave, and whom to
//! ask by it. The picture never changes; how the nodes in it fare does. Waits for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use pumice_model::hash::Hash;
use pumice_model::holding::Holding;
use pumice_model::ids::Partition;
use pumice_model::wire::RoutesBody;

use crate::builder::origin;
use crate::error::Error;
use crate::health::random;
use crate::transport::{Origin, Place};

/// A node whose turn it is is passed over when this many more requests wait at it than twice those
/// at the least busy.
const BUSY: usize = 16;

/// Somebody to ask.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its name, where a picture told it.
    pub(crate) id: Option<String>,
    pub(crate) origin: Arc<Origin>,
    far: bool,
    leaves: bool,
}

/// The picture.
#[derive(Debug)]
pub(crate) struct Routes {
    /// The servers whose addresses the client was given.
    given: Vec<Arc<Node>>,
    /// None of a server that is alone, or before anything was learned.
    nodes: Vec<Arc<Node>>,
    keys: Option<(Hash, u32)>,
    partitions: Vec<Holders>,
    turn: AtomicUsize,
}

/// Who has one partition, and whose turn it is.
#[derive(Debug)]
struct Holders {
    by_class: Vec<(Class, Arc<Node>)>,
    turn: AtomicUsize,
}

/// How good an address is for a request; the least is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// It serves the partition, and stays.
    Serves,
    /// It answers, and is about to leave.
    Leaves,
    /// It has an older state.
    HasState,
    /// It knows who has it.
    Knows,
    /// It knows, and is about to leave.
    KnowsAndLeaves,
    /// It was given to the client, by its place.
    Given(usize),
}

type Rank = (bool, bool, Class, bool);

impl Routes {
    /// Before anything was learned.
    pub(crate) fn unknown(given: Vec<Arc<Origin>>) -> Self {
        let node = |origin| Arc::new(Node { id: None, origin, far: false, leaves: false });
        Self {
            given: given.into_iter().map(node).collect(),
            nodes: Vec::new(),
            keys: None,
            partitions: Vec::new(),
            turn: AtomicUsize::new(0),
        }
    }

    /// The picture of `body`, for a client in `region`. Connections that this picture has stay.
    ///
    /// # Errors
    /// [`Error::Protocol`] when it does not read.
    pub(crate) fn next(
        &self,
        body: &RoutesBody<'_>,
        region: Option<&str>,
        scheme: &str,
        connect: impl Fn(String) -> Origin,
    ) -> Result<Self, Error> {
        let hash = body.hash.parse().map_err(Error::protocol)?;
        let mut nodes = Vec::with_capacity(body.nodes.len());
        for node in &body.nodes {
            let base = origin(&format!("{scheme}://{}", node.http)).map_err(Error::protocol)?;
            let known = self.given.iter().chain(&self.nodes).find(|n| n.origin.base == base);
            nodes.push(Arc::new(Node {
                id: Some(node.id.to_string()),
                origin: known.map_or_else(|| Arc::new(connect(base)), |n| n.origin.clone()),
                far: region.is_some_and(|region| region != node.region),
                leaves: node.draining,
            }));
        }
        let mut partitions = Vec::with_capacity(body.holders.len());
        for holders in &body.holders {
            let mut by_class = Vec::with_capacity(holders.len());
            for holder in holders {
                let node = nodes.get(holder.0).ok_or_else(|| {
                    Error::protocol(format!("a holder is node {} of {}", holder.0, nodes.len()))
                })?;
                by_class.extend(class(holder.holding(), node).map(|class| (class, node.clone())));
            }
            let turn = AtomicUsize::new(random() as usize >> 1);
            partitions.push(Holders { by_class, turn });
        }
        let (given, turn) = (self.given.clone(), AtomicUsize::new(random() as usize >> 1));
        Ok(Self { given, nodes, keys: Some((hash, body.partitions)), partitions, turn })
    }

    /// How many partitions somebody serves.
    pub(crate) fn served(&self) -> usize {
        let serves =
            |holders: &&Holders| holders.by_class.iter().any(|(c, _)| *c < Class::HasState);
        self.partitions.iter().filter(serves).count()
    }

    /// The partition of a pk, once it is known how pks are placed.
    pub(crate) fn partition(&self, pk: &str) -> Option<Partition> {
        self.keys.map(|(hash, partitions)| hash.partition(pk.as_bytes(), partitions))
    }

    /// Whether there are nodes to choose from.
    pub(crate) fn is_cluster(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Whether there is anybody who was not asked.
    pub(crate) fn has_other(&self, place: &Place, asked: &[Arc<Origin>]) -> bool {
        let nodes = if matches!(place, Place::Given) { &[][..] } else { &self.nodes[..] };
        self.given.iter().chain(nodes).any(|node| !node.was(asked))
    }

    /// Whom to ask: somebody who was not asked yet and is not known to be down, where there is such
    /// a one; then the best for the place; and those who are equally good in turn.
    pub(crate) fn pick(&self, place: &Place, asked: &[Arc<Origin>]) -> Arc<Node> {
        let now = Instant::now();
        let rank = |class, node: &Node| -> Rank {
            (node.was(asked), !node.origin.health.is_up(now), class, node.far)
        };
        let holders = self.holders(place);
        if let Some(holders) = holders {
            let ranked = holders.by_class.iter().map(|(class, node)| (rank(*class, node), node));
            if let Some(((false, false, ..), best)) = best(ranked) {
                return in_turn(&best, &holders.turn).clone();
            }
        }
        let given = self.given.iter().enumerate().map(|(at, node)| (Class::Given(at), node));
        let nodes = self.nodes.iter().map(|node| match node.leaves {
            false => (Class::Knows, node),
            true => (Class::KnowsAndLeaves, node),
        });
        let held =
            holders.into_iter().flat_map(|h| &h.by_class).map(|(class, node)| (*class, node));
        let all: Vec<(Class, &Arc<Node>)> = match place {
            Place::Given => given.collect(),
            _ => held.chain(nodes).chain(given).collect(),
        };
        let (_, best) = best(all.into_iter().map(|(class, node)| (rank(class, node), node)))
            .expect("a client was given at least one address");
        in_turn(&best, &self.turn).clone()
    }

    /// One of `chosen` that is among the best for `partition`; else as [`Routes::pick`] chooses.
    pub(crate) fn pick_among(&self, partition: Partition, chosen: &[Arc<Node>]) -> Arc<Node> {
        let (place, now) = (Place::Partition(partition), Instant::now());
        let held = self.holders(&place).into_iter().flat_map(|holders| &holders.by_class);
        let up = held.filter(|(_, node)| node.origin.health.is_up(now));
        let best = best(up.map(|(class, node)| ((false, false, *class, node.far), node)));
        let is_chosen = |node: &&&Arc<Node>| chosen.iter().any(|one| Arc::ptr_eq(one, node));
        let again = best.and_then(|(_, best)| best.iter().find(is_chosen).copied().cloned());
        again.unwrap_or_else(|| self.pick(&place, &[]))
    }

    fn holders(&self, place: &Place) -> Option<&Holders> {
        let partition = match place {
            Place::Pk(pk) => self.partition(pk)?,
            Place::Partition(partition) => *partition,
            Place::Anyone | Place::Given => return None,
        };
        self.partitions.get(partition.0 as usize)
    }
}

impl Node {
    fn was(&self, asked: &[Arc<Origin>]) -> bool {
        asked.iter().any(|origin| Arc::ptr_eq(origin, &self.origin))
    }
}

fn class(holding: Holding, node: &Node) -> Option<Class> {
    match holding {
        Holding::Serving if !node.leaves => Some(Class::Serves),
        Holding::Serving | Holding::Draining => Some(Class::Leaves),
        Holding::CatchingUp | Holding::Broken => Some(Class::HasState),
        Holding::Absent | Holding::Restoring => None,
    }
}

/// The best rank, and all who have it.
fn best<'n>(
    ranked: impl Iterator<Item = (Rank, &'n Arc<Node>)>,
) -> Option<(Rank, Vec<&'n Arc<Node>>)> {
    let mut best: Option<(Rank, Vec<&Arc<Node>>)> = None;
    for (rank, node) in ranked {
        match &mut best {
            Some((known, _)) if *known < rank => {}
            Some((known, nodes)) if *known == rank => nodes.push(node),
            _ => best = Some((rank, vec![node])),
        }
    }
    best
}

/// The next in turn, unless answers come so slowly from there that requests pile up.
fn in_turn<'n>(nodes: &[&'n Arc<Node>], turn: &AtomicUsize) -> &'n Arc<Node> {
    let next = nodes[turn.fetch_add(1, Ordering::Relaxed) % nodes.len()];
    let least = nodes.iter().min_by_key(|node| node.origin.under_way()).unwrap_or(&next);
    let bound = 2 * least.origin.under_way() + BUSY;
    if next.origin.under_way() > bound { least } else { next }
}
