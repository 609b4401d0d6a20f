//! How a node meets its peers: the values that `cluster` reads, and how `resolve` comes to them.
//! Lives on the starting thread; it must never resolve a name nor bind an address.

use std::net::SocketAddr;

use super::sources::Gathered;
use super::{Secret, Surroundings, names, values};

/// What means something with `--gossip` only.
const OF_GOSSIP: [&str; 7] =
    ["seeds", "node-id", "region", "replica-group", "advertise", "cluster-secret-file", "handover"];
/// Whoever records one datagram may try secrets for as long as they like.
const SECRET_BYTES_MIN: usize = 16;

/// Whether a setting means something with gossip only, or is its address.
pub fn is_of_gossip(name: &str) -> bool {
    name == "gossip" || OF_GOSSIP.contains(&name)
}

/// From where a partition that a node takes over is restored first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// The objects, or nothing.
    Snapshot,
    /// A node that holds it, wherever that stands.
    Stream,
    /// A node of the same region that holds it, then the objects, then a node of another region.
    Auto,
}

impl Handover {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("auto", Self::Auto), ("snapshot", Self::Snapshot), ("stream", Self::Stream)];
}

/// A node that has peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GossipSettings {
    /// Where it hears them, over UDP; port 0 means any free one.
    pub listen: SocketAddr,
    /// `HOST:PORT` where others may be heard; none is for a first node.
    pub seeds: Vec<String>,
    /// 1 to 64 of `[a-zA-Z0-9._-]`; `None` is made of the advertised address.
    pub node_id: Option<String>,
    /// Where it stands.
    pub region: String,
    /// Which copy of everything it is a part of.
    pub group: String,
    /// `HOST:PORT` at which peers and clients reach its public port; `None` is that of `--http`.
    pub advertise: Option<String>,
    /// What a datagram must prove to know; `None` takes everybody's.
    pub secret: Option<Secret>,
    /// From where it restores what it takes over.
    pub handover: Handover,
}

impl GossipSettings {
    /// What was said of gossip; nothing where the node is alone, or, beside a fault, where that
    /// does not do.
    pub(super) fn resolve(
        said: &mut Gathered,
        around: &Surroundings,
        http: Option<SocketAddr>,
    ) -> Option<GossipSettings> {
        if !said.told("gossip") {
            OF_GOSSIP.iter().for_each(|name| said.needless(name, "--gossip"));
            return None;
        }
        if said.text("log").as_deref() == Some("embedded") {
            let message = "needs --log kafka: the order of an embedded log is its own node's alone";
            said.fault("gossip", message.to_owned());
        }
        let listen = said.parse("gossip", values::address);
        let seeds = said.parse("seeds", names::hosts).unwrap_or_default();
        let node_id = said.parse("node-id", |text| names::label(text, "a node's name"));
        let region = said.parse("region", |text| names::label(text, "a region"));
        let group = said.parse("replica-group", |text| names::label(text, "a replica group"));
        let advertise = said.parse("advertise", names::host);
        if let (Some(http), false) = (http, said.told("advertise"))
            && http.ip().is_unspecified()
        {
            let message = format!(
                "--http {http} is no address that peers could reach; give the HOST:PORT at which \
                 they reach this node"
            );
            said.fault("advertise", message);
        }
        let secret = said.secret_file("cluster-secret-file", around);
        if secret.as_ref().is_some_and(|secret| secret.reveal().len() < SECRET_BYTES_MIN) {
            let message = format!("holds a secret of fewer than {SECRET_BYTES_MIN} bytes");
            said.fault("cluster-secret-file", message);
        }
        let handover = said.parse("handover", |text| values::one_of(text, Handover::WORDS))?;
        let (listen, region, group) = (listen?, region?, group?);
        Some(GossipSettings { listen, seeds, node_id, region, group, advertise, secret, handover })
    }

    /// `HOST:PORT` at which peers and clients reach the public port, which listens at `http`.
    pub fn advertised(&self, http: SocketAddr) -> String {
        self.advertise.clone().unwrap_or_else(|| http.to_string())
    }

    /// `HOST:PORT` at which peers reach the admin port, which listens at `admin`: its own address,
    /// or the advertised host where it listens on all of them.
    pub fn advertised_admin(&self, http: SocketAddr, admin: SocketAddr) -> String {
        let advertised = self.advertised(http);
        match advertised.rsplit_once(':') {
            Some((host, _)) if admin.ip().is_unspecified() => format!("{host}:{}", admin.port()),
            _ => admin.to_string(),
        }
    }

    /// The node's name, with the public port at `http`.
    pub fn id(&self, http: SocketAddr) -> String {
        self.node_id.clone().unwrap_or_else(|| names::label_of(&self.advertised(http)))
    }
}
