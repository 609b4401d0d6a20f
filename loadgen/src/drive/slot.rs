//! (pure) One request in flight: what was asked, when it was due, when it left, and what has
//! come of its answer. Slots are made with the connection and used again, so a request
//! allocates nothing.

use crate::failure::Failure;
use crate::work::Task;

/// A place for one request of a connection.
#[derive(Debug, Default)]
pub struct Slot {
    /// Whether a request is in it.
    pub busy: bool,
    /// HTTP/2: its stream.
    pub stream: u32,
    /// The answer's status so far, 0 before its head.
    pub status: u16,
    /// When the request was due, nanoseconds on the driver's clock.
    pub intended: u64,
    /// When it was written.
    pub sent: u64,
    /// What it is for.
    pub task: Task,
    /// The answer's body, where the task wants it.
    pub answer: Vec<u8>,
    /// Bytes of the answer's body so far.
    pub answered: u64,
    /// HTTP/2: what of the request's body waits for the server's window.
    pub unsent: Vec<u8>,
    /// HTTP/2: how much of `unsent` has left.
    pub unsent_at: usize,
    /// HTTP/2: bytes that the server takes on this stream.
    pub window: i64,
    /// HTTP/2: bytes of the answer that the server was not yet given back.
    pub unreturned: u32,
}

/// Kept bytes of one answer; a longer one is not kept whole, and so judged wrong.
const ANSWER_MAX: usize = 64 << 20;

impl Slot {
    /// Takes bytes of the answer's body.
    #[inline]
    pub fn take_body(&mut self, bytes: &[u8]) {
        self.answered += bytes.len() as u64;
        if self.task.keep && self.answer.len() < ANSWER_MAX {
            self.answer.extend_from_slice(bytes);
        }
    }

    /// Makes it ready for the next answer.
    #[inline]
    pub fn clear(&mut self) {
        self.status = 0;
        self.answered = 0;
        self.answer.clear();
        self.unsent.clear();
        self.unsent_at = 0;
        self.unreturned = 0;
    }
}

/// A slot whose request is over.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Which.
    pub slot: u32,
    /// Why there is no answer; `None` when there is one.
    pub failure: Option<Failure>,
}
