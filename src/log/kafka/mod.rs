//! Order from a Kafka cluster: this node's entries go into its topic, and what the topic has comes
//! back to the owners. One side thread, `log`, that no other waits for once it has started; it
//! never judges an entry and never skips one.

mod backoff;
mod cluster;
mod compress;
mod configs;
mod decode;
mod dispatch;
mod fault;
mod fetch;
mod first_record;
mod follow;
mod gate;
mod keepers;
mod lane;
mod locate;
mod produce;
mod queue;
mod records;
mod side;
mod start;
mod taker;
mod tickets;
mod topics;
mod watch;
mod wire;

pub use fault::LogFault;
pub use start::{Running, Setup, start};
pub use taker::{Taken, taker};
