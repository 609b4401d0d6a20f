//! The way home of outcomes: one lane into each serving core. Owner threads send, a core's own
//! task takes; an outcome is never dropped while its core runs.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::lane::{Receiver, Sender, Unsent, lane};
use super::routes::Routes;
use super::ticket::Told;

/// Messages that wait for one core, at most. A full lane holds the owner up, not the core.
pub const LANE: usize = 1_024;
/// How long an owner rests before it tries a full lane again.
const REST: Duration = Duration::from_micros(100);

/// What reaches a core from other threads.
#[derive(Debug)]
pub enum Message {
    /// Outcomes for requests of this core.
    Told(Vec<Told>),
    /// Where partitions are to be had from now on.
    Routes(Arc<Routes>),
    /// Stop accepting, finish what is in flight, end.
    Drain,
}

/// The lanes into all cores, by core number.
#[derive(Clone)]
pub struct Home(Vec<Sender<Message>>);

/// A lane into each of so many cores, and their ends.
pub fn lanes(cores: usize) -> (Home, Vec<Receiver<Message>>) {
    let (senders, receivers) = (0..cores).map(|_| lane(LANE)).unzip();
    (Home(senders), receivers)
}

impl Home {
    /// One lane a core, in the order of the cores.
    pub fn new(lanes: Vec<Sender<Message>>) -> Self {
        Self(lanes)
    }

    /// Sends outcomes home, one message a core.
    pub fn send(&self, all: impl Iterator<Item = Told>) {
        let mut by_core: Vec<Vec<Told>> = self.0.iter().map(|_| Vec::new()).collect();
        for told in all {
            if let Some(core) = by_core.get_mut(usize::from(told.ticket.core)) {
                core.push(told);
            }
        }
        for (core, batch) in by_core.into_iter().enumerate() {
            if !batch.is_empty() {
                self.deliver(core, Message::Told(batch));
            }
        }
    }

    /// Sends every core a new picture of the cluster.
    pub fn route(&self, routes: &Arc<Routes>) {
        (0..self.0.len()).for_each(|core| self.deliver(core, Message::Routes(routes.clone())));
    }

    /// Tells every core to drain.
    pub fn drain(&self) {
        (0..self.0.len()).for_each(|core| self.deliver(core, Message::Drain));
    }

    fn deliver(&self, core: usize, mut message: Message) {
        while let Err(Unsent::Full(back)) = self.0[core].try_send(message) {
            message = back;
            thread::sleep(REST);
        }
    }
}
