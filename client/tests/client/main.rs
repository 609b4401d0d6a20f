//! The client against servers in this process that do what each test tells them to.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod calls;
mod cluster;
mod failover;
mod faults;
mod routing;
mod scripted;
mod session;
