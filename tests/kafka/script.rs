//! What a proxy does to the frames that pass: single faults, one after the other, and states that
//! last. Told by the test, read by the proxy's threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Something that happens once, to the next produce that can have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The broker took it; the connection ends instead of an answer.
    LoseAnswer,
    /// The broker took it; nothing comes, and the connection stays.
    WithholdAnswer,
    /// The broker took it; half of the answer comes, then the connection ends.
    HalveAnswer,
    /// The broker gets half of it, then the connection ends.
    HalveRequest,
}

/// The script of one proxy.
#[derive(Default)]
pub struct Script {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    faults: VecDeque<Fault>,
    refusing: bool,
    stalled: bool,
    delay: Duration,
    closed: bool,
}

impl Script {
    /// One more fault, behind those that have not happened yet.
    pub fn push(&self, fault: Fault) {
        self.state.lock().unwrap().faults.push_back(fault);
    }

    /// Faults that have not happened yet.
    pub fn pending(&self) -> usize {
        self.state.lock().unwrap().faults.len()
    }

    /// Whether new connections end at once.
    pub fn refuse(&self, refusing: bool) {
        self.state.lock().unwrap().refusing = refusing;
    }

    /// Whether nothing moves, in neither direction, while connections stay.
    pub fn stall(&self, stalled: bool) {
        self.state.lock().unwrap().stalled = stalled;
        self.changed.notify_all();
    }

    /// How long each frame is held.
    pub fn delay(&self, delay: Duration) {
        self.state.lock().unwrap().delay = delay;
    }

    pub(super) fn refuses(&self) -> bool {
        self.state.lock().unwrap().refusing
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().unwrap().closed
    }

    pub(super) fn close(&self) {
        self.state.lock().unwrap().closed = true;
        self.changed.notify_all();
    }

    /// Holds a frame as long as the script says.
    pub(super) fn pass(&self) {
        let state = self.state.lock().unwrap();
        let held = |state: &mut State| state.stalled && !state.closed;
        let delay = self.changed.wait_while(state, held).unwrap().delay;
        thread::sleep(delay);
    }

    /// The next fault, if it is one of those wanted.
    pub(super) fn take_if(&self, wanted: impl FnOnce(Fault) -> bool) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        let next = state.faults.front().copied().filter(|fault| wanted(*fault))?;
        state.faults.pop_front();
        Some(next)
    }
}
