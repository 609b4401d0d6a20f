//! Bringing back what the log wants restored: from the objects or from a node that holds it, in
//! the order that the settings and the routes give. On the objects' side thread; whatever fails
//! leaves the partition as it was, and the next way is tried.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use pumice_model::ids::Offset;
use pumice_model::manifest::Manifest;
use pumice_shards::Position;
use rustls::ClientConfig;
use tokio::time::{sleep, timeout};

use super::catalog::{Whose, foreign};
use super::download::ReadFault;
use super::handover::{Source, sources};
use super::holder::{AskFault, ask};
use super::install::{Installer, RestoreFault, Tried};
use super::restore::{AT_ONCE, Restorer, Wish};
use super::service::Service;
use super::source::Rows;
use crate::mesh::handover::Known;
use crate::mesh::routes::{Node, Routes};
use crate::mesh::wants::{Want, Wanted};
use crate::settings::Handover;

/// How long a node that has just started waits to hear of its peers.
const UNHEARD: Duration = Duration::from_secs(5);
/// How long lies between two rounds while a holder is busy, and how long there are any.
const BUSY: Duration = Duration::from_secs(2);
const BUSY_TIME: Duration = Duration::from_secs(600);

/// Where a node with peers looks besides the objects.
pub struct Peers {
    /// Which way comes first.
    pub handover: Handover,
    /// Who holds what.
    pub known: Known,
    /// TLS to them; `None` speaks to them in clear text.
    pub tls: Option<Arc<ClientConfig>>,
}

/// What came of asking one holder.
enum Asked {
    Installed(Position),
    Busy,
    Not(String),
}

impl Service {
    /// Restores what the log wants, a few at a time.
    pub async fn wants(&self, wanted: Option<Wanted>) {
        let Some(mut wanted) = wanted else { return };
        let wants = stream::poll_fn(|context| wanted.poll_recv(context));
        wants.for_each_concurrent(AT_ONCE, async |want| self.bring(want).await).await;
    }

    async fn bring(&self, want: Want) {
        let Want { partition, covers, at_most, proofs, reply } = want;
        let began = Instant::now();
        let installer = || Installer {
            cluster: &self.cluster,
            feeders: &self.feeders,
            stats: &self.stats,
            proofs: Some(&proofs),
            step: &|_, _| {},
        };
        let wish = Wish { partition, covers, at_most, followed: true };
        let restored = tokio::select! {
            biased;
            // What it staged goes when the partition is released.
            () = proofs.closed() => return,
            restored = self.by_any_way(&wish, installer) => restored,
        };
        match &restored {
            Ok(Some(position)) => {
                let took = began.elapsed();
                self.stats.last_restored_micros.set(took.as_micros() as u64);
                let next = position.next;
                tracing::info!("partition {partition} restored, next offset {next}, {took:.1?}");
            }
            Ok(None) => tracing::info!("partition {partition} has no snapshot that fits"),
            Err(RestoreFault::Unwanted) => return,
            Err(why) => tracing::warn!("partition {partition} is not restored: {why}"),
        }
        // The log does not wait any more when the node stops.
        let _ = reply.send(restored.map_err(|fault| fault.to_string()));
    }

