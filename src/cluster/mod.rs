//! The cluster: who its members are, who should hold what, and what this node does about it. On a
//! side thread of its own; no read waits for it.

pub mod gossip;
mod heard;
pub mod said;
mod seal;
pub mod shown;
pub mod steer;
mod steering;
pub mod table;
pub mod thread;
pub mod transport;
pub mod view;
