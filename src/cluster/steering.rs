//! A member of the cluster at work: it hears its peers, takes a step, and tells the log what to
//! follow, the cores where to ask and the peers what is held here. On the cluster's thread; decides
//! nothing itself, that is what the pure modules are for.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::gossip::{Gossip, Said};
use super::shown::{self, Eyes};
use super::steer::{self, Begin, Steer, Step};
use super::table::Standing;
use super::thread::Setup;
use super::view::{Held, View};
use crate::mesh::routes::Routes;

/// Pause between two steps.
const STEP: Duration = Duration::from_millis(250);
/// The admin port's picture of the cluster is drawn so often.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// This node among its peers.
pub struct Steering {
    setup: Setup,
    gossip: Gossip,
    steer: Steer,
    /// What is to be followed at once.
    first: Step,
    began: Instant,
    /// What the cores were sent last.
    routes: Arc<Routes>,
    shown_at: Option<Instant>,
    /// Reads that the cores had answered when that was shown, and how many a second since before.
    reads: u64,
    load: u64,
    /// Whether it served all that the plan gave it, once.
    has_arrived: bool,
    /// Whether something is wrong that somebody has to set right, and was told.
    is_wrong: bool,
}

/// What keeps a node from being ready.
enum Unready {
    /// Time will do.
    Arrives(String),
    /// Somebody has to set it right.
    Wrong(String),
}

impl Steering {
    /// A node that has just joined.
    pub fn new(setup: Setup, gossip: Gossip) -> Self {
        let me = gossip.id().to_owned();
        // A node may be its own seed.
        let seeded = setup.settings.seeds.iter().any(|seed| !is_own(seed, &setup));
        let partitions = setup.cluster.partitions;
        let begin = Begin { me, partitions, seeded, now: Duration::ZERO };
        let positions = setup.positions.clone();
        let has_rows = |partition| positions.next(partition).is_some_and(|next| next.0 > 0);
        let (steer, first) = Steer::begin(begin, has_rows);
        Self {
            setup,
            gossip,
            steer,
            first,
            began: Instant::now(),
            routes: Arc::default(),
            shown_at: None,
            reads: 0,
            load: 0,
            has_arrived: false,
            is_wrong: false,
        }
    }

    /// Follows what is there already, and takes the first step.
    pub async fn begin(&mut self) {
        let first = mem::take(&mut self.first);
        self.act(&first).await;
        self.step().await;
    }

