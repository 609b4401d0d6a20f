//! What is asked of the peers, and who can be asked it.

use super::peer::Peer;

/// One way of asking.
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// `2` or `1.1`.
    pub http: &'static str,
    pub connections: usize,
    /// Requests in flight a connection.
    pub depth: usize,
    /// Whether a request asks for 100 records; only Pumice can.
    pub batch: bool,
}

/// All of them.
pub const ALL: [Scenario; 6] = [
    Scenario::reads("h2-8x100", "HTTP/2, 8 connections of 100 streams", "2", 8, 100),
    Scenario::reads("h2-64x1", "HTTP/2, 64 connections of 1 stream", "2", 64, 1),
    Scenario::reads("h2-64x32", "HTTP/2, 64 connections of 32 streams", "2", 64, 32),
    Scenario::reads("h1-64", "HTTP/1.1 keep-alive, 64 connections", "1.1", 64, 1),
    Scenario::reads("h1-64x16", "HTTP/1.1, 64 connections, pipelines of 16", "1.1", 64, 16),
    Scenario {
        batch: true,
        ..Scenario::reads("batch-100", "HTTP/2, reads of 100 keys, 8 connections of 4", "2", 8, 4)
    },
];

impl Scenario {
    const fn reads(
        name: &'static str,
        about: &'static str,
        http: &'static str,
        connections: usize,
        depth: usize,
    ) -> Self {
        Self { name, about, http, connections, depth, batch: false }
    }

    /// Whether a peer can be asked this.
    pub fn fits(&self, peer: Peer) -> bool {
        let speaks = match self.http {
            "2" => peer.speaks_2(),
            _ => peer.speaks_1(),
        };
        speaks && (peer.has_records() || !self.batch)
    }
}
