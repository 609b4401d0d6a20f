//! HTTP/2 for a server (RFC 9113), without prior knowledge of anything but bytes: `serve` moves
//! them, `connection` understands them. Reads that came in one receive are answered together. On
//! the core that accepted the connection; a peer must never make it hold or do more than
//! [`super::Limits`] say.

mod away;
mod body;
mod calm;
mod connection;
mod control;
mod fault;
mod frame;
mod head;
pub mod hpack;
mod reply;
mod request;
mod serve;
mod settings;
mod streams;
mod window;

#[cfg(test)]
mod tests;

pub use body::Inflow;
pub(super) use serve::{Buffers, serve};
