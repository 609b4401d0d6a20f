//! Snapshots of partitions in an object store: taken from one read transaction, uploaded from a
//! spool, restored through the owner of the shard. On the side thread of the objects and on
//! blocking threads beside it, never on a core; rows are only ever made live by their shard.
//!
//! ```text
//!   take     View::export -> frames -> spool         one transaction, no network
//!   upload   spool -> rows object -> read back -> manifest -> read back
//!   catalog  what is there, and what of it is good   prune  what of it may go
//!   download rows object -> checked frames           verify every checksum and the state hash
//!   restore  checked frames -> jobs of the owner -> install
//!   round    partition after partition, then prune
//!   service  who asks for which, and when
//! ```
//!
//! Invariant: a manifest is written after its rows were read back, and removed before them.
//! Invariant: what is made live has the state hash of its manifest.

pub mod catalog;
pub mod download;
pub mod frames;
pub mod place;
pub mod prune;
pub mod restore;
mod round;
pub mod service;
mod stage;
pub mod take;
pub mod upload;
pub mod verify;
