//! A partition that moves: streamed from a node that holds it, against a restore of its snapshot
//! from a directory, each into empty shards. Main thread; holder and newcomer are of this process
//! and share its CPUs, so that a figure is of both ends together.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use pumice::mesh::handover::{Asked, Asking, asks, known};
use pumice::mesh::routes::{Holder, Node as Member, Routes};
use pumice::mesh::wants::{Want, Wanted, Wanting, wants};
use pumice::rt::Runtime;
use pumice::settings::{Handover, ObjectsSettings, SnapshotSettings};
use pumice::snapshot::bring::Peers;
use pumice::snapshot::service::{Running, Setup, start};
use pumice::stats::snapshot::SnapshotStats;
use pumice_model::holding::Holding;
use pumice_model::ids::{Offset, Partition};
use pumice_shards::Position;
use tokio::sync::{mpsc, oneshot};

use crate::door::{Behind, Door};
use crate::entries::Entries;
use crate::node::{Node, SHARDS};
use crate::report::{cpu, median, timed};
use crate::{Fallible, apply, snapshots};

const MB: f64 = 1e6;
const P: Partition = Partition(0);

/// What is moved.
#[derive(Debug, Args)]
pub struct Move {
    /// An empty directory on the disk that is measured
    #[arg(long)]
    dir: PathBuf,
    /// Entries of the partition
    #[arg(long, default_value_t = 2_000_000)]
    entries: u64,
    /// Keys that they update
    #[arg(long, default_value_t = 700_000)]
    keys: u64,
    /// Rounds of each way
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The CPU that the side threads keep off
    #[arg(long, default_value_t = 0)]
    serving_cpu: usize,
}

/// Fills a partition and moves it both ways.
pub fn measure(told: &Move) -> Fallible<()> {
    let entries = Entries { total: told.entries, keys: told.keys };
    let holder = Node::open(&told.dir.join("holder"), 1, told.serving_cpu)?;
    let holder = apply::from_memory(holder, &entries)?;
    let objects = ObjectsSettings::Directory(told.dir.join("objects"));
    fs::create_dir_all(told.dir.join("objects"))?;
    let (asking, asked) = asks();
    let giving = service(&holder, &told.dir.join("spool"), With::giving(&objects, asked))?;
    let (packed, seconds) = timed(|| snapshots::take(&giving));
    let packed = packed?;
    println!("handover: {packed} bytes packed; the snapshot was taken in {seconds:.2} s");
    let runtime = Runtime::choose(None)?;
    let door = Door::open(runtime, behind(&holder, asking));
    for handover in [Handover::Stream, Handover::Snapshot] {
        let mut rates = Vec::new();
        for round in 1..=told.rounds {
            let dir = told.dir.join("newcomer");
            let newcomer = Node::open(&dir, 1, told.serving_cpu)?;
            let before = cpu();
            let brought = bring(&newcomer, &dir, handover, &objects, door.http)?;
            let spent = (cpu() - before).as_secs_f64();
            if brought.position != holder.held()?[0] {
                return Err("what came is not what the holder has".into());
            }
            let (bytes, seconds) = (brought.bytes as f64 / MB, brought.seconds);
            let rate = bytes / seconds;
            println!(
                "handover round {round}, {handover:?}: {} rows, {bytes:.1} MB of rows in \
                 {seconds:.2} s: {rate:.0} MB/s ({spent:.2} CPU s)",
                brought.position.rows
            );
            rates.push(rate);
            newcomer.close()?;
            fs::remove_dir_all(&dir)?;
        }
        println!("=> handover by {handover:?}, median: {:.0} MB/s", median(&rates));
    }
    drop(door);
    giving.stop();
    holder.close()
}

/// What came, and in which time from the wish on.
struct Brought {
    position: Position,
    bytes: u64,
    seconds: f64,
}

fn bring(
    newcomer: &Node,
    dir: &Path,
    handover: Handover,
    objects: &ObjectsSettings,
    http: SocketAddr,
) -> Fallible<Brought> {
    let ((wanting, wanted), (telling, known)) = (wants(), known());
    telling.send_replace(Arc::new(routes(http)));
    let peers = Some(Peers { handover, known, tls: None });
    let stats = Arc::<SnapshotStats>::default();
    let objects = (handover == Handover::Snapshot).then(|| objects.clone());
    let with = With { objects, wanted: Some(wanted), peers, asked: None, stats: stats.clone() };
    let running = service(newcomer, &dir.join("spool"), with)?;
    let (position, seconds) = timed(|| ask(&wanting));
    let position = position?.ok_or("nothing came")?;
    running.stop();
    Ok(Brought { position, bytes: stats.last_restored_bytes.get(), seconds })
}

/// Asks as a log does that has everything.
fn ask(wanting: &Wanting) -> Fallible<Option<Position>> {
    let (reply, answer) = oneshot::channel();
    let (proofs, mut questions) = mpsc::channel(1);
    let (covers, at_most) = (Offset(0), Offset(u64::MAX));
    wanting.blocking_send(Want { partition: P, covers, at_most, proofs, reply })?;
    while let Some(question) = questions.blocking_recv() {
        let _ = question.reply.send(true);
    }
    Ok(answer.blocking_recv()??)
}

/// What a service is for.
struct With {
    objects: Option<ObjectsSettings>,
    wanted: Option<Wanted>,
    peers: Option<Peers>,
    asked: Option<Asked>,
    stats: Arc<SnapshotStats>,
}

impl With {
    fn giving(objects: &ObjectsSettings, asked: Asked) -> Self {
        let (objects, asked) = (Some(objects.clone()), Some(asked));
        Self { objects, wanted: None, peers: None, asked, stats: Arc::default() }
    }
}

fn service(node: &Node, spool: &Path, with: With) -> Fallible<Running> {
    let (spool_dir, keep_for) = (spool.to_owned(), Duration::ZERO);
    Ok(start(Setup {
        objects: with.objects,
        snapshots: SnapshotSettings { interval: None, keep: 1, keep_for, spool_dir },
        cluster: node.cluster.clone(),
        shards: SHARDS,
        readers: node.readers.clone(),
        feeders: node.feeders.clone(),
        wanted: with.wanted,
        peers: with.peers,
        asked: with.asked,
        progress: None,
        stats: with.stats,
        serving: node.serving.clone(),
    })?)
}

fn behind(node: &Node, asking: Asking) -> Behind {
    Behind {
        cluster: node.cluster.clone(),
        readers: node.readers.clone(),
        positions: node.positions.clone(),
        progress: None,
        handover: Some(asking),
        tls: None,
    }
}

fn routes(http: SocketAddr) -> Routes {
    let member = |id: &str, http: String| {
        let (id, region, group) = (id.to_owned(), "here".to_owned(), "a".to_owned());
        Member { id, region, group, http, draining: false }
    };
    let nodes = vec![member("newcomer", String::new()), member("holder", http.to_string())];
    let holder = Holder { node: 1, holding: Holding::Serving, next: Offset(1) };
    Routes { version: 1, nodes, me: 0, holders: vec![vec![holder]] }
}
