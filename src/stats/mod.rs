//! Counts of every part of a node: relaxed atomics that their one thread writes and the admin
//! thread reads. No lock and no label that a request could make.

pub mod cluster;
pub mod core;
pub mod counter;
pub mod log;
pub mod net;
pub mod progress;
pub mod route;
pub mod shard;
pub mod snapshot;
