//! What one core counts about its connections. Written by that core alone, read by the admin
//! thread.

use super::counter::{Counter, Gauge};

/// The counts of one core's connections.
#[derive(Debug, Default)]
pub struct NetStats {
    /// Connections accepted, those over the limit included.
    pub accepted: Counter,
    /// Connections being served now.
    pub open: Gauge,
    /// Connections that were served and have ended, however they did.
    pub closed: Counter,
    /// Connections closed at once because the core had its limit of them.
    pub over_limit: Counter,
    /// Times that no connection could be accepted for want of descriptors or memory.
    pub accept_failed: Counter,
    /// Connections cut because the peer kept us waiting: for a head, or to take its replies.
    pub timed_out: Counter,
    /// Connections ended by bytes that are no HTTP, or by a breach of HTTP/2.
    pub protocol_errors: Counter,
    /// Connections ended by a panic of their handler: a fault of ours.
    pub panicked: Counter,
    /// Connections still open at the deadline of a drain.
    pub cut_at_drain: Counter,
}

impl NetStats {
    /// The events of connections under the names that metrics give them.
    pub fn events(&self) -> [(&'static str, u64); 8] {
        [
            ("accepted", self.accepted.get()),
            ("closed", self.closed.get()),
            ("over_limit", self.over_limit.get()),
            ("accept_failed", self.accept_failed.get()),
            ("timed_out", self.timed_out.get()),
            ("protocol_error", self.protocol_errors.get()),
            ("panicked", self.panicked.get()),
            ("cut_at_drain", self.cut_at_drain.get()),
        ]
    }
}
