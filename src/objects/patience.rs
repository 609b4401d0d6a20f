//! How often and how long something is tried. Plain data, any thread.

use std::time::Duration;

/// Limits of one call's tries. A call takes at most `tries * deadline` and the pauses between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries in all, at least one.
    pub tries: u32,
    /// Before the second try; each further pause is twice the one before.
    pub pause: Duration,
    /// What one try may take. A part of 8 MiB must get through in it.
    pub deadline: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let (pause, deadline) = (Duration::from_millis(250), Duration::from_secs(60));
        Self { tries: 4, pause, deadline }
    }
}
