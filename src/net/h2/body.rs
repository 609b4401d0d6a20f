//! The body of a request on its way from the connection to the handler: a queue that both ends
//! hold, bounded by the windows we give the peer. On the core of its connection; must never hold
//! more than a stream's window.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use hyper::body::SizeHint;

use crate::net::body::BodyFault;

/// Bytes that handlers took, by stream, since their connection last told its peer.
pub type Taken = Rc<RefCell<Vec<(u32, usize)>>>;

/// The handler's end. Dropping it gives back what it did not take.
#[derive(Debug)]
pub struct Inflow(Rc<Queue>);

/// The connection's end. Dropping it without [`Feed::end`] breaks the body off.
#[derive(Debug)]
pub struct Feed(Rc<Queue>);

#[derive(Debug)]
struct Queue {
    stream: u32,
    taken: Taken,
    state: Cell<State>,
    /// Put together, so that many small frames cost no more than their bytes.
    bytes: RefCell<BytesMut>,
    /// What is still to come, where the peer said so.
    declared: Cell<Option<u64>>,
    reader: RefCell<Option<Waker>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Broken,
    /// The handler wants no more.
    Left,
}

/// A body of `declared` bytes, if the peer said so.
pub fn channel(stream: u32, declared: Option<u64>, taken: &Taken) -> (Feed, Inflow) {
    let queue = Rc::new(Queue {
        stream,
        taken: Rc::clone(taken),
        state: Cell::new(State::Open),
        bytes: RefCell::default(),
        declared: Cell::new(declared),
        reader: RefCell::default(),
    });
    (Feed(Rc::clone(&queue)), Inflow(queue))
}

impl Feed {
    /// More of the body came. False when it is longer than was declared.
    pub fn push(&self, bytes: &[u8]) -> bool {
        let queue = &self.0;
        if let Some(left) = queue.declared.get() {
            let Some(left) = left.checked_sub(bytes.len() as u64) else { return false };
            queue.declared.set(Some(left));
        }
        match queue.state.get() {
            State::Left => queue.give_back(bytes.len()),
            _ => queue.bytes.borrow_mut().extend_from_slice(bytes),
        }
        queue.wake();
        true
    }

    /// The body ended. False when it is shorter than was declared.
    pub fn end(&self) -> bool {
        if self.0.declared.get().is_some_and(|left| left > 0) {
            return false;
        }
        self.0.close(State::Ended);
        true
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.close(State::Broken);
    }
}

impl Inflow {
    /// The next part of the body.
    pub fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        let queue = &self.0;
        let part = queue.bytes.borrow_mut().split().freeze();
        if !part.is_empty() {
            queue.give_back(part.len());
            return Poll::Ready(Some(Ok(part)));
        }
        match queue.state.get() {
            State::Ended => Poll::Ready(None),
            State::Broken => Poll::Ready(Some(Err(BodyFault::Broken))),
            State::Open | State::Left => {
                queue.reader.replace(Some(cx.waker().clone()));
                Poll::Pending
            }
        }
    }

    /// Whether all of it was taken.
    pub fn is_end(&self) -> bool {
        self.0.state.get() == State::Ended && self.0.bytes.borrow().is_empty()
    }

    /// How long it can still be.
    pub fn size_hint(&self) -> SizeHint {
        let waiting = self.0.bytes.borrow().len() as u64;
        match (self.0.declared.get(), self.0.state.get()) {
            (Some(left), _) => SizeHint::with_exact(waiting + left),
            (None, State::Ended) => SizeHint::with_exact(waiting),
            (None, _) => SizeHint::default(),
        }
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        self.0.give_back(self.0.bytes.take().len());
        self.0.close(State::Left);
    }
}

impl Queue {
    fn give_back(&self, n: usize) {
        if n > 0 {
            self.taken.borrow_mut().push((self.stream, n));
        }
    }

    fn close(&self, state: State) {
        if self.state.get() == State::Open {
            self.state.set(state);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn poll(inflow: &mut Inflow) -> Poll<Option<Result<Bytes, BodyFault>>> {
        inflow.poll_part(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn parts_come_together_and_what_is_taken_is_told() {
        let taken = Taken::default();
        let (feed, mut inflow) = channel(3, None, &taken);
        assert!(poll(&mut inflow).is_pending());
        assert!(feed.push(b"ab") && feed.push(b"c"));
        assert_eq!(poll(&mut inflow), Poll::Ready(Some(Ok(Bytes::from_static(b"abc")))));
        assert_eq!(taken.take(), [(3, 3)]);
        assert!(feed.end());
        drop(feed);
        assert_eq!(poll(&mut inflow), Poll::Ready(None));
        assert!(inflow.is_end());
    }

    #[test]
    fn a_body_that_is_dropped_gives_everything_back() {
        let taken = Taken::default();
        let (feed, inflow) = channel(3, None, &taken);
        assert!(feed.push(b"abc"));
        drop(inflow);
        assert!(feed.push(b"de"));
        assert_eq!(taken.take(), [(3, 3), (3, 2)]);
    }

    #[test]
    fn a_declared_length_is_kept_to() {
        let taken = Taken::default();
        let (feed, mut inflow) = channel(3, Some(4), &taken);
        assert_eq!(inflow.size_hint().exact(), Some(4));
        assert!(feed.push(b"abc") && !feed.end() && !feed.push(b"de"));
        assert_eq!(inflow.size_hint().exact(), Some(4));
        drop(feed);
        assert_eq!(poll(&mut inflow), Poll::Ready(Some(Ok(Bytes::from_static(b"abc")))));
        assert_eq!(poll(&mut inflow), Poll::Ready(Some(Err(BodyFault::Broken))));
    }
}
