//! A node: starts its parts in order and stops them in reverse. The only module that knows every
//! other. Starting thread; nothing here is on the way of a request.

mod cores;
mod fault;
mod join;
mod order;
mod ports;
mod restore;
mod snapshots;
mod store;

use join::{Joined, Joining};

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pumice_shards::Reader;

use cores::CoreSeed;
pub use fault::StartFault;
use fault::{spawned, thread_fault};
use order::{Order, Place, Stopping, Ways};
use ports::Ports;
use store::{Owners, Shard};

use crate::admin::{Overview, Phase};
use crate::cluster;
use crate::datadir::{DataDir, DataDirFault};
use crate::mesh::home::{self, Home, Message};
use crate::mesh::lane::Receiver;
use crate::mesh::positions::Positions;
use crate::net::Tls;
use crate::rt::{self, Runtime};
use crate::settings::{LogSettings, RuntimeSetting, SHARDS_LEAST_BY_DEFAULT, Settings};
use crate::signals::{Signal, Signals};
use crate::stats::core::CoreStats;
use crate::stats::net::NetStats;

/// How often a waiting node looks whether its cores still run.
const LOOK_AT_CORES: Duration = Duration::from_millis(500);

/// A node that answers requests.
pub struct Running {
    http: SocketAddr,
    admin: SocketAddr,
    signals: Signals,
    tls: Option<Arc<Tls>>,
    phase: Arc<Phase>,
    cores: Vec<rt::Joining<()>>,
    cores_home: Home,
    cluster: Option<cluster::thread::Running>,
    stopping: Stopping,
    abandoned: Arc<AtomicBool>,
    admin_core: rt::Joining<()>,
    admin_home: Home,
    _data_dir: DataDir,
}

/// Starts a node; when it returns, both ports answer.
pub fn start(settings: Settings) -> Result<Running, StartFault> {
    let process = &settings.process;
    let runtime = runtime(process.runtime)?;
    let tls = process.tls.clone().map(Tls::load).transpose()?.map(Arc::new);
    let Ports { http, sockets, admin, admin_sockets, gossip } = Ports::open(process)?;
    let data_dir = open_data_dir(&settings)?;
    let positions = Positions::new(settings.cluster.partitions);
    let (cores_home, lanes) = home::lanes(sockets.len());
    let abandoned = Arc::<AtomicBool>::default();
    let (shards, readers) = store::open_and_publish(&data_dir, &settings, &positions)?;
    let shard_stats = shards.iter().map(|shard| shard.stats.clone()).collect();
    let owners = Owners {
        shards: data_dir.shards(),
        home: &cores_home,
        positions: &positions,
        serving: &process.cores,
        abandoned: &abandoned,
    };
    let core_stats: Vec<Arc<CoreStats>> = sockets.iter().map(|_| Arc::default()).collect();
    let joining = Joining {
        settings: &settings,
        http,
        admin,
        home: &cores_home,
        positions: &positions,
        cores: &core_stats,
    };
    let (order, cluster, readers, data_dir) =
        begin(&joining, gossip, owners, shards, readers, data_dir)?;
    // Until here a signal ends the process at once, as it would a kill: a start may have to wait
    // for brokers, objects and peers, and nobody waits for it.
    let signals = Signals::listen(tls.is_some()).map_err(thread_fault("signals"))?;
    let Order { ways, progress, log_stats, snapshots, snapshot_stats, stopping, .. } = order;
    let phase = Arc::new(Phase::default());
    let mut overview = Overview {
        settings: settings.clone(),
        runtime,
        phase: phase.clone(),
        readers,
        positions,
        shards: shard_stats,
        cores: core_stats,
        nets: Vec::new(),
        progress,
        log: log_stats,
        cluster: cluster.as_ref().map(|(stats, _)| stats.clone()),
        snapshots,
        snapshot_stats,
    };
    let cores = spawn_cores(&mut overview, tls.as_ref(), ways, sockets, lanes)?;
    let (admin_core, admin_home) = spawn_admin(overview, admin_sockets)?;
    phase.serve();
    let place = process.data_dir.display();
    tracing::info!("serving {http}, admin on {admin}, data in {place}, on {runtime}");
    Ok(Running {
        http,
        admin,
        signals,
        tls,
        phase,
        cores,
        cores_home,
        cluster: cluster.map(|(_, running)| running),
        stopping,
        abandoned,
        admin_core,
        admin_home,
        _data_dir: data_dir,
    })
}

fn runtime(wanted: RuntimeSetting) -> Result<Runtime, rt::Missing> {
    Runtime::choose(match wanted {
        RuntimeSetting::Auto => None,
        RuntimeSetting::Glommio => Some(Runtime::Glommio),
        RuntimeSetting::Tokio => Some(Runtime::Tokio),
    })
}

