//! What one core allows its peers, with the reason beside each number. Nothing a peer does may
//! cost more than these say.

use std::time::Duration;

/// Limits of one listener on one core.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at once. An idle one holds some 2 KiB over HTTP/2, 14 KiB inside TLS; 16,384
    /// leave room for the 10,000 idle ones that pools of many clients hold, within 300 MiB.
    pub connections: usize,
    /// From a connection's first moment, or from the first byte of a later HTTP/1 request, to the
    /// end of the head. Ten seconds pass three lost packets and no slow sender.
    pub head_time: Duration,
    /// How long a peer may leave replies untaken without taking a single byte or frame. Thirty
    /// seconds survive a change of network; what is held meanwhile is bounded by the rest here.
    pub stall_time: Duration,
    /// From [`super::Drain::start`] until connections that are still busy are cut.
    pub drain_time: Duration,
    /// Bytes of an HTTP/1 head, and of an HTTP/2 header list. The longest legitimate one is a key
    /// of 512 + 1,024 bytes, percent-encoded to three times that, with its token headers.
    pub head_size: usize,
    /// Bytes buffered in each direction of an HTTP/1 connection; the least hyper takes is 8 KiB.
    /// Pipelined requests beyond it wait in the kernel.
    pub h1_buffer: usize,
    /// HTTP/2 requests in progress at once on one connection; more wait at the client.
    pub h2_streams: u32,
    /// Bytes a client may send of one request body before we take them. A batch of the largest
    /// entry (960 KiB) then needs no second round trip.
    pub h2_stream_window: u32,
    /// The same for all bodies of a connection together: what it can make us hold.
    pub h2_connection_window: u32,
    /// Bytes that may wait for the socket of an HTTP/2 connection. Above them it reads no request
    /// and asks no body for more; the answers of one batch may go beyond.
    pub h2_send_buffer: usize,
    /// Silence after which an HTTP/2 peer is asked for a sign of life. Balancers drop idle
    /// connections after 60 s and more; 10,000 idle ones cost 220 pings a second.
    pub h2_ping_after: Duration,
    /// How long the sign may take.
    pub h2_ping_time: Duration,
    /// Streams of one receive that a peer opened and reset before we looked at them
    /// (CVE-2023-44487, "rapid reset"): as many as may be open at once. A user who goes back and
    /// forth makes one or two; a node whose peer stood still takes back all it asked meanwhile.
    pub h2_pending_resets: usize,
    /// Streams that we reset for the peer's faults (CVE-2025-8671, "made you reset"). An honest
    /// client makes none, a clumsy one a few.
    pub h2_error_resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 16_384,
            head_time: Duration::from_secs(10),
            stall_time: Duration::from_secs(30),
            drain_time: Duration::from_secs(10),
            head_size: 16 << 10,
            h1_buffer: 64 << 10,
            h2_streams: 256,
            h2_stream_window: 1 << 20,
            h2_connection_window: 4 << 20,
            h2_send_buffer: 64 << 10,
            h2_ping_after: Duration::from_secs(45),
            h2_ping_time: Duration::from_secs(20),
            h2_pending_resets: 256,
            h2_error_resets: 256,
        }
    }
}
