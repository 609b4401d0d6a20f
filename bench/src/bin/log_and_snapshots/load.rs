//! Reads of records over HTTP/2: at a fixed rate whatever the answers do, each latency counted from
//! the moment at which the request should have been sent, or as fast as answers come. A process of
//! its own on one CPU, so that it can be given more say there than what it measures.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Args;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout;

use crate::Fallible;
use crate::peer::{Peer, request};

/// Requests are sent in small bursts, so often, each on one connection: as busy clients do, and so
/// that whoever asks is never what is slow.
const TICK: Duration = Duration::from_micros(100);
/// Requests that wait for their turn on one connection, at most: a second's worth.
const WAITING: usize = 1 << 14;
/// How long answers may take once nothing is asked any more.
const END: Duration = Duration::from_secs(5);

/// Reads keys.
#[derive(Debug, Args)]
pub struct Load {
    /// The server
    #[arg(long)]
    http: SocketAddr,
    /// A file with one path a line
    #[arg(long)]
    paths: PathBuf,
    /// Requests a second; as fast as answers come without
    #[arg(long)]
    rate: Option<f64>,
    /// How long
    #[arg(long)]
    seconds: u64,
    /// Connections
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Requests at once on a connection
    #[arg(long, default_value_t = 8)]
    streams: usize,
}

/// What all connections share.
struct Shared {
    streams: usize,
    blocks: Vec<Vec<u8>>,
    /// Until when answered requests are followed by others; nothing where a rate is kept.
    again_until: Option<Instant>,
    seen: RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    asked: u64,
    failed: u64,
    micros: Vec<u32>,
}

/// Prints `asked failed seconds p50 p99 p99.9 max`, the last four in microseconds.
pub fn run(load: &Load) -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (seen, seconds) = LocalSet::new().block_on(&runtime, drive(load))?;
    let Seen { asked, failed, mut micros } = seen;
    micros.sort_unstable();
    let at = |share: f64| {
        let place = (micros.len() as f64 * share) as usize;
        micros.get(place.min(micros.len().saturating_sub(1))).copied().unwrap_or(0)
    };
    let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), at(1.0));
    println!("{asked} {failed} {seconds:.3} {p50} {p99} {p999} {max}");
    Ok(())
}

async fn drive(load: &Load) -> Fallible<(Seen, f64)> {
    let authority = load.http.to_string();
    let paths = fs::read_to_string(&load.paths)?;
    let blocks: Vec<_> = paths.lines().map(|path| request(&authority, path)).collect();
    if blocks.is_empty() {
        return Err("no paths".into());
    }
    let began = Instant::now();
    let until = began + Duration::from_secs(load.seconds);
    let again_until = load.rate.is_none().then_some(until);
    let seen = RefCell::default();
    let shared = Rc::new(Shared { streams: load.streams, blocks, again_until, seen });
    let (mut ticks, mut connections) = (Vec::new(), Vec::new());
    for number in 0..load.connections {
        let stream = TcpStream::connect(load.http).await?;
        stream.set_nodelay(true)?;
        let (sender, receiver) = mpsc::channel(WAITING);
        if load.rate.is_none() {
            (0..load.streams).try_for_each(|_| sender.try_send(began))?;
        }
        ticks.push(sender);
        let connection = converse(stream, receiver, shared.clone(), number as u64);
        connections.push(spawn_local(connection));
    }
    match load.rate {
        Some(rate) => pace(rate, until, &ticks, &shared).await?,
        None => tokio::time::sleep_until(until.into()).await,
    }
    let seconds = began.elapsed().as_secs_f64();
    drop(ticks);
    for connection in connections {
        timeout(END, connection).await???;
    }
    Ok((shared.seen.take(), seconds))
}

/// Hands out as many requests as are due at each tick, to the connections in turn; one that finds
/// its connection's queue full has failed.
#[expect(deprecated, reason = "the descriptor lives as long as what is registered owns it")]
async fn pace(
    rate: f64,
    until: Instant,
    ticks: &[mpsc::Sender<Instant>],
    shared: &Shared,
) -> Fallible<()> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    let every = Itimerspec { it_interval: tick, it_value: tick };
    let began = Instant::now();
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &every)?;
    let timer = AsyncFd::new(timer)?;
    let (mut passed, mut sent) = (0_u32, 0_u64);
    while Instant::now() < until {
        let mut ready = timer.readable().await?;
        let mut expired = [0; 8];
        if rustix::io::read(timer.get_ref(), &mut expired).is_err() {
            ready.clear_ready();
            continue;
        }
        for _ in 0..u64::from_ne_bytes(expired) {
            passed += 1;
            let due = (f64::from(passed) * TICK.as_secs_f64() * rate) as u64;
            let since = began + TICK * passed;
            let connection = &ticks[passed as usize % ticks.len()];
            for _ in sent..due {
                if connection.try_send(since).is_err() {
                    shared.seen.borrow_mut().failed += 1;
                }
            }
            sent = due;
        }
    }
    Ok(())
}

/// One connection: asks as it is told, until nobody tells any more and everything is answered.
async fn converse(
    mut stream: TcpStream,
    mut ticks: mpsc::Receiver<Instant>,
    shared: Rc<Shared>,
    mut random: u64,
) -> Fallible<()> {
    let mut peer = Peer::new();
    let mut buffer = vec![0; 64 * 1_024];
    let mut waiting = Vec::new();
    let mut over = false;
    while !over || peer.flying() > 0 {
        stream.write_all(&peer.out).await?;
        peer.out.clear();
        let room = shared.streams - peer.flying();
        tokio::select! {
            read = stream.read(&mut buffer) => {
                let bytes = &buffer[..read?];
                let mut again = Vec::new();
                let going = peer.take(bytes, |answered| {
                    let now = Instant::now();
                    let mut seen = shared.seen.borrow_mut();
                    seen.failed += u64::from(!answered.well);
                    let micros = now.duration_since(answered.since).as_micros();
                    seen.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                    again.extend(shared.again_until.filter(|until| now < *until).map(|_| now));
                });
                if !going || bytes.is_empty() {
                    return Err("the server ended a connection".into());
                }
                waiting.append(&mut again);
            }
            told = ticks.recv_many(&mut waiting, room), if room > 0 && !over => over = told == 0,
        }
        for since in waiting.drain(..) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let block = &shared.blocks[(random >> 33) as usize % shared.blocks.len()];
            peer.ask(block, since);
            shared.seen.borrow_mut().asked += 1;
        }
    }
    Ok(())
}