    /// Steps until it is told to stop, then leaves.
    pub async fn run(mut self, stop: &Notify) {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = steps.tick() => self.step().await,
                () = stop.notified() => break,
            }
        }
        self.gossip.leave().await;
    }

    async fn step(&mut self) {
        if self.setup.stats.is_leaving() || self.setup.stats.is_ending() {
            self.steer.leave();
        }
        let view = self.gossip.view().await;
        let Setup { progress, positions, .. } = &self.setup;
        let step = self.steer.step(self.began.elapsed(), &view, |partition| {
            let next = positions.next(partition).unwrap_or(Offset(0));
            let progress =
                progress.of(partition).expect("the table is of the namespace's partitions");
            Standing::of(progress, next)
        });
        self.act(&step).await;
        self.say().await;
        self.route(&view);
        self.show(&view, step.changed);
    }

    /// Publishes what a step came to, and has the log do it. A partition is said to be absent
    /// before its rows go, and served only by those who have it.
    async fn act(&mut self, step: &Step) {
        for (partition, holding) in self.steer.held() {
            if let Some(progress) = self.setup.progress.of(partition) {
                progress.hold(holding);
            }
        }
        for hold in &step.commands {
            // The log's thread ends when the node does.
            if self.setup.holds.send(*hold).await.is_err() {
                return;
            }
        }
    }

    async fn say(&mut self) {
        let positions = &self.setup.positions;
        let held: BTreeMap<Partition, Held> = self
            .steer
            .held()
            .filter(|(_, holding)| *holding != Holding::Absent)
            .map(|(partition, holding)| {
                let next = positions.next(partition).unwrap_or(Offset(0));
                (partition, Held { holding, next })
            })
            .collect();
        let (draining, ending) = (self.setup.stats.is_leaving(), self.setup.stats.is_ending());
        self.gossip.say(&Said { held: &held, draining, ending, load: self.load }).await;
    }

    /// Sends the cores a new picture when it differs from the last.
    fn route(&mut self, view: &View) {
        let Routes { version, .. } = *self.routes;
        let partitions = self.setup.cluster.partitions;
        let mut routes = steer::routes(view, self.gossip.id(), version, partitions);
        if routes != *self.routes {
            routes.version += 1;
            self.routes = Arc::new(routes);
            self.setup.home.route(&self.routes);
            self.setup.telling.send_replace(self.routes.clone());
        }
    }

    /// Shows the admin port what there is to see, and tells once of what is wrong with this node.
    fn show(&mut self, view: &View, changed: bool) {
        let now = Instant::now();
        let since = self.shown_at.map(|at| now - at);
        if !changed && since.is_some_and(|since| since < SHOW_EVERY) {
            return;
        }
        let reads = self.setup.cores.iter().map(|core| core.answers()).sum();
        if let Some(since) = since {
            let a_second = (reads - self.reads) as f64 / since.as_secs_f64().max(0.001);
            self.load = a_second as u64;
        }
        (self.shown_at, self.reads) = (Some(now), reads);
        let unready = self.unready(view);
        let was_wrong =
            mem::replace(&mut self.is_wrong, matches!(unready, Some(Unready::Wrong(_))));
        match &unready {
            Some(Unready::Wrong(because)) if !was_wrong => {
                tracing::error!("not ready: {because}");
            }
            Some(Unready::Arrives(_)) | None if was_wrong => {
                tracing::info!("what kept this node from being ready is set right");
            }
            _ => {}
        }
        let unready = unready.map(|unready| match unready {
            Unready::Arrives(because) | Unready::Wrong(because) => because,
        });
        let Setup { cluster, stats, progress, .. } = &self.setup;
        let eyes = Eyes {
            namespace: &cluster.namespace,
            partitions: cluster.partitions,
            me: self.gossip.id(),
            unready: unready.as_deref(),
            leaving: stats.is_leaving(),
            may_leave: self.steer.may_leave(self.began.elapsed()),
        };
        let body = shown::body(&eyes, view, |partition| progress.of(partition)?.end());
        stats.show(body, unready);
    }

    /// Why this node should not be asked.
    fn unready(&mut self, view: &View) -> Option<Unready> {
        if let Some(because) = self.gossip.ended() {
            return Some(Unready::Wrong(format!("gossip ended: {because}; restart this node")));
        }
        if let Some(address) = self.gossip.usurped() {
            return Some(Unready::Wrong(format!(
                "a later node of this name is heard at {address}; stop one of them"
            )));
        }
        if let Some(because) = steer::clock_fault(view, self.gossip.id()) {
            return Some(Unready::Wrong(because));
        }
        if self.has_arrived {
            return None;
        }
        let arrives = |because: String| Some(Unready::Arrives(because));
        let Some((done, planned)) = self.steer.arrived() else {
            return arrives("the plan is not made: members are awaited".to_owned());
        };
        if done < planned {
            return arrives(format!("{done} of this node's {planned} partitions are served"));
        }
        // A partition that moves in later is nobody's reason to wait.
        self.has_arrived = true;
        self.setup.progress.serve_unheard();
        None
    }
}

fn is_own(seed: &str, setup: &Setup) -> bool {
    let listen = setup.settings.listen;
    let advertised = setup.settings.advertised(setup.http);
    let host = advertised.rsplit_once(':').map_or(advertised.as_str(), |(host, _)| host);
    *seed == listen.to_string() || *seed == format!("{host}:{}", listen.port())
}
