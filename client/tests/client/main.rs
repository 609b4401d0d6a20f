//! The client against a server in this process that does what each test tells it to.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod calls;
mod faults;
mod scripted;
