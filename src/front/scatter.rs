//! Reads of many keys that are not all answered here: one request to each node that has some of
//! them, put together in the order asked. What nobody could be asked for is named, and never taken
//! for missing. On the core that serves the request.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, Method, Uri};
use pumice_model::ids::Partition;
use pumice_model::wire::{self, code};

use super::answer::{Answer, header_value, put_string};
use super::context::Context;
use super::elsewhere::{self, Outgoing, Tried};
use super::keys::{KeyStyle, Keys};
use super::problem::Problem;
use super::read;
use super::wants::Wants;
use crate::mesh::routes::Routes;
use crate::stats::progress::Lag;

/// Bytes of records that one request gathers at most: unlike an answer made here, this one is held
/// whole, since its head names what is missing.
const GATHERED_MAX: usize = 64 << 20;
/// Bytes of the field that names what is unavailable: what common proxies take, with room to spare.
const NAMED_MAX: usize = 4 << 10;

/// A pk and an sk.
pub type Key<'k> = (&'k str, &'k str);

/// What became of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// Its element of the answer.
    Found(Bytes),
    /// It is certain not to be there; its element, if it has one.
    Missing(Bytes),
    /// Nobody could be asked.
    Unavailable,
}

/// How a route says it.
pub struct Dialect {
    /// The route, which is the same at every node.
    pub path: &'static str,
    /// What a request begins with, up to its first key.
    pub head: &'static str,
    /// How an answer is written.
    pub style: KeyStyle,
    /// Reads an answer; `None` when it is none to these keys.
    pub read: fn(&Bytes, &[Key<'_>]) -> Option<Vec<Got>>,
    /// Writes the element of a key that is unavailable, if it has one.
    pub unavailable: fn(&mut Vec<u8>, Key<'_>) -> bool,
    /// Makes an answer of its body.
    pub answer: fn(Vec<u8>) -> Answer,
}

/// Where a key may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// From what this node has.
    Here,
    /// At a node, by its place in the routes.
    At(usize),
}

/// One request on its way.
struct Scatter<'s> {
    context: &'s Rc<Context>,
    routes: Arc<Routes>,
    wants: &'s Wants,
    headers: &'s HeaderMap,
    dialect: &'s Dialect,
    keys: &'s Keys,
    /// Of each key.
    partitions: Vec<Partition>,
    /// Where each partition is still to be tried, the best first.
    plans: BTreeMap<Partition, VecDeque<Place>>,
    got: Vec<Option<Got>>,
    lag: Lag,
    tried: Tried,
}

/// What one place gave.
struct Part {
    got: Vec<Got>,
    lag: Lag,
}

/// Answers a read of keys that are not all to be answered here; `None` is one that is, after it
/// has waited for what it wants.
pub async fn get(
    context: &Rc<Context>,
    wants: &Wants,
    headers: &HeaderMap,
    keys: &Keys,
    dialect: &Dialect,
) -> Result<Option<Answer>, Problem> {
    let Some(routes) = context.routes() else {
        wants.wait(context, &keys.partitions()).await?;
        return Ok(None);
    };
    let partitions: Vec<Partition> = (0..keys.count()).map(|number| keys.key(number).0).collect();
    let all: BTreeSet<Partition> = partitions.iter().copied().collect();
    let listed: Vec<Partition> = all.iter().copied().collect();
    let here = |partition: &Partition| match wants.is_forwarded {
        true => context.has_state(*partition).is_ok(),
        false => context.answers(*partition) && wants.are_met(context, *partition),
    };
    if all.iter().all(here) {
        wants.wait(context, &listed).await?;
        return Ok(None);
    }
    let plan = |partition: &Partition| (*partition, plan(context, &routes, wants, *partition));
    let mut scatter = Scatter {
        context,
        plans: all.iter().map(plan).collect(),
        routes: routes.clone(),
        wants,
        headers,
        dialect,
        keys,
        partitions,
        got: vec![None; keys.count()],
        lag: Lag::None,
        tried: Tried::default(),
    };
    scatter.run().await?;
    scatter.answer().map(Some)
}

/// Where a partition is to be tried: here where it is answered, else at the others, and at the last
/// from what there is of it.
pub fn plan(
    context: &Context,
    routes: &Routes,
    wants: &Wants,
    partition: Partition,
) -> VecDeque<Place> {
    let here = context.has_state(partition).is_ok();
    if wants.is_forwarded || (context.answers(partition) && wants.are_met(context, partition)) {
        return here.then_some(Place::Here).into_iter().collect();
    }
    let others = elsewhere::others(context, routes, partition, wants).into_iter().map(Place::At);
    others.chain(here.then_some(Place::Here)).collect()
}

impl Scatter<'_> {
    /// Asks every place at once for what it is the first to be asked for, until nothing is left to
    /// ask or nobody is left.
    async fn run(&mut self) -> Result<(), Problem> {
        loop {
            let groups = self.groups();
            let Some(tries) = self.tries_left() else { return Ok(()) };
            let now = Instant::now();
            let left = self.wants.deadline.saturating_duration_since(now);
            let until = now + left / tries;
            let parts = groups.iter().map(|(place, indexes)| self.part(*place, indexes, until));
            let parts = join_all(parts).await;
            for ((place, indexes), part) in groups.into_iter().zip(parts) {
                self.take(place, &indexes, part?);
            }
        }
    }

