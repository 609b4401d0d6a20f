//! Signals as values: of SIGTERM and SIGINT the first asks the node to end well, the second ends it
//! at once; SIGHUP asks it to read its certificate again. One thread of its own that only waits; a
//! handler does nothing but note the signal.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use std::{io, thread};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals as Iterator;

/// Exit code of a process that a second signal ended: 128 and the number of SIGINT.
const ENDED_AT_ONCE: i32 = 130;

/// Signals that have come.
pub struct Signals(Receiver<Signal>);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The end, and the signal's name.
    End(&'static str),
    /// That files are read again.
    Reload,
}

impl Signals {
    /// Takes the signals over from now on; SIGHUP only where there is something to read again, and
    /// it keeps its usual meaning elsewhere.
    pub fn listen(reloads: bool) -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first signal finds the flag down and raises it.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, asked.clone())?;
            flag::register(signal, asked.clone())?;
        }
        let mut come = Iterator::new([SIGTERM, SIGINT])?;
        if reloads {
            come.add_signal(SIGHUP)?;
        }
        let (sender, receiver) = sync_channel(1);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in come.forever() {
                let signal = match signal {
                    SIGTERM => Signal::End("SIGTERM"),
                    SIGHUP => Signal::Reload,
                    _ => Signal::End("SIGINT"),
                };
                if sender.send(signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(receiver))
    }

    /// The next signal, or nothing when none comes within `time`.
    pub fn next(&mut self, time: Duration) -> Option<Signal> {
        self.0.recv_timeout(time).ok()
    }
}
