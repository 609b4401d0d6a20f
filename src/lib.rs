//! The server: layers that import downward only, drawn in docs/ARCHITECTURE.md.
//! A library so that the binary, the benches and the tests share it; its only stable face is the
//! wire.

pub mod rt;

pub mod clock;
pub mod settings;
pub mod signals;
pub mod stats;

pub mod datadir;
pub mod mesh;
pub mod net;
pub mod objects;
pub mod peer;

pub mod log;
pub mod snapshot;

pub mod admin;
pub mod cluster;
pub mod front;
pub mod owner;

pub mod node;

pub mod args;
pub mod cli;
