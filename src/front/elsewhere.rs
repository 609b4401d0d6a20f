//! Requests for partitions that are not answered here: sent as they are to the nodes that hold
//! them, and their answers passed back. On the core that serves the request; a request is sent on
//! once, and a write never to a second node that may have it already.

use std::cell::Cell;
use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::Either;
use futures_util::stream::FuturesUnordered;
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use pumice_model::ids::{Offset, Partition};
use pumice_model::limits::WRITE_WAIT_MS;
use pumice_model::wire;

use super::answer::Answer;
use super::body::Body;
use super::context::Context;
use super::pace::Pace;
use super::problem::Problem;
use super::wants::Wants;
use crate::mesh::routes::{Node, Routes};
use crate::peer::{self, PeerFault, Pool};
use crate::rt;
use crate::stats::progress::Lag;

/// Nodes that are asked for one request at most.
const TRIES: usize = 4;
/// How long a write may take at another node: as long as it waits for its outcome there, and the
/// way.
const WRITE_TIME: Duration = Duration::from_millis(WRITE_WAIT_MS + 2_000);

/// What a client's request tells the node that answers it.
const SENT: [HeaderName; 5] =
    [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, CONTENT_TYPE, ACCEPT_ENCODING];
const SENT_OURS: [&str; 3] = [wire::MIN_OFFSETS, wire::MAX_LAG_MS, wire::WRITE_ID];
/// What its answer tells the client. All else is of the connection, or ours to say.
const TOLD: [HeaderName; 5] = [CONTENT_TYPE, CONTENT_ENCODING, ETAG, LAST_MODIFIED, RETRY_AFTER];
const TOLD_OURS: [&str; 5] =
    [wire::LAG_MS, wire::OFFSETS, wire::MISSING, wire::UNAVAILABLE, wire::NODE];

/// The other nodes as one core's requests see them.
#[derive(Default)]
pub struct Elsewhere {
    pool: Pool,
    pace: Pace,
    /// The picture by which the pool was last weeded.
    version: Cell<u64>,
}

/// A request as it is sent on.
#[derive(Clone)]
pub struct Outgoing {
    method: Method,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Who was asked in vain, and the best that is known of the partition nevertheless.
pub struct Tried {
    who: Vec<String>,
    best: Lag,
}

/// What came of a write that was sent on.
pub enum Sent {
    /// It is answered.
    Answered(Answer),
    /// It is certain that nothing was appended.
    Nothing(Tried),
    /// It may be appended or not.
    Unknown,
}

impl Elsewhere {
    /// With what other nodes are reached by.
    pub fn new(pool: Pool) -> Self {
        Self { pool, ..Self::default() }
    }

    /// Whether a node could be reached when it was last tried, or was never tried.
    pub fn is_well(&self, node: &Node) -> bool {
        self.pool.is_well(&node.http)
    }

    /// How soon an answer is late.
    pub fn late(&self) -> Duration {
        self.pace.late()
    }

    /// Lets go of nodes that are no members any more.
    pub fn weed(&self, routes: &Routes) {
        if self.version.replace(routes.version) != routes.version {
            let members: HashSet<&str> =
                routes.nodes.iter().map(|node| node.http.as_str()).collect();
            self.pool.keep(|place| members.contains(place));
        }
    }
}

impl Outgoing {
    /// The same request, from this node, without its body.
    pub fn of<B>(context: &Context, request: &Request<B>) -> Self {
        let (method, target) = (request.method().clone(), request.uri().clone());
        Self::new(context, method, target, request.headers())
    }

    /// A request for `target` with what `headers` says to whoever answers it.
    pub fn new(context: &Context, method: Method, target: Uri, from: &HeaderMap) -> Self {
        let mut headers = HeaderMap::new();
        copy(from, &mut headers, &SENT, &SENT_OURS);
        headers.insert(wire::FORWARDED, context.node().unwrap_or(HeaderValue::from_static("")));
        Self { method, target, headers, body: Bytes::new() }
    }

