//! The tests of `net_floor` once more, on the runtime that serves where io_uring is forbidden.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "net_floor.rs"]
mod floor;
