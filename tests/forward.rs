//! Reads and writes across nodes, without a log to share: several nodes in this process, each with
//! a shard of its own on real sockets, and routes made by hand. What a node does not hold lies at
//! another alone, so that an answer shows who gave it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[allow(dead_code, reason = "the side of a client is the TLS suite's")]
#[path = "tls/authority.rs"]
mod authority;
#[path = "forward/faults.rs"]
mod faults;
#[path = "forward/many.rs"]
mod many;
#[path = "forward/node.rs"]
mod node;
#[path = "forward/peers.rs"]
mod peers;
#[path = "forward/secure.rs"]
mod secure;
mod server;
#[path = "forward/single.rs"]
mod single;
#[path = "forward/together.rs"]
mod together;
