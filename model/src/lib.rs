//! The words of Pumice: ids, limits, keys, rows, mutations, entries, outcomes, conditions, wire.
//! Pure data and pure functions; every other crate speaks in these types.
//! Never knows a runtime, a socket, a file, a clock or a random number.

pub mod condition;
pub mod entry;
pub mod hash;
pub mod holding;
pub mod ids;
pub mod json;
pub mod key;
pub mod limits;
pub mod logical;
pub mod manifest;
pub mod mutation;
pub mod outcome;
pub mod placement;
pub mod row;
pub mod statehash;
pub mod time;
pub mod wire;
