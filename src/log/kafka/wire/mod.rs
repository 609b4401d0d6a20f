//! What is said to brokers: connections of our own, one request in flight on each, every call in a
//! deadline. Log's thread; knows the protocol's messages and nothing of partitions that are
//! followed or written.

mod call;
mod connection;
mod fault;
mod sasl;
mod tls;

pub use connection::{Access, Connection};
pub use fault::Fault;
pub use tls::trusted;