    /// Tries one way after the other; `None` when there is nothing anywhere.
    async fn by_any_way<'a>(
        &self,
        wish: &Wish,
        installer: impl Fn() -> Installer<'a>,
    ) -> Result<Option<Position>, RestoreFault> {
        let handover = self.peers.as_ref().map_or(Handover::Snapshot, |peers| peers.handover);
        let until = Instant::now() + BUSY_TIME;
        let (has_gap, mut in_vain) = (wish.covers > Offset(0), HashSet::new());
        let mut rounds = 0;
        let mut fault = None;
        loop {
            // Anew each time: who holds it may have changed.
            let routes = self.routes().await;
            let ways = sources(handover, &routes, wish.partition, self.objects.is_some(), has_gap);
            let mut is_busy = false;
            for way in ways {
                let tried = match (way, &self.objects) {
                    (Source::Objects, Some(objects)) if rounds == 0 => {
                        Restorer { objects, installer: installer() }.newest(wish).await
                    }
                    (Source::Objects, _) => continue,
                    (Source::Holders(nodes), _) => {
                        let nodes = nodes.iter().filter_map(|at| routes.nodes.get(*at));
                        let installer = installer();
                        let asked = self.ask_holders(nodes, wish, &installer, &mut in_vain).await;
                        is_busy |= matches!(asked, Ok(None));
                        asked
                    }
                };
                match tried {
                    Ok(Some(position)) => return Ok(Some(position)),
                    Ok(None) => {}
                    Err(RestoreFault::Unwanted) => return Err(RestoreFault::Unwanted),
                    Err(why) => fault = Some(why),
                }
            }
            if !is_busy {
                break;
            }
            if Instant::now() >= until {
                fault = Some(RestoreFault::Store(AskFault::Busy.to_string()));
                break;
            }
            rounds += 1;
            sleep(BUSY).await;
        }
        match fault {
            Some(fault) => Err(fault),
            // The log's beginning has gone, and a holder may yet be heard of.
            None if handover != Handover::Snapshot && wish.covers > Offset(0) => {
                Err(RestoreFault::Store("nobody is known who serves it".to_owned()))
            }
            None => Ok(None),
        }
    }

    /// Who holds what, as far as is known; at a node's start that may take a moment.
    async fn routes(&self) -> Arc<Routes> {
        let peers = self.peers.as_ref().filter(|peers| peers.handover != Handover::Snapshot);
        let Some(peers) = peers else { return Arc::default() };
        let mut known = peers.known.clone();
        let heard = timeout(UNHEARD, known.wait_for(|routes| routes.version > 0)).await;
        match heard {
            Ok(Ok(routes)) => routes.clone(),
            // Nobody tells any more, or nobody has told yet.
            Ok(Err(_)) | Err(_) => peers.known.borrow().clone(),
        }
    }

    /// Asks one holder after the other, but none again that was asked `in_vain`; `None` when one
    /// may give it later.
    async fn ask_holders<'n>(
        &self,
        nodes: impl Iterator<Item = &'n Node>,
        wish: &Wish,
        installer: &Installer<'_>,
        in_vain: &mut HashSet<String>,
    ) -> Result<Option<Position>, RestoreFault> {
        let (mut why, mut is_busy) = (String::from("every holder was asked in vain"), false);
        for node in nodes {
            if in_vain.contains(&node.id) {
                continue;
            }
            match self.ask_holder(node, wish, installer).await? {
                Asked::Installed(position) => {
                    self.stats.streamed.add(1);
                    tracing::info!("partition {} streamed from {}", wish.partition, node.id);
                    return Ok(Some(position));
                }
                Asked::Busy => is_busy = true,
                Asked::Not(because) => {
                    tracing::info!("partition {}: {}: {because}", wish.partition, node.id);
                    why = format!("{}: {because}", node.id);
                    in_vain.insert(node.id.clone());
                }
            }
        }
        if is_busy {
            return Ok(None);
        }
        self.stats.restore_failures.add(1);
        Err(RestoreFault::Store(why))
    }

    async fn ask_holder(
        &self,
        node: &Node,
        wish: &Wish,
        installer: &Installer<'_>,
    ) -> Result<Asked, RestoreFault> {
        let tls = self.peers.as_ref().and_then(|peers| peers.tls.as_ref());
        let mut stream = match ask(&node.id, &node.http, tls, wish.partition).await {
            Ok(stream) => stream,
            Err(AskFault::Busy) => return Ok(Asked::Busy),
            Err(AskFault::Not(why)) => return Ok(Asked::Not(why)),
        };
        let manifest = stream.manifest().await.and_then(|manifest| self.checked(manifest, wish));
        let tried = match manifest {
            Ok(manifest) => {
                let rows = Rows::Holder(Box::new(stream));
                match installer.install(&node.id, &manifest, rows, wish.at_most).await {
                    Err(RestoreFault::Shard(why)) => return Ok(Asked::Not(why)),
                    tried => tried?,
                }
            }
            Err(fault) => Tried::from(fault),
        };
        Ok(match tried {
            Tried::Installed(position) => Asked::Installed(position),
            Tried::Gone => Asked::Not("it has gone".to_owned()),
            Tried::Bad(why) => {
                self.stats.bad_found.add(1);
                tracing::error!("what {} streams is not restored: {why}", node.id);
                Asked::Not(why)
            }
            Tried::Foreign(why) | Tried::Unread(why) => Asked::Not(why),
        })
    }

    /// A holder's manifest, when it is of what was asked for.
    fn checked(&self, manifest: Manifest, wish: &Wish) -> Result<Manifest, ReadFault> {
        let about = &manifest.about;
        if let Some(why) = foreign(about, &Whose::from(&self.cluster)) {
            return Err(ReadFault::Foreign(why));
        }
        if about.partition != wish.partition {
            return Err(ReadFault::Bad(format!("it is of partition {}", about.partition)));
        }
        if about.next < wish.covers || about.next == Offset(0) {
            let (next, covers) = (about.next, wish.covers);
            let why = format!("it ends before {next}, and the log begins at {covers}");
            return Err(ReadFault::Off(why));
        }
        Ok(manifest)
    }
}
