//! Gossip's datagrams over one UDP socket, sealed and counted. On the cluster's thread. What it
//! cannot read is dropped with one warning a minute and sender, and never answered.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, net};

use anyhow::Context as _;
use async_trait::async_trait;
use chitchat::transport::{Socket, Transport};
use chitchat::{ChitchatMessage, Deserializable as _, Serializable as _};
use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::seal::{DATAGRAM_BYTES_MAX, Sealing, Unread};
use crate::stats::cluster::ClusterStats;

/// A big cluster's datagrams come in bursts; the operating system may grant less.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// A sender that is not understood is told of so often.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Senders that are remembered for it, at most; more are counted and not told of.
const SENDERS_MAX: usize = 256;
/// A socket that fails and fails is looked at again after this long.
const REST: Duration = Duration::from_millis(100);

/// Binds the address of gossip.
///
/// # Errors
/// Of the operating system.
pub fn bind(address: SocketAddr) -> io::Result<net::UdpSocket> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The way to peers. It opens once.
pub struct Udp {
    socket: Mutex<Option<net::UdpSocket>>,
    cluster: String,
    secret: Option<String>,
    stats: Arc<ClusterStats>,
}

impl Udp {
    /// Over `socket`, which is bound, among those of `cluster` who know `secret`.
    pub fn new(
        socket: net::UdpSocket,
        cluster: &str,
        secret: Option<&str>,
        stats: Arc<ClusterStats>,
    ) -> Self {
        let (cluster, secret) = (cluster.to_owned(), secret.map(str::to_owned));
        Self { socket: Mutex::new(Some(socket)), cluster, secret, stats }
    }
}

#[async_trait]
impl Transport for Udp {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner).take();
        let socket = socket.context("the socket of gossip is open already")?;
        // As much of it as is granted will do.
        let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        Ok(Box::new(Open {
            socket: UdpSocket::from_std(socket)?,
            sealing: Sealing::new(self.secret.as_deref(), &self.cluster),
            cluster: self.cluster.clone(),
            stats: self.stats.clone(),
            buffer: vec![0; DATAGRAM_BYTES_MAX + 1].into(),
            warned: HashMap::new(),
        }))
    }
}

struct Open {
    socket: UdpSocket,
    sealing: Sealing,
    cluster: String,
    stats: Arc<ClusterStats>,
    buffer: Box<[u8]>,
    warned: HashMap<IpAddr, Instant>,
}

#[async_trait]
impl Socket for Open {
    /// A datagram that does not leave is lost, as others are on their way: gossip goes on.
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        let datagram = self.sealing.write(&message.serialize_to_vec())?;
        match self.socket.send_to(&datagram, to).await {
            Ok(bytes) => {
                self.stats.sent.add(1);
                self.stats.sent_bytes.add(bytes as u64);
            }
            Err(error) => {
                self.stats.unsent.add(1);
                tracing::debug!("gossip: {} bytes did not leave for {to}: {error}", datagram.len());
            }
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            let (bytes, from) = match self.socket.recv_from(&mut self.buffer).await {
                Ok(received) => received,
                // Linux tells here that a datagram before found nobody: no fault of this socket.
                Err(error) => {
                    tracing::debug!("gossip: {error}");
                    tokio::time::sleep(REST).await;
                    continue;
                }
            };
            self.stats.received.add(1);
            self.stats.received_bytes.add(bytes as u64);
            if let Some(message) = self.read(bytes, from) {
                return Ok((from, message));
            }
        }
    }
}

impl Open {
    fn read(&mut self, bytes: usize, from: SocketAddr) -> Option<ChitchatMessage> {
        let message = match self.sealing.read(&self.buffer[..bytes]) {
            Ok(message) => message,
            Err(why) => {
                self.dropped(from, why);
                return None;
            }
        };
        match ChitchatMessage::deserialize(&mut message.as_slice()) {
            Ok(ChitchatMessage::Syn { cluster_id, .. }) if cluster_id != self.cluster => {
                self.stats.foreign.add(1);
                let ours = &self.cluster;
                self.warn(from, &format!("is of {cluster_id}, and this is {ours}"));
                None
            }
            // A member never says so: it drops what is not of its cluster.
            Ok(ChitchatMessage::BadCluster) => None,
            Ok(message) => Some(message),
            Err(_) => {
                self.dropped(from, Unread::Garbled);
                None
            }
        }
    }

    fn dropped(&mut self, from: SocketAddr, why: Unread) {
        let (count, why) = match why {
            Unread::Open => (&self.stats.unsealed, "knows no --cluster-secret-file, and we do"),
            Unread::Sealed => {
                (&self.stats.unsealed, "has a --cluster-secret-file, and we have none")
            }
            Unread::Seal => {
                (&self.stats.unsealed, "has another --cluster-secret-file or --namespace")
            }
            Unread::Garbled => {
                (&self.stats.garbled, "is nothing that a pumice of this version says")
            }
        };
        count.add(1);
        self.warn(from, why);
    }

    fn warn(&mut self, from: SocketAddr, why: &str) {
        let now = Instant::now();
        self.warned.retain(|_, at| now - *at < WARN_EVERY);
        if self.warned.len() < SENDERS_MAX && !self.warned.contains_key(&from.ip()) {
            self.warned.insert(from.ip(), now);
            tracing::warn!("gossip from {from} is dropped: it {why}");
        }
    }
}
