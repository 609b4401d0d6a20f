//! What the suites of the Kafka path share: librdkafka's mock cluster, a proxy with a script, a
//! client that is not ours, and nodes that follow. In the test's own process.

#![allow(dead_code, reason = "each suite uses its own part of this")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

pub mod frames;
pub mod load;
pub mod mock;
pub mod node;
pub mod proxy;
pub mod script;
pub mod stock;

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until there is an answer.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
