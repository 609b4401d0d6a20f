//! The wall clock, read in one place. Any thread; never called by the heart: time reaches it
//! inside entries only.

use std::time::{SystemTime, UNIX_EPOCH};

use pumice_model::time::Millis;

/// Milliseconds since the epoch, UTC; 0 on a machine whose clock stands before it.
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