    /// What is still to be read, by the place that is asked next.
    fn groups(&mut self) -> BTreeMap<Place, Vec<usize>> {
        let mut groups: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        for (index, got) in self.got.iter_mut().enumerate().filter(|(_, got)| got.is_none()) {
            match self.plans[&self.partitions[index]].front() {
                Some(place) => groups.entry(*place).or_default().push(index),
                None => *got = Some(Got::Unavailable),
            }
        }
        groups
    }

    /// How many more rounds there can be; `None` when there is nothing left to read.
    fn tries_left(&self) -> Option<u32> {
        let pending = self.got.iter().enumerate().filter(|(_, got)| got.is_none());
        pending.map(|(index, _)| self.plans[&self.partitions[index]].len() as u32).max()
    }

    fn take(&mut self, place: Place, indexes: &[usize], part: Result<Part, Tried>) {
        let mut failed: BTreeSet<Partition> = BTreeSet::new();
        match part {
            Ok(part) => {
                self.lag = self.lag.max(part.lag);
                for (index, got) in indexes.iter().zip(part.got) {
                    if got == Got::Unavailable {
                        failed.insert(self.partitions[*index]);
                    } else {
                        self.got[*index] = Some(got);
                    }
                }
            }
            Err(tried) => {
                self.tried.add(tried);
                failed.extend(indexes.iter().map(|index| self.partitions[*index]));
            }
        }
        for partition in failed {
            if let Some(plan) = self.plans.get_mut(&partition)
                && plan.front() == Some(&place)
            {
                plan.pop_front();
            }
        }
    }

    async fn part(
        &self,
        place: Place,
        indexes: &[usize],
        until: Instant,
    ) -> Result<Result<Part, Tried>, Problem> {
        match place {
            Place::Here => self.here(indexes).await,
            Place::At(node) => Ok(self.at(node, indexes, until).await),
        }
    }

    async fn here(&self, indexes: &[usize]) -> Result<Result<Part, Tried>, Problem> {
        let all: BTreeSet<Partition> = indexes.iter().map(|i| self.partitions[*i]).collect();
        let all: Vec<Partition> = all.into_iter().collect();
        self.wants.wait(self.context, &all).await?;
        let asked = indexes.iter().map(|index| self.key(*index));
        let bytes = asked.clone().map(|(pk, sk)| pk.len() + sk.len()).sum();
        let mut keys = Keys::with_room(self.context, indexes.len(), bytes);
        asked.for_each(|(pk, sk)| keys.push(pk, sk));
        let body = match keys.body(self.dialect.style) {
            Ok(body) => body.whole(GATHERED_MAX).await.map_err(|cut| Tried::here(&cut)),
            // Let go of a moment ago.
            Err(problem) if problem.code == code::MOVED => Err(Tried::here(&problem.message)),
            Err(problem) => return Err(problem),
        };
        let lag = all.iter().map(|partition| self.context.lag(*partition)).max();
        let lag = lag.unwrap_or(Lag::None);
        Ok(body.and_then(|body| match self.read(&body, indexes) {
            Some(got) => Ok(Part { got, lag }),
            None => Err(Tried::here(&"what is here does not read")),
        }))
    }

