//! Joining the cluster, for a node that has peers: after its log has started and before it serves;
//! and how it speaks to them.
//! Starting thread.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use rustls::ClientConfig;

use super::fault::StartFault;
use super::order::Order;
use crate::cluster::thread::{self, Running, Setup};
use crate::mesh::home::Home;
use crate::mesh::positions::Positions;
use crate::peer;
use crate::settings::{ProcessSettings, Settings};
use crate::stats::cluster::ClusterStats;
use crate::stats::core::CoreStats;

/// What a node joins with.
pub struct Joining<'a> {
    pub settings: &'a Settings,
    pub http: SocketAddr,
    pub admin: SocketAddr,
    pub home: &'a Home,
    pub positions: &'a Positions,
    pub cores: &'a [Arc<CoreStats>],
}

/// A node's part in its cluster, and what it counts there.
pub type Joined = (Arc<ClusterStats>, Running);

/// The TLS that peers are spoken to with: where it is said whom to trust, or nothing else is spoken
/// here, and so by them.
pub fn tls(process: &ProcessSettings) -> Result<Option<Arc<ClientConfig>>, StartFault> {
    let speaks = process.tls.as_ref().filter(|tls| tls.peer_ca.is_some() || tls.only);
    let Some(tls) = speaks.filter(|_| process.gossip.is_some()) else { return Ok(None) };
    peer::client_tls(tls.peer_ca.as_deref()).map(Some).map_err(StartFault::PeerTls)
}

impl Joining<'_> {
    /// Joins over `socket`; nothing to do without one. When that fails, everything that `order`
    /// started has ended.
    pub fn join(
        &self,
        socket: Option<UdpSocket>,
        mut order: Order,
    ) -> Result<(Order, Option<Joined>), StartFault> {
        let ways = order.holds.take().zip(order.telling.take());
        let peers = self.settings.process.gossip.clone().zip(ways);
        let (Some((settings, (holds, telling))), Some(socket), Some(progress)) =
            (peers, socket, order.progress.clone())
        else {
            return Ok((order, None));
        };
        let stats = Arc::<ClusterStats>::default();
        let setup = Setup {
            settings,
            cluster: self.settings.cluster.clone(),
            http: self.http,
            admin: self.admin,
            progress,
            positions: self.positions.clone(),
            holds,
            home: self.home.clone(),
            telling,
            stats: stats.clone(),
            cores: self.cores.to_vec(),
            serving: self.settings.process.cores.clone(),
        };
        match thread::start(setup, socket) {
            Ok(running) => Ok((order, Some((stats, running)))),
            Err(fault) => {
                // The owners must let go of their shards before the directory can.
                drop(order.ways);
                order.stopping.stop();
                Err(fault.into())
            }
        }
    }
}
