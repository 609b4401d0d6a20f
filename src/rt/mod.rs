//! The runtime of a core: executors, timers and sockets that never block their thread. Everything
//! here but [`probe`], [`spawn`] and [`bind`] must be called on a core. It is the only place that
//! names glommio; nothing above may know which runtime serves.
//!
//! Two things are our own where the runtime's cost too much (DESIGN.md section 6, facts 1 and 2):
//! a spawned task is queued, never run at once, so that one flush serves a whole batch of replies;
//! and sockets are watched by one edge-triggered epoll instance, so that a busy core does not enter
//! the ring once a request. The ring waits for that instance only when the core has nothing to do.

mod executor;
mod probe;
mod readiness;
mod tcp;
pub mod thread;
mod timers;

pub use executor::{Crashed, Joining, spawn, spawn_local, yield_now};
pub use probe::{Missing, probe};
pub use tcp::{Listener, Stream, bind};
pub use timers::{HyperTimer, Sleep, sleep, timeout};
