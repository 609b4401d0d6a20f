//! The runtime of a core: executors, timers and sockets that never block their thread. Everything
//! here but [`Runtime`], [`probe`], [`bind`] and [`thread`] must be called on a core. It is the
//! only place that names a runtime; nothing above may know which one serves.
//!
//! Two things are alike on both: a spawned task is queued, never run at once, so that one flush
//! serves a whole batch of replies; and timers are one ordered map a core. On glommio two more are
//! our own, where the runtime's cost too much: sockets are watched by one edge-triggered epoll
//! instance, in which the core also sleeps; and other threads ring a bell that a busy core hears
//! once a turn.

mod bell;
mod connect;
mod epoll;
mod executor;
mod on_glommio;
mod on_tokio;
mod probe;
mod readiness;
mod runtime;
mod secured;
mod tcp;
pub mod thread;
mod timers;

pub use bell::Line;
pub use connect::connect;
pub use executor::{Crashed, Joining, others_are_ready, queue_again, spawn_local, yield_now};
pub use probe::{Missing, probe};
pub use runtime::Runtime;
#[cfg(test)]
pub(crate) use runtime::on_each;
pub use secured::Secured;
pub use tcp::{Listener, Stream, bind};
pub use timers::{Sleep, sleep, timeout};