    /// With a body.
    pub fn with(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// Without a field.
    pub fn without(mut self, name: &HeaderName) -> Self {
        self.headers.remove(name);
        self
    }

    /// With a field.
    pub fn saying(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn request(&self, wants: Option<&Wants>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.target.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(time) = wants.and_then(Wants::time_to_wait) {
            request.headers_mut().insert(wire::TIMEOUT_MS, (time.as_millis() as u64).into());
        }
        request
    }
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName], ours: &[&'static str]) {
    let ours = ours.iter().map(|name| HeaderName::from_static(name));
    for name in names.iter().cloned().chain(ours) {
        for value in from.get_all(&name) {
            to.append(&name, value.clone());
        }
    }
}

/// Answers a read of one partition that is not to be answered here: `None` is one that is, after
/// it has waited for what it wants.
pub async fn read(
    context: &Context,
    partition: Partition,
    wants: &Wants,
    outgoing: impl FnOnce() -> Outgoing,
) -> Result<Option<Answer>, Problem> {
    let Some(routes) = context.routes() else {
        wants.wait(context, &[partition]).await?;
        return Ok(None);
    };
    if wants.is_forwarded {
        context.has_state(partition)?;
        wants.wait(context, &[partition]).await?;
        return Ok(None);
    }
    if context.answers(partition) && wants.are_met(context, partition) {
        return Ok(None);
    }
    let nodes = others(context, &routes, partition, wants);
    let tried = match ask(context, &routes, &nodes, &outgoing(), wants).await {
        Ok(answer) => return Ok(Some(answer)),
        Err(tried) => tried,
    };
    if context.has_state(partition).is_err() {
        let next = routes.holders.get(partition.0 as usize).into_iter().flatten();
        let next = next.map(|holder| holder.next).max().unwrap_or(Offset(0));
        let problem = wants.unmet(partition, next, tried.best);
        return Err(problem.unwrap_or_else(|| tried.problem(partition)));
    }
    let waited = wants.wait(context, &[partition]).await;
    waited.map_err(|problem| problem.at_best(tried.best)).map(|()| None)
}

/// Answers a write of one partition that has no holder here: `None` is one that is made here. It
/// goes whole to one holder; to the next only when it is certain that the one before has not
/// appended it.
pub async fn write(
    context: &Context,
    partition: Partition,
    outgoing: &Outgoing,
) -> Result<Option<Answer>, Problem> {
    let Some(routes) = context.routes() else { return Ok(None) };
    let mut tried = Tried::default();
    for node in holders(context, &routes, partition) {
        match write_at(context, &routes.nodes[node], outgoing).await {
            Sent::Answered(answer) => return Ok(Some(answer)),
            Sent::Nothing(in_vain) => tried.add(in_vain),
            Sent::Unknown => return Err(Problem::unknown()),
        }
    }
    match context.has_state(partition) {
        Ok(()) => Ok(None),
        Err(_) => Err(tried.problem(partition)),
    }
}

/// Sends a write to one node.
pub async fn write_at(context: &Context, node: &Node, outgoing: &Outgoing) -> Sent {
    let (request, deadline) = (outgoing.request(None), Instant::now() + WRITE_TIME);
    let sent = match context.elsewhere.pool.send(&node.http, request, deadline).await {
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
            Sent::Nothing(Tried::refused(node, answer.headers()))
        }
        Ok(answer) => Sent::Answered(passed_back(answer, node)),
        Err(PeerFault::Unsent(why)) => Sent::Nothing(Tried::failed(node, &why)),
        Err(PeerFault::Unanswered(_)) => Sent::Unknown,
    };
    let counts = &context.stats.elsewhere;
    let is_answered = matches!(sent, Sent::Answered(_));
    if is_answered { &counts.answered } else { &counts.failed }.add(1);
    sent
}

/// The others that a write into `partition` can be sent to, by their place in the routes.
pub fn holders(context: &Context, routes: &Routes, partition: Partition) -> Vec<usize> {
    let holders = routes.others(partition).into_iter().filter(|holder| holder.holding.answers());
    sorted_by_health(context, routes, holders.map(|holder| holder.node))
}

/// The others that can be asked for `partition`, by their place in the routes, best first.
pub fn others(
    context: &Context,
    routes: &Routes,
    partition: Partition,
    wants: &Wants,
) -> Vec<usize> {
    let here = context.answers(partition);
    let mut holders = routes.others(partition);
    // Who answers here and waits for an offset goes elsewhere only for that offset.
    let lacks_offset = here && !wants.reached(partition, context.next(partition));
    holders.retain(|holder| !lacks_offset || wants.reached(partition, holder.next));
    holders.sort_by_key(|holder| !wants.reached(partition, holder.next));
    sorted_by_health(context, routes, holders.into_iter().map(|holder| holder.node))
}

/// Those that could be reached when they were last tried come first.
fn sorted_by_health(
    context: &Context,
    routes: &Routes,
    nodes: impl Iterator<Item = usize>,
) -> Vec<usize> {
    context.elsewhere.weed(routes);
    let mut nodes: Vec<usize> = nodes.filter(|node| *node < routes.nodes.len()).collect();
    nodes.sort_by_key(|node| !context.elsewhere.is_well(&routes.nodes[*node]));
    nodes.truncate(TRIES);
    nodes
}

/// Asks one node after the other, the next as soon as one has failed or is late, and gives the
/// first answer. Whoever is late may still be the first.
pub async fn ask(
    context: &Context,
    routes: &Arc<Routes>,
    nodes: &[usize],
    outgoing: &Outgoing,
    wants: &Wants,
) -> Result<Answer, Tried> {
    let mut tried = Tried::default();
    let mut waiting = nodes.iter().map(|node| &routes.nodes[*node]);
    let Some(first) = waiting.next() else { return Err(tried) };
    let mut first = pin!(ask_one(context, first, outgoing, wants));
    let mut asked = FuturesUnordered::new();
    if waiting.len() == 0 {
        return first.await;
    }
    // Nearly every answer comes before a second node is asked.
    match rt::timeout(context.elsewhere.pace.late(), first.as_mut()).await {
        Some(Ok(answer)) => return Ok(answer),
        Some(Err(failed)) => tried.add(failed),
        None => {
            context.stats.elsewhere.late.add(1);
            asked.push(Either::Left(first));
        }
    }
    while let Some(node) = waiting.next() {
        asked.push(Either::Right(Box::pin(ask_one(context, node, outgoing, wants))));
        let left = wants.deadline.saturating_duration_since(Instant::now());
        let patience = left / (waiting.len() as u32 + 1);
        match rt::timeout(patience, asked.next()).await {
            Some(Some(Ok(answer))) => return Ok(answer),
            Some(Some(Err(failed))) => tried.add(failed),
            Some(None) | None => {}
        }
    }
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(answer) => return Ok(answer),
            Err(failed) => tried.add(failed),
        }
    }
    Err(tried)
}

