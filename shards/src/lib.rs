//! The heart: one LMDB environment per shard, and the state machine that applies a log to it.
//! Synchronous and deterministic: the same log prefix gives the same logical state, for ever.
//! Knows no runtime, no socket, no clock and no random number; time arrives inside entries.
//!
//! ```text
//!   &[Logged] -> Writer::apply -> one write transaction, synced -> verdicts
//!                  apply      one entry: seen before? well formed? may it? make it, remember it
//!                  judge      form, conditions and expects, against the state before the entry
//!                  rows       rows and their expiry index        memory  producers and write ids
//!                  reap       what an entry removes besides
//!   Reader::read -> View, one read transaction in a closure: position, row, scan, check, export
//!   View::export -> logical rows as bytes -> Writer::stage, install -> live at another position
//!   Writer::release -> as if there had been no entry -> sweep, what was left over
//! ```
//!
//! Invariant: an entry is applied whole, or nothing of it is.
//! Invariant: what a partition holds depends on its entries and their order alone, never on how
//! they were cut into batches, on other partitions or on the machine.
//! Invariant: a [`Fault`] leaves the stored state and every offset as they were.
//! Invariant: a restore changes what is read in one transaction, and only to a state whose hash
//! is the one that came with it; a release does so to nothing.
//! Invariant: no key has a generation above the one that follows its partition's live one.
//! Invariant: a partition's stored hash equals the one that a scan of its rows gives.

mod apply;
mod check;
mod env;
mod export;
mod fault;
mod judge;
mod memory;
mod pages;
mod reader;
mod reap;
mod release;
mod rows;
mod scan;
mod stage;
mod sweep;
mod tables;
mod walk;
mod warm;
mod writer;

pub use check::{PartitionReport, Report, check};
pub use env::{Identity, OpenError, Options, open};
pub use export::{Counts, Export};
pub use fault::Fault;
pub use reader::{Reader, Usage, View};
pub use scan::{Range, Scan, Span};
pub use stage::StageFault;
pub use tables::Position;
pub use warm::Rows;
pub use writer::Writer;

const _: () = {
    const fn moves_to_a_thread<T: Send>() {}
    const fn is_shared_by_threads<T: Send + Sync>() {}
    moves_to_a_thread::<Writer>();
    is_shared_by_threads::<Reader>();
};
