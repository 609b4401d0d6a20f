//! SIGTERM and SIGINT as values: the first asks the node to end well, the second ends it at once.
//! One thread of its own that only waits; a handler does nothing but note the signal.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use std::{io, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals as Iterator;

/// Exit code of a process that a second signal ended: 128 and the number of SIGINT.
const ENDED_AT_ONCE: i32 = 130;

/// Signals that have come.
pub struct Signals(Receiver<&'static str>);

impl Signals {
    /// Takes both signals over from now on.
    pub fn listen() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal finds the flag down and raises it.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, asked.clone())?;
            flag::register(signal, asked.clone())?;
        }
        let mut come = Iterator::new([SIGTERM, SIGINT])?;
        let (sender, receiver) = sync_channel(1);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in come.forever() {
                let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
                if sender.send(name).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// The next signal, or nothing when none comes within `time`.
    pub fn next(&mut self, time: Duration) -> Option<&'static str> {
        self.0.recv_timeout(time).ok()
    }
}
