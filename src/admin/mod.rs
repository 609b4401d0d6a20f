//! The admin port: health, readiness, metrics and status, for operators and their machines.
//! On an executor of its own, not pinned to a serving CPU; reads counts and never changes a thing.

mod exposition;
mod metrics;
mod process;
mod status;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use pumice_model::wire::ErrorBody;
use pumice_shards::Reader;
use serde::Serialize;

use crate::settings::Settings;
use crate::stats::core::CoreStats;
use crate::stats::net::NetStats;
use crate::stats::shard::{ShardState, ShardStats};

/// What the admin port tells about.
pub struct Overview {
    /// What the process was told.
    pub settings: Settings,
    /// Where the node is in its life.
    pub phase: Arc<Phase>,
    /// A reader on every shard, by shard number.
    pub readers: Vec<Reader>,
    /// The counts of every shard, likewise.
    pub shards: Vec<Arc<ShardStats>>,
    /// The counts of every serving core, by core number.
    pub cores: Vec<Arc<CoreStats>>,
    /// The connections of every serving core, likewise.
    pub nets: Vec<Arc<NetStats>>,
}

/// Where a node is in its life.
#[derive(Debug, Default)]
pub struct Phase(AtomicU8);

impl Phase {
    /// It answers requests.
    pub fn serve(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// It finishes what is in flight.
    pub fn drain(&self) {
        self.0.store(2, Ordering::Release);
    }

    fn name(&self) -> &'static str {
        match self.0.load(Ordering::Acquire) {
            0 => "starting",
            1 => "serving",
            _ => "draining",
        }
    }
}

/// An answer of the admin port.
pub type Answer = Response<Full<Bytes>>;

/// Answers one request.
pub async fn handle(overview: Rc<Overview>, request: Request<Incoming>) -> Answer {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let error = ErrorBody::new("method", "the admin port has GET");
        let mut answer = json(StatusCode::METHOD_NOT_ALLOWED, &error);
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    match request.uri().path() {
        "/health" => plain("ok"),
        "/ready" => ready(&overview),
        "/metrics" => text(metrics::render(&overview), "text/plain; version=0.0.4"),
        "/v1/status" => json(StatusCode::OK, &status::body(&overview)),
        _ => {
            let message = "the admin port has /health, /ready, /metrics, /v1/status";
            json(StatusCode::NOT_FOUND, &ErrorBody::new("not_found", message))
        }
    }
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    phase: &'a str,
    full_shards: Vec<usize>,
    broken_shards: Vec<usize>,
    broken_partitions: Vec<u32>,
}

/// 200 once the node serves. A broken shard stays 200 and is listed: it still answers reads, and a
/// balancer that turned away would take the healthy ones with it. 503 when every shard is broken.
fn ready(overview: &Overview) -> Answer {
    let in_state = |wanted: ShardState| -> Vec<usize> {
        let shards = overview.shards.iter().enumerate();
        shards.filter(|(_, stats)| stats.state() == wanted).map(|(shard, _)| shard).collect()
    };
    let broken_shards = in_state(ShardState::Broken);
    let phase = overview.phase.name();
    let ready = overview.is_ready();
    let body = Ready {
        ready,
        phase,
        full_shards: in_state(ShardState::Full),
        broken_partitions: overview
            .partitions()
            .filter(|partition| broken_shards.contains(&overview.shard_of(*partition)))
            .map(|partition| partition.0)
            .collect(),
        broken_shards,
    };
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut answer = json(status, &body);
    if !ready {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    answer
}

impl Overview {
    fn is_ready(&self) -> bool {
        let any = self.shards.iter().any(|stats| stats.state() != ShardState::Broken);
        self.phase.name() == "serving" && any
    }

    fn partitions(&self) -> impl Iterator<Item = pumice_model::ids::Partition> + use<> {
        (0..self.settings.cluster.partitions).map(pumice_model::ids::Partition)
    }

    fn shard_of(&self, partition: pumice_model::ids::Partition) -> usize {
        usize::from(partition.shard(self.readers.len() as u16).0)
    }
}

fn plain(body: &'static str) -> Answer {
    text(body.to_owned(), "text/plain; charset=utf-8")
}

fn text(body: String, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Our own bodies have string keys and finite numbers only: writing them cannot fail.
    let body = serde_json::to_string(body).unwrap_or_default();
    let mut answer = text(body, "application/json");
    *answer.status_mut() = status;
    answer
}
