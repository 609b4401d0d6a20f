//! Snapshots of partitions: taken from one read transaction, uploaded from a spool or given to a
//! peer, restored through the owner of the shard. On the side thread of the objects and on blocking
//! threads beside it, never on a core; rows are only ever made live by their shard.
//!
//! ```text
//!   take     View::export -> frames -> spool         one transaction, no network
//!   upload   spool -> rows object -> read back -> manifest -> read back
//!   catalog  what is there, and what of it is good   prune  what of it may go
//!   download rows object -> checked frames           verify every checksum and the state hash
//!   restore  which snapshot, the newest that is good
//!   give     spool -> a core -> a peer that takes over   holder   the same, as that peer sees it
//!   handover which way first                             bring    way after way, until one will do
//!   install  checked frames of a source -> jobs of the owner -> live
//!   round    partition after partition, then prune
//!   service  who asks for which, and when
//! ```
//!
//! Invariant: a manifest is written after its rows were read back, and removed before them.
//! Invariant: what is made live has the state hash of its manifest.

pub mod bring;
pub mod catalog;
pub mod download;
pub mod frames;
pub mod give;
pub mod handover;
pub mod holder;
pub mod install;
pub mod place;
pub mod prune;
pub mod restore;
mod round;
pub mod service;
pub mod source;
mod stage;
pub mod take;
pub mod upload;
pub mod verify;