    async fn at(&self, node: usize, indexes: &[usize], until: Instant) -> Result<Part, Tried> {
        let (node, context) = (&self.routes.nodes[node], self.context);
        let mut body = self.dialect.head.as_bytes().to_vec();
        for (nth, index) in indexes.iter().enumerate() {
            let (pk, sk) = self.key(*index);
            put_string(&mut body, if nth == 0 { "{\"pk\":" } else { ",{\"pk\":" }, pk);
            put_string(&mut body, ",\"sk\":", sk);
            body.push(b'}');
        }
        body.extend_from_slice(b"]}");
        let target = Uri::from_static(self.dialect.path);
        let outgoing = Outgoing::new(context, Method::POST, target, self.headers);
        let outgoing = outgoing.without(&ACCEPT_ENCODING).with(body.into());
        let wants = self.wants.clone().until(until);
        let (headers, body) =
            elsewhere::whole(context, node, &outgoing, &wants, GATHERED_MAX).await?;
        let strange = || Tried::failed(node, &"its answer does not read");
        let mut got = self.read(&body, indexes).ok_or_else(strange)?;
        if let Some(named) = headers.get(wire::UNAVAILABLE) {
            let named = named.to_str().ok().and_then(|text| wire::parse_indexes(text, got.len()));
            for index in named.ok_or_else(strange)? {
                *got.get_mut(index).ok_or_else(strange)? = Got::Unavailable;
            }
        }
        Ok(Part { got, lag: elsewhere::lag(&headers) })
    }

    fn key(&self, index: usize) -> Key<'_> {
        let (_, pk, sk) = self.keys.key(index);
        (pk, sk)
    }

    fn read(&self, body: &Bytes, indexes: &[usize]) -> Option<Vec<Got>> {
        let keys: Vec<Key<'_>> = indexes.iter().map(|index| self.key(*index)).collect();
        (self.dialect.read)(body, &keys)
    }

    fn answer(self) -> Result<Answer, Problem> {
        let Dialect { style, unavailable, answer, .. } = self.dialect;
        let mut body = style.head.as_bytes().to_vec();
        let (mut missing, mut unreached) = (0_u64, Vec::new());
        let begin = body.len();
        for (index, got) in self.got.iter().enumerate() {
            let before = body.len();
            if before > begin {
                body.push(b',');
            }
            let wrote = match got {
                Some(Got::Found(element)) => put(&mut body, element),
                Some(Got::Missing(element)) => {
                    missing += 1;
                    put(&mut body, element)
                }
                Some(Got::Unavailable) | None => {
                    unreached.push(index);
                    unavailable(&mut body, self.key(index))
                }
            };
            if !wrote {
                body.truncate(before);
            }
            if body.len() > GATHERED_MAX {
                return Err(too_much());
            }
        }
        if unreached.len() == self.keys.count() {
            let first = unreached.first().map_or(Partition(0), |index| self.partitions[*index]);
            return Err(self.tried.problem(first));
        }
        body.extend_from_slice(style.tail.as_bytes());
        let count = unreached.len();
        let named = wire::format_indexes(unreached);
        if named.len() > NAMED_MAX {
            return Err(Problem::unavailable(format!(
                "{count} of the keys cannot be read now, too many to name: ask for fewer at once"
            )));
        }
        let mut answer = answer(body);
        let headers = answer.headers_mut();
        headers.insert(wire::MISSING, missing.into());
        if !named.is_empty() {
            headers.insert(wire::UNAVAILABLE, header_value(named));
        }
        Ok(read::saying_lag(answer, self.lag))
    }
}

fn put(out: &mut Vec<u8>, element: &Bytes) -> bool {
    out.extend_from_slice(element);
    !element.is_empty()
}

fn too_much() -> Problem {
    let most = GATHERED_MAX >> 20;
    Problem::limit(format!("the records are more than {most} MiB: ask for fewer at once"))
}
