//! The cluster: who its members are, who should hold what, and what this node does about it. On a
//! side thread of its own; no read waits for it.

pub mod view;
