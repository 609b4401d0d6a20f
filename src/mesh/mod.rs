//! Bounded ways between the threads of a node. What crosses a thread goes through here in batches,
//! and nothing here may grow without a limit.

pub mod feed;
pub mod handover;
pub mod holds;
pub mod home;
pub mod inbox;
pub mod lane;
pub mod positions;
pub mod routes;
pub mod ticket;
pub mod wants;
