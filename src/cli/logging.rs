//! Where log lines go: standard error, one line an event. Set up once, before anything starts.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

/// Logs what is at least as grave as `level`; a second call changes nothing.
pub fn start(level: LevelFilter) {
    let started = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
    drop(started);
}
