//! A node: starts its parts in order and stops them in reverse. The only file that knows every
//! module. Starting thread; nothing here is on the way of a request.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, thread};

use pumice_model::ids::ShardId;
use pumice_shards::{OpenError, Options, Reader, Writer};

use crate::admin::{self, Overview, Phase};
use crate::datadir::{DataDir, DataDirFault};
use crate::front::{self, context::Context};
use crate::mesh::home::{self, Home, Message};
use crate::mesh::inbox::{Inbox, Outlet, inbox};
use crate::mesh::lane::{Receiver, lane};
use crate::mesh::positions::Positions;
use crate::mesh::ticket::Tickets;
use crate::net::body::Intake;
use crate::net::{self, Drain, Limits};
use crate::owner::Owner;
use crate::rt;
use crate::settings::{SHARDS_LEAST_BY_DEFAULT, Settings};
use crate::signals::Signals;
use crate::stats::core::CoreStats;
use crate::stats::net::NetStats;
use crate::stats::shard::ShardStats;

/// Reader slots of a shard: far more than there are threads that read.
const READERS: u32 = 1_024;
/// Messages a core takes from its lane before its requests get a turn.
const MESSAGES_A_TURN: usize = 64;
/// How often a waiting node looks whether its cores still run.
const LOOK_AT_CORES: Duration = Duration::from_millis(500);

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The machine lacks something.
    #[error(transparent)]
    Environment(#[from] rt::Missing),
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirFault),
    /// A shard cannot be opened.
    #[error("shard {shard}: {source}")]
    Shard {
        /// Which.
        shard: ShardId,
        /// Why.
        source: OpenError,
    },
    /// A port cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl StartFault {
    /// The exit code for it: 73 for a data directory that cannot be had, 78 for the machine.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::DataDir(_) | Self::Shard { .. } => 73,
            Self::Environment(_) | Self::Listen { .. } | Self::Thread { .. } => 78,
        }
    }
}

/// A node that answers requests.
pub struct Running {
    http: SocketAddr,
    admin: SocketAddr,
    signals: Signals,
    phase: Arc<Phase>,
    cores: Vec<rt::Joining<()>>,
    cores_home: Home,
    owners: Vec<thread::JoinHandle<()>>,
    abandoned: Arc<AtomicBool>,
    admin_core: rt::Joining<()>,
    admin_home: Home,
    _data_dir: DataDir,
}

/// A shard on its way to its owner and its readers.
struct Shard {
    id: ShardId,
    writer: Writer,
    reader: Reader,
    inbox: Inbox,
    outlet: Outlet,
    stats: Arc<ShardStats>,
}

