//! The admin port: health, readiness, metrics, status and snapshots, for operators and their
//! machines. On an executor of its own, not pinned to a serving CPU; changes no record.

mod cluster;
mod exposition;
mod log;
mod metrics;
mod process;
mod snapshots;
mod status;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use pumice_model::ids::{Offset, Partition};
use pumice_model::wire::ErrorBody;
use pumice_shards::Reader;
use serde::Serialize;

use crate::mesh::positions::Positions;
use crate::net::body::Incoming;
use crate::net::{Service, Short};
use crate::rt::Runtime;
use crate::settings::Settings;
use crate::snapshot::service;
use crate::stats::cluster::ClusterStats;
use crate::stats::core::CoreStats;
use crate::stats::log::LogStats;
use crate::stats::net::NetStats;
use crate::stats::progress::{Following, PartitionProgress, Progress};
use crate::stats::shard::{ShardState, ShardStats};
use crate::stats::snapshot::SnapshotStats;
use std::future::{Ready, ready};

/// Reasons that `/ready` spells out; `/v1/status` has every partition's state.
const REASONS: usize = 10;

/// What the admin port tells about.
pub struct Overview {
    /// What the process was told.
    pub settings: Settings,
    /// What runs the cores.
    pub runtime: Runtime,
    /// Where the node is in its life.
    pub phase: Arc<Phase>,
    /// A reader on every shard, by shard number.
    pub readers: Vec<Reader>,
    /// How far every partition is applied.
    pub positions: Positions,
    /// How every partition stands to the log; `None` where the data directory is the log.
    pub progress: Option<Arc<Progress>>,
    /// The counts of the log, likewise.
    pub log: Option<Arc<LogStats>>,
    /// The counts of gossip, and the last picture of the cluster; `None` where the node is alone.
    pub cluster: Option<Arc<ClusterStats>>,
    /// Who takes snapshots, where there are objects.
    pub snapshots: Option<service::Handle>,
    /// The counts of snapshots.
    pub snapshot_stats: Arc<SnapshotStats>,
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

/// Answers the requests of the admin port.
pub struct Admin(Rc<Overview>);

impl Admin {
    /// Of one node.
    pub fn new(overview: Overview) -> Self {
        Self(Rc::new(overview))
    }
}

impl Service for Admin {
    type Body = Full<Bytes>;
    type Answering = Ready<Answer>;
    type Noted = ();
    type Away = ();
    type Told = ();

    fn answer(&self, request: Request<Incoming>) -> Ready<Answer> {
        ready(answer(&self.0, &request))
    }

    fn note(&self, (): &mut (), _: &str) -> bool {
        false
    }

    fn look(&self, (): &mut (), _: &mut dyn FnMut(usize, &Short<'_>)) {}
}

fn answer(overview: &Overview, request: &Request<Incoming>) -> Answer {
    let path = request.uri().path();
    if path == "/v1/snapshots" {
        return snapshots::answer(overview, request.method());
    }
    if path == "/v1/drain" {
        return cluster::drain(overview, request.method());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_allowed("GET, HEAD");
    }
    match path {
        "/health" => plain("ok"),
        "/ready" => readiness(overview),
        "/metrics" => text(metrics::render(overview), "text/plain; version=0.0.4"),
        "/v1/status" => json(StatusCode::OK, &status::body(overview)),
        "/v1/cluster" => cluster::answer(overview),
        _ => {
            let message = "the admin port has /health, /ready, /metrics, /v1/status, /v1/cluster, \
                           /v1/drain, /v1/snapshots";
            json(StatusCode::NOT_FOUND, &ErrorBody::new("not_found", message))
        }
    }
}

fn not_allowed(methods: &'static str) -> Answer {
    let error = ErrorBody::new("method", format!("this route has {methods}"));
    let mut answer = json(StatusCode::METHOD_NOT_ALLOWED, &error);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    answer
}

#[derive(Serialize)]
struct Readiness<'a> {
    ready: bool,
    phase: &'a str,
    full_shards: Vec<usize>,
    broken_shards: Vec<usize>,
    broken_partitions: Vec<u32>,
    /// The first reasons, so that whoever is woken need not look for them.
    broken_because: Vec<String>,
    /// Why the cluster keeps the node from being ready: its clock, another node of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
}

/// 200 once the node serves. A broken shard stays 200 and is listed: it still answers reads, and a
/// balancer that turned away would take the healthy ones with it. 503 when every shard is broken.
fn readiness(overview: &Overview) -> Answer {
    let in_state = |wanted: ShardState| -> Vec<usize> {
        let shards = overview.shards.iter().enumerate();
        shards.filter(|(_, stats)| stats.state() == wanted).map(|(shard, _)| shard).collect()
    };
    let broken_shards = in_state(ShardState::Broken);
    let phase = overview.phase.name();
    let ready = overview.is_ready();
    let body = Readiness {
        ready,
        phase,
        full_shards: in_state(ShardState::Full),
        broken_partitions: overview
            .partitions()
            .filter(|partition| overview.is_broken(*partition))
            .map(|partition| partition.0)
            .collect(),
        broken_because: overview.reasons(),
        broken_shards,
        cluster: overview.unready(),
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
        let any = self.partitions().any(|partition| !self.is_broken(partition));
        let started = self.progress.as_ref().is_none_or(|log| log.started(|p| self.next(p)));
        self.phase.name() == "serving" && any && started && self.unready().is_none()
    }

    /// Why the cluster keeps the node from being ready.
    fn unready(&self) -> Option<String> {
        self.cluster.as_ref()?.unready()
    }

    fn next(&self, partition: Partition) -> Offset {
        self.positions.next(partition).unwrap_or(Offset(0))
    }

    fn following(&self, partition: Partition) -> Option<&PartitionProgress> {
        self.progress.as_ref()?.of(partition)
    }

    /// Whether the partition takes no more entries: its shard is broken, or it lost its log.
    fn is_broken(&self, partition: Partition) -> bool {
        self.shards[self.shard_of(partition)].state() == ShardState::Broken
            || self.following(partition).is_some_and(|p| p.following() == Following::Broken)
    }

    /// Whether the node has the partition: without peers it has all of them.
    fn holds(&self, partition: Partition) -> bool {
        self.following(partition).is_none_or(|progress| progress.following() != Following::Absent)
    }

    fn reasons(&self) -> Vec<String> {
        let of_shards = self.shards.iter().enumerate().filter_map(|(shard, stats)| {
            Some(format!("shard {shard}: {}", stats.broken_because()?))
        });
        let of_partitions = self.progress.iter().flat_map(|progress| progress.all());
        let of_partitions = of_partitions.filter_map(|(partition, progress)| {
            Some(format!("partition {partition}: {}", progress.broken_because()?))
        });
        of_shards.chain(of_partitions).take(REASONS).collect()
    }

    fn partitions(&self) -> impl Iterator<Item = Partition> + use<> {
        (0..self.settings.cluster.partitions).map(Partition)
    }

    fn shard_of(&self, partition: Partition) -> usize {
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
