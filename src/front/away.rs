//! Reads of one record that other nodes answer: those of one receive go together, in one request
//! to each holder, and are told as the holder answered them. On the core of the connection; what
//! does not come back soon, or at all, is left to be asked for alone, as any other read is.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use pumice_model::ids::Partition;

use super::context::Context;
use super::elsewhere::{self, Outgoing};
use super::looks::read_keys;
use super::shorts;
use super::wants::Wants;
use crate::mesh::routes::{Node, Routes};
use crate::net::{Asking, Short};
use crate::stats::route::{Route, STATUSES, status_index};

/// The route that answers them.
const LOOK: &str = "/v1/records:look";

/// Bytes of records that one request is answered with at most: what is beyond is asked for alone,
/// and comes as its client takes it.
pub const TOGETHER_MAX: usize = 256 << 10;

/// Bytes of an answer: the records, and what is said of them.
const ANSWER_MAX: usize = 2 * TOGETHER_MAX;

/// Reads gathered and not sent yet. One a core.
#[derive(Default)]
pub struct Away {
    /// The picture that `best` was read from.
    version: u64,
    /// Whom to ask for each partition, where that was looked up.
    best: Vec<Option<Best>>,
    batches: Vec<Batch>,
    keys: String,
    decoded: Vec<u8>,
}

/// Whom to ask for a partition: a node by its place in the routes, if there is any.
type Best = Option<usize>;

/// Reads that one holder is asked for.
struct Batch {
    node: usize,
    /// What the connection knows them by.
    ids: Vec<u32>,
    /// Their paths, a line each.
    targets: String,
}

/// What became of one request to a holder.
pub struct Told {
    ids: Vec<u32>,
    targets: Bytes,
    answer: Option<Bytes>,
    took: Duration,
}

impl Away {
    /// Gathers a read of one record; false when it is none that others can answer with many.
    pub fn note(&mut self, context: &Context, id: u32, target: &str) -> bool {
        let routes = context.routes.borrow();
        let Some(routes) = routes.as_deref() else { return false };
        self.keys.clear();
        let Some(middle) = read_keys(&mut self.keys, &mut self.decoded, target) else {
            return false;
        };
        let partition = context.partition(&self.keys[..middle]);
        let Some(node) = self.best(context, routes, partition) else { return false };
        if !context.elsewhere.is_well(&routes.nodes[node]) {
            return false;
        }
        let known = self.batches.iter_mut().position(|batch| batch.node == node);
        let place = known.unwrap_or_else(|| {
            self.batches.push(Batch { node, ids: Vec::new(), targets: String::new() });
            self.batches.len() - 1
        });
        let batch = &mut self.batches[place];
        batch.ids.push(id);
        batch.targets.push_str(target);
        batch.targets.push('\n');
        true
    }

    fn best(&mut self, context: &Context, routes: &Routes, partition: Partition) -> Best {
        if context.answers(partition) {
            return None;
        }
        if self.version != routes.version || self.best.len() != routes.holders.len() {
            self.version = routes.version;
            context.elsewhere.weed(routes);
            self.best.clear();
            self.best.resize(routes.holders.len(), None);
        }
        let best = self.best.get_mut(partition.0 as usize)?;
        *best.get_or_insert_with(|| {
            let first = routes.others(partition).into_iter().find(|one| one.holding.answers());
            first.map(|holder| holder.node).filter(|node| *node < routes.nodes.len())
        })
    }

    /// Asks for all that was gathered.
    pub fn ask(&mut self, context: &Rc<Context>) -> Vec<Asking<Told>> {
        if self.batches.is_empty() {
            return Vec::new();
        }
        let routes = context.routes();
        let asked = self.batches.drain(..).map(|batch| {
            let node = routes.as_ref().and_then(|routes| routes.nodes.get(batch.node)).cloned();
            Box::pin(batch.ask(Rc::clone(context), node)) as Asking<Told>
        });
        asked.collect()
    }
}

impl Batch {
    async fn ask(self, context: Rc<Context>, node: Option<Node>) -> Told {
        let began = Instant::now();
        let Self { ids, targets, .. } = self;
        let targets = Bytes::from(targets);
        let answer = match node {
            Some(node) => ask(&context, &node, targets.clone()).await,
            None => None,
        };
        Told { ids, targets, answer, took: began.elapsed() }
    }
}

/// A holder that is late is given up: each read of it goes on alone, to another as well.
async fn ask(context: &Context, node: &Node, targets: Bytes) -> Option<Bytes> {
    // Pace is that of heads; the body of a far holder takes another round trip.
    let late = Instant::now() + 2 * context.elsewhere.late();
    let wants = Wants::nothing(late);
    let outgoing = Outgoing::new(context, Method::POST, Uri::from_static(LOOK), &HeaderMap::new());
    let asked = elsewhere::whole(context, node, &outgoing.with(targets), &wants, ANSWER_MAX).await;
    asked.ok().map(|(_, answer)| answer)
}

impl Told {
    /// Tells each read's answer by its id, or its target where none came.
    pub fn tell(&self, context: &Context, with: &mut dyn FnMut(u32, Result<&Short<'_>, &str>)) {
        let mut is_told = vec![false; self.ids.len()];
        let mut counts = [0; STATUSES.len()];
        shorts::each(self.answer.as_deref().unwrap_or_default(), |number, short| {
            let number = usize::from(number);
            // A holder that tells one twice, or what nobody asked, is not believed.
            if let Some(false) = is_told.get(number) {
                is_told[number] = true;
                counts[status_index(short.status)] += 1;
                with(self.ids[number], Ok(short));
            }
        });
        context.stats.answered_together(Route::Get, &counts, self.took);
        let elsewhere = &context.stats.elsewhere;
        elsewhere.together.add(1);
        // The request that carried them has counted as one.
        elsewhere.answered.add(counts.iter().sum::<u64>().saturating_sub(1));
        if !is_told.contains(&false) {
            return;
        }
        let targets = str::from_utf8(&self.targets).unwrap_or_default().lines();
        for ((id, is_told), target) in self.ids.iter().zip(is_told).zip(targets) {
            if !is_told {
                with(*id, Err(target));
            }
        }
    }
}
