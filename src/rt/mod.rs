//! The runtime of a core: executors, timers and sockets that never block their thread. Everything
//! here but [`probe`], [`spawn`], [`bind`] and [`thread`] must be called on a core. It is the only
//! place that names glommio; nothing above may know which runtime serves.
//!
//! Three things are our own where the runtime's cost too much: a spawned task is queued, never run
//! at once, so that one flush serves a whole batch of replies; sockets are watched by one
//! edge-triggered epoll instance, so that a busy core does not enter the ring once a request; and
//! other threads ring a bell that a busy core hears once a turn. The ring waits for that instance
//! and the bell only when the core has nothing to do.

mod bell;
mod executor;
mod probe;
mod pulse;
mod readiness;
mod tcp;
pub mod thread;
mod timers;

pub use bell::Line;
pub use executor::{Crashed, Joining, queue_again, spawn, spawn_local, yield_now};
pub use probe::{Missing, probe};
pub use readiness::look_again;
pub use tcp::{Listener, Stream, bind};
pub use timers::{HyperTimer, Sleep, sleep, timeout};