/// Starts a node; when it returns, both ports answer.
pub fn start(settings: Settings) -> Result<Running, StartFault> {
    rt::probe()?;
    let signals = Signals::listen().map_err(thread_fault("signals"))?;
    let process = &settings.process;
    // Before the data directory, so that a start that fails here leaves none behind.
    let (http, sockets) = listen_all(process.http, process.cores.len())?;
    let (admin, admin_sockets) = listen_all(process.admin, 1)?;
    let data_dir = open_data_dir(&settings)?;
    let positions = Positions::new(settings.cluster.partitions);
    let shards = open_shards(&data_dir, &settings, &positions)?;

    let (senders, lanes): (Vec<_>, Vec<_>) = sockets.iter().map(|_| lane(home::LANE)).unzip();
    let cores_home = Home::new(senders);
    let readers: Vec<Reader> = shards.iter().map(|shard| shard.reader.clone()).collect();
    let inboxes: Vec<Inbox> = shards.iter().map(|shard| shard.inbox.clone()).collect();
    let shard_stats = shards.iter().map(|shard| shard.stats.clone()).collect();
    let abandoned = Arc::<AtomicBool>::default();
    let owners = spawn_owners(shards, &cores_home, &positions, &process.cores, &abandoned)?;

    let (mut cores, mut core_stats, mut net_stats) = (Vec::new(), Vec::new(), Vec::new());
    for (core, (socket, lane)) in sockets.into_iter().zip(lanes).enumerate() {
        let seed = CoreSeed {
            // Cores are CPUs, of which there are fewer than 65,536.
            core: core as u16,
            settings: settings.clone(),
            readers: readers.clone(),
            inboxes: inboxes.clone(),
            positions: positions.clone(),
            stats: Arc::default(),
            net: Arc::default(),
        };
        core_stats.push(seed.stats.clone());
        net_stats.push(seed.net.clone());
        let name = format!("core-{core}");
        let cpu = Some(process.cores[core]);
        let run = move || serve(seed, socket, lane);
        cores.push(spawned(rt::spawn(&name, cpu, run), &name)?);
    }
    drop(inboxes);

    let phase = Arc::new(Phase::default());
    let overview = Overview {
        settings: settings.clone(),
        phase: phase.clone(),
        readers,
        shards: shard_stats,
        cores: core_stats,
        nets: net_stats,
    };
    let (sender, lane) = lane(home::LANE);
    let admin_core = rt::spawn("admin", None, move || serve_admin(overview, admin_sockets, lane));
    let admin_core = spawned(admin_core, "admin")?;
    phase.serve();
    let admin_home = Home::new(vec![sender]);
    tracing::info!("serving {http}, admin on {admin}, data in {}", process.data_dir.display());
    Ok(Running {
        http,
        admin,
        signals,
        phase,
        cores,
        cores_home,
        owners,
        abandoned,
        admin_core,
        admin_home,
        _data_dir: data_dir,
    })
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
            if let Some(name) = self.signals.next(LOOK_AT_CORES) {
                tracing::info!("{name}: finishing what is in flight; again to end at once");
                return self.stop();
            }
        }
        tracing::error!("a serving core ended by itself: stopping the node");
        self.stop();
        ExitCode::FAILURE
    }

    /// Stops accepting, finishes what is in flight, commits it and ends every thread.
    pub fn stop(self) -> ExitCode {
        self.phase.drain();
        self.cores_home.drain();
        let cores: Vec<_> = self.cores.into_iter().map(rt::Joining::join).collect();
        // The cores held the inboxes: with them gone, owners end. Whoever waited for an entry that
        // is still queued has been cut, so that none of them was acknowledged.
        self.abandoned.store(true, Ordering::Release);
        let owners: Vec<_> = self.owners.into_iter().map(thread::JoinHandle::join).collect();
        self.admin_home.drain();
        let admin = self.admin_core.join();
        for crashed in cores.iter().chain([&admin]).filter_map(|joined| joined.as_ref().err()) {
            tracing::error!("{crashed}");
        }
        let well =
            cores.iter().all(Result::is_ok) && owners.iter().all(Result::is_ok) && admin.is_ok();
        if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// One listening socket for each core on one address. The first bind is without port sharing, so
/// that a port another process has is refused instead of shared with it.
fn listen_all(
    address: SocketAddr,
    count: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), StartFault> {
    let fault = |source| StartFault::Listen { address, source };
    let probe = TcpListener::bind(address).map_err(fault)?;
    let taken = probe.local_addr().map_err(fault)?;
    drop(probe);
    let sockets = (0..count).map(|_| rt::bind(taken)).collect::<io::Result<_>>().map_err(fault)?;
    Ok((taken, sockets))
}

fn open_data_dir(settings: &Settings) -> Result<DataDir, DataDirFault> {
    let process = &settings.process;
    let least = process.cores.len().max(SHARDS_LEAST_BY_DEFAULT);
    let default_shards = u16::try_from(least).unwrap_or(u16::MAX);
    DataDir::open(&process.data_dir, &settings.cluster, process.shards, default_shards)
}

fn open_shards(
    data_dir: &DataDir,
    settings: &Settings,
    positions: &Positions,
) -> Result<Vec<Shard>, StartFault> {
    let map_size = usize::try_from(settings.process.map_size).unwrap_or(usize::MAX);
    let options = Options { map_size, readers: READERS };
    let mut shards = Vec::new();
    for (dir, identity) in data_dir.each_shard() {
        let id = identity.shard;
        let opened = pumice_shards::open(&dir, &identity, &options);
        let (writer, reader) = opened.map_err(|source| StartFault::Shard { shard: id, source })?;
        let stats = Arc::<ShardStats>::default();
        let (inbox, outlet) = inbox(stats.clone());
        shards.push(Shard { id, writer, reader, inbox, outlet, stats });
    }
    let count = data_dir.shards();
    for partition in (0..settings.cluster.partitions).map(pumice_model::ids::Partition) {
        let shard = &shards[usize::from(partition.shard(count).0)];
        positions.reached(partition, shard.writer.next_offset(partition));
    }
    Ok(shards)
}

fn spawn_owners(
    shards: Vec<Shard>,
    home: &Home,
    positions: &Positions,
    serving: &[usize],
    abandoned: &Arc<AtomicBool>,
) -> Result<Vec<thread::JoinHandle<()>>, StartFault> {
    let spawn = |shard: Shard| {
        let Shard { id, writer, outlet, stats, .. } = shard;
        let (home, positions) = (home.clone(), positions.clone());
        let abandoned = abandoned.clone();
        let owner = Owner { shard: id, writer, outlet, home, positions, stats, abandoned };
        spawned(owner.spawn(serving), &format!("shard-{id}"))
    };
    shards.into_iter().map(spawn).collect()
}

fn spawned<T>(thread: io::Result<T>, name: &str) -> Result<T, StartFault> {
    thread.map_err(thread_fault(name))
}

fn thread_fault(name: &str) -> impl FnOnce(io::Error) -> StartFault {
    move |source| StartFault::Thread { name: name.to_owned(), source }
}

/// What a core is made of, before it is on its own thread.
struct CoreSeed {
    core: u16,
    settings: Settings,
    readers: Vec<Reader>,
    inboxes: Vec<Inbox>,
    positions: Positions,
    stats: Arc<CoreStats>,
    net: Arc<NetStats>,
}

/// The life of a serving core.
async fn serve(seed: CoreSeed, socket: TcpListener, lane: Receiver<Message>) {
    let listener = match rt::Listener::new(socket) {
        Ok(listener) => listener,
        Err(fault) => return tracing::error!("core {} cannot listen: {fault}", seed.core),
    };
    let context = Rc::new(Context {
        cluster: seed.settings.cluster,
        readers: seed.readers,
        inboxes: seed.inboxes,
        tickets: Tickets::new(seed.core),
        positions: seed.positions,
        stats: seed.stats,
        access_log: seed.settings.process.access_log,
        draining: Rc::default(),
        intake: Intake::default(),
    });
    let drain = Drain::new();
    // This task outlives the context: it must not hold the inboxes, or no owner would ever end.
    let (start, draining) = (drain.clone(), context.draining.clone());
    rt::spawn_local(take_messages(lane, context.tickets.clone(), move || {
        draining.set(true);
        start.start();
    }));
    let handler = Rc::new(move |request| front::handle(&context, request));
    net::serve(listener, handler, Limits::default(), drain, seed.net).await;
}

/// The life of the admin executor.
async fn serve_admin(overview: Overview, sockets: Vec<TcpListener>, lane: Receiver<Message>) {
    let drain = Drain::new();
    let draining = drain.clone();
    rt::spawn_local(take_messages(lane, Tickets::new(0), move || draining.start()));
    let overview = Rc::new(overview);
    for socket in sockets {
        let listener = match rt::Listener::new(socket) {
            Ok(listener) => listener,
            Err(fault) => return tracing::error!("the admin port cannot listen: {fault}"),
        };
        let overview = overview.clone();
        let handler = Rc::new(move |request| admin::handle(overview.clone(), request));
        net::serve(listener, handler, Limits::default(), drain.clone(), Arc::default()).await;
    }
}

/// Takes what other threads send to this core.
async fn take_messages(
    mut lane: Receiver<Message>,
    tickets: Tickets,
    at_drain: impl Fn() + 'static,
) {
    let mut messages = Vec::new();
    while lane.recv_many(&mut messages, MESSAGES_A_TURN).await > 0 {
        for message in messages.drain(..) {
            match message {
                Message::Told(all) => all.into_iter().for_each(|told| tickets.tell(told)),
                Message::Drain => at_drain(),
            }
        }
    }
}