async fn ask_one(
    context: &Context,
    node: &Node,
    outgoing: &Outgoing,
    wants: &Wants,
) -> Result<Answer, Tried> {
    let (began, request) = (Instant::now(), outgoing.request(Some(wants)));
    let answer = context.elsewhere.pool.send(&node.http, request, wants.deadline).await;
    let counts = &context.stats.elsewhere;
    let tried = match answer {
        Ok(answer) if answer.status() == StatusCode::SERVICE_UNAVAILABLE => {
            Tried::refused(node, answer.headers())
        }
        Ok(answer) => {
            context.elsewhere.pace.took(began.elapsed());
            counts.answered.add(1);
            return Ok(passed_back(answer, node));
        }
        Err(fault) => Tried::failed(node, &fault),
    };
    counts.failed.add(1);
    Err(tried)
}

/// Asks one node for a whole answer of at most `most` bytes, until the deadline of `wants`.
pub async fn whole(
    context: &Context,
    node: &Node,
    outgoing: &Outgoing,
    wants: &Wants,
    most: usize,
) -> Result<(HeaderMap, Bytes), Tried> {
    let answer = ask_one(context, node, outgoing, wants).await?;
    if answer.status() != StatusCode::OK {
        return Err(Tried::failed(node, &format!("it answered {}", answer.status())));
    }
    let (head, body) = answer.into_parts();
    let left = wants.deadline.saturating_duration_since(Instant::now());
    match rt::timeout(left, body.whole(most)).await {
        Some(Ok(body)) => Ok((head.headers, body)),
        Some(Err(cut)) => Err(Tried::failed(node, &cut)),
        None => Err(Tried::failed(node, &"its answer did not end in time")),
    }
}

/// How old a peer's answer may be.
pub fn lag(headers: &HeaderMap) -> Lag {
    match headers.get(wire::LAG_MS).map(|lag| lag.to_str().unwrap_or_default()) {
        None => Lag::None,
        Some(text) => text.parse().map_or(Lag::Unknown, Lag::Ms),
    }
}

/// A peer's answer, as it is told to the client.
fn passed_back(answer: Response<peer::Body>, node: &Node) -> Answer {
    let (head, body) = answer.into_parts();
    let mut answer = Response::new(Body::Peer(Box::new(body)));
    *answer.status_mut() = head.status;
    let headers = answer.headers_mut();
    copy(&head.headers, headers, &TOLD, &TOLD_OURS);
    // Of an answer to HEAD, which has no body that could tell it.
    if let Some(length) = head.headers.get(CONTENT_LENGTH) {
        headers.insert(CONTENT_LENGTH, length.clone());
    }
    if !headers.contains_key(wire::NODE)
        && let Ok(id) = HeaderValue::from_str(&node.id)
    {
        headers.insert(wire::NODE, id);
    }
    answer
}

impl Default for Tried {
    fn default() -> Self {
        Self { who: Vec::new(), best: Lag::Unknown }
    }
}

impl Tried {
    fn refused(node: &Node, headers: &HeaderMap) -> Self {
        let lag = headers.get(wire::LAG_MS).and_then(|lag| lag.to_str().ok()?.parse().ok());
        let best = lag.map_or(Lag::Unknown, Lag::Ms);
        Self { who: vec![format!("{} cannot answer it now", node.id)], best }
    }

    /// This one, in vain.
    pub fn here(why: &impl std::fmt::Display) -> Self {
        Self { who: vec![format!("this node: {why}")], ..Self::default() }
    }

    /// One node, in vain.
    pub fn failed(node: &Node, why: &impl std::fmt::Display) -> Self {
        Self { who: vec![format!("{}: {why}", node.id)], ..Self::default() }
    }

    /// Those of `other` as well.
    pub fn add(&mut self, other: Tried) {
        self.who.extend(other.who);
        self.best = self.best.min(other.best);
    }

    /// 503, with whom it was tried at.
    pub fn problem(&self, partition: Partition) -> Problem {
        Problem::unreached(partition, &self.who)
    }
}
