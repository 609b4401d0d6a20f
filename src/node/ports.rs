//! The sockets of a node, opened before anything else, so that a start that cannot have them leaves
//! nothing behind. Starting thread.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use super::fault::StartFault;
use crate::cluster::transport;
use crate::rt;
use crate::settings::ProcessSettings;

/// Where a node listens, with the ports that were really taken.
pub struct Ports {
    pub http: SocketAddr,
    /// One for each core.
    pub sockets: Vec<TcpListener>,
    pub admin: SocketAddr,
    pub admin_sockets: Vec<TcpListener>,
    /// Where peers are heard; what they say waits until the node joins.
    pub gossip: Option<UdpSocket>,
}

impl Ports {
    /// Opens all of them.
    pub fn open(process: &ProcessSettings) -> Result<Self, StartFault> {
        let (http, sockets) = listen_all(process.http, process.cores.len())?;
        let (admin, admin_sockets) = listen_all(process.admin, 1)?;
        let hear = |address| {
            transport::bind(address).map_err(|source| StartFault::Listen { address, source })
        };
        let gossip = process.gossip.as_ref().map(|gossip| hear(gossip.listen)).transpose()?;
        Ok(Self { http, sockets, admin, admin_sockets, gossip })
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