/// Starts the log, then joins the peers. When that fails, a directory that this start made goes: it
/// was made for settings that were refused, and would refuse the right ones.
fn begin(
    joining: &Joining<'_>,
    gossip: Option<UdpSocket>,
    owners: Owners<'_>,
    shards: Vec<Shard>,
    readers: Vec<Reader>,
    data_dir: DataDir,
) -> Result<(Order, Option<Joined>, Vec<Reader>, DataDir), StartFault> {
    let place = Place { settings: joining.settings, owners, data_dir: &data_dir };
    match order::start(&place, shards).and_then(|order| joining.join(gossip, order)) {
        Ok((order, joined)) => Ok((order, joined, readers, data_dir)),
        Err(fault) => {
            drop(readers);
            if data_dir.is_fresh() {
                data_dir.discard();
            }
            Err(fault)
        }
    }
}

fn spawn_cores(
    overview: &mut Overview,
    tls: Option<&Arc<Tls>>,
    ways: Ways,
    sockets: Vec<TcpListener>,
    lanes: Vec<Receiver<Message>>,
) -> Result<Vec<rt::Joining<()>>, StartFault> {
    let to_peers = join::tls(&overview.settings.process)?;
    let mut cores = Vec::new();
    for (core, (socket, lane)) in sockets.into_iter().zip(lanes).enumerate() {
        let seed = CoreSeed { to_peers: to_peers.clone(), ..seed(core, overview, tls, &ways) };
        overview.nets.push(seed.net.clone());
        let name = format!("core-{core}");
        let cpu = Some(overview.settings.process.cores[core]);
        let run = move || cores::serve(seed, socket, lane);
        cores.push(spawned(overview.runtime.spawn(&name, cpu, run), &name)?);
    }
    Ok(cores)
}

fn spawn_admin(
    overview: Overview,
    sockets: Vec<TcpListener>,
) -> Result<(rt::Joining<()>, Home), StartFault> {
    let (home, mut lanes) = home::lanes(1);
    let (runtime, lane) = (overview.runtime, lanes.remove(0));
    let run = move || cores::serve_admin(overview, sockets, lane);
    let core = spawned(runtime.spawn("admin", None, run), "admin")?;
    Ok((core, home))
}

fn seed(core: usize, overview: &Overview, tls: Option<&Arc<Tls>>, ways: &Ways) -> CoreSeed {
    CoreSeed {
        // Cores are CPUs, of which there are fewer than 65,536.
        core: core as u16,
        settings: overview.settings.clone(),
        tls: tls.cloned(),
        to_peers: None,
        readers: overview.readers.clone(),
        ways: ways.clone(),
        positions: overview.positions.clone(),
        progress: overview.progress.clone(),
        stats: overview.cores[core].clone(),
        net: Arc::<NetStats>::default(),
    }
}

impl Running {
    /// The public address, with the port that was really taken.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// The admin address, likewise.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Serves until SIGTERM or SIGINT, then stops. A core that ends by itself ends the node, with
    /// a failure for whoever watches it.
    pub fn wait(mut self) -> ExitCode {
        while !self.cores.iter().any(rt::Joining::is_finished) {
            match self.signals.next(LOOK_AT_CORES) {
                Some(Signal::End(name)) => {
                    tracing::info!("{name}: finishing what is in flight; again to end at once");
                    return self.stop();
                }
                Some(Signal::Reload) => self.reload(),
                None => {}
            }
        }
        tracing::error!("a serving core ended by itself: stopping the node");
        self.stop();
        ExitCode::FAILURE
    }

    /// Reads the certificate again; one that will not do leaves the old one.
    fn reload(&self) {
        match self.tls.as_ref().map(|tls| tls.reload()) {
            Some(Ok(())) => tracing::info!("SIGHUP: new connections get the certificate anew"),
            Some(Err(fault)) => tracing::warn!("SIGHUP: the old certificate stays: {fault}"),
            None => {}
        }
    }

    /// Stops accepting, finishes what is in flight, commits it and ends every thread.
    pub fn stop(self) -> ExitCode {
        self.phase.drain();
        if let Some(cluster) = &self.cluster {
            cluster.announce_end();
        }
        self.cores_home.drain();
        let cores: Vec<_> = self.cores.into_iter().map(rt::Joining::join).collect();
        // The cores held the inboxes: with them gone, owners end. Whoever waited for an entry that
        // is still queued has been cut, so that none of them was acknowledged.
        self.abandoned.store(true, Ordering::Release);
        let left = self.cluster.is_none_or(cluster::thread::Running::stop);
        let stopped = self.stopping.stop() && left;
        self.admin_home.drain();
        let admin = self.admin_core.join();
        for crashed in cores.iter().chain([&admin]).filter_map(|joined| joined.as_ref().err()) {
            tracing::error!("{crashed}");
        }
        let well = cores.iter().all(Result::is_ok) && stopped && admin.is_ok();
        if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn open_data_dir(settings: &Settings) -> Result<DataDir, DataDirFault> {
    let process = &settings.process;
    let least = process.cores.len().max(SHARDS_LEAST_BY_DEFAULT);
    let default_shards = u16::try_from(least).unwrap_or(u16::MAX);
    let log = match process.log {
        LogSettings::Embedded => None,
        LogSettings::Kafka(_) => Some("kafka"),
    };
    DataDir::open(&process.data_dir, &settings.cluster, log, process.shards, default_shards)
}
