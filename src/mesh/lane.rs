//! A bounded lane from any threads to one task of a core. Sending never waits, so it may be used on
//! any thread; receiving waits without blocking its core. For a plain thread at the receiving end
//! use `crossbeam_channel::bounded` itself: this only adds what wakes a task.
//!
//! No wake-up is lost. The receiver registers its waker and then looks once more; a sender pushes
//! and then takes the waker. Both are read-modify-writes of the one atomic inside `AtomicWaker`, so
//! they have an order: if the sender comes second it finds the waker, and if it comes first its
//! push happened before the receiver's second look. A sender that is the last does the same after
//! its end of the channel is gone.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossbeam_channel::{TryRecvError, TrySendError};
use futures_util::task::AtomicWaker;

use crate::rt::Line;

/// The sending end. Clones send into the same lane.
#[derive(Debug)]
pub struct Sender<T> {
    // Dropped first: the receiver must find the channel closed when `wake` wakes it.
    queue: crossbeam_channel::Sender<T>,
    wake: Wake,
}

/// The receiving end.
#[derive(Debug)]
pub struct Receiver<T> {
    queue: crossbeam_channel::Receiver<T>,
    waker: Arc<AtomicWaker>,
    /// To the core that receives, once one does.
    line: Option<Line>,
}

/// What could not be put into a lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsent<T> {
    /// The lane is full.
    Full(T),
    /// The receiver has gone; no later try will do better.
    Closed(T),
}

/// Wakes the receiver when it goes.
#[derive(Debug, Clone)]
struct Wake(Arc<AtomicWaker>);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// A lane that holds at most `capacity` items, at least one.
pub fn lane<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(capacity.max(1));
    let waker = Arc::new(AtomicWaker::new());
    let wake = Wake(Arc::clone(&waker));
    (Sender { queue: sender, wake }, Receiver { queue: receiver, waker, line: None })
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender { queue: self.queue.clone(), wake: self.wake.clone() }
    }
}

impl<T: Send> Sender<T> {
    /// Puts `item` into the lane.
    ///
    /// # Errors
    /// Gives it back when the lane is full or its receiver has gone.
    pub fn try_send(&self, item: T) -> Result<(), Unsent<T>> {
        match self.queue.try_send(item) {
            Ok(()) => {
                self.wake.0.wake();
                Ok(())
            }
            Err(TrySendError::Full(item)) => Err(Unsent::Full(item)),
            Err(TrySendError::Disconnected(item)) => Err(Unsent::Closed(item)),
        }
    }

    /// Items waiting, as of some moment during the call.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// True when [`Self::try_send`] would have refused for want of room.
    pub fn is_full(&self) -> bool {
        self.queue.is_full()
    }
}

impl<T: Send> Receiver<T> {
    /// Waits until something is in the lane and moves up to `max` items, oldest first, to the end
    /// of `into`. Returns how many; 0 means that every sender has gone and the lane is empty.
    /// Nothing is lost when the future is dropped before it is ready.
    pub async fn recv_many(&mut self, into: &mut Vec<T>, max: usize) -> usize {
        assert!(max > 0, "a receive of nothing would look like the end of the lane");
        poll_fn(|cx| {
            if let Some(taken) = self.take(into, max) {
                return Poll::Ready(taken);
            }
            self.listen(cx);
            self.take(into, max).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// The oldest item, as [`Self::recv_many`] would wait for it; `None` when every sender has gone
    /// and the lane is empty.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        let mut one = Vec::new();
        if self.take(&mut one, 1).is_none() {
            self.listen(cx);
            if self.take(&mut one, 1).is_none() {
                return Poll::Pending;
            }
        }
        Poll::Ready(one.pop())
    }

    /// Items waiting, as of some moment during the call.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    fn listen(&mut self, cx: &Context<'_>) {
        // A lane is mostly made on one thread and received from on another.
        if !self.line.as_ref().is_some_and(Line::is_here) {
            self.line = Line::here();
        }
        let task = cx.waker();
        self.waker.register(self.line.as_ref().map_or(task, |line| line.to(task)));
    }

    /// `None` when the lane is empty but may still fill.
    fn take(&self, into: &mut Vec<T>, max: usize) -> Option<usize> {
        for taken in 0..max {
            match self.queue.try_recv() {
                Ok(item) => into.push(item),
                Err(TryRecvError::Empty) => return (taken > 0).then_some(taken),
                Err(TryRecvError::Disconnected) => return Some(taken),
            }
        }
        Some(max)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        // Senders may outlive our executor, and a task's waker must not.
        self.waker.take();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::thread;

    use futures_util::FutureExt;

    use super::*;
    use crate::rt;

    #[test]
    fn gives_back_what_does_not_fit() {
        let (sender, mut receiver) = lane(2);
        assert_eq!(
            (sender.try_send(1), sender.try_send(2), sender.try_send(3)),
            (Ok(()), Ok(()), Err(Unsent::Full(3)))
        );
        assert!(sender.is_full() && sender.len() == 2);
        let mut got = Vec::new();
        assert_eq!(receiver.recv_many(&mut got, 8).now_or_never(), Some(2));
        assert_eq!(got, [1, 2]);
        assert!(sender.is_empty() && receiver.is_empty());
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(Unsent::Closed(4)));
    }

    #[test]
    fn takes_no_more_than_it_is_told() {
        let (sender, mut receiver) = lane(8);
        (0..5).for_each(|n| sender.try_send(n).unwrap());
        let mut got = Vec::new();
        assert_eq!(receiver.recv_many(&mut got, 3).now_or_never(), Some(3));
        drop(sender);
        assert_eq!(receiver.recv_many(&mut got, 3).now_or_never(), Some(2));
        assert_eq!(receiver.recv_many(&mut got, 3).now_or_never(), Some(0));
        assert_eq!(got, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_last_sender_wakes_the_receiver() {
        rt::on_each(|runtime| {
            let (sender, mut receiver) = lane::<u8>(1);
            let core = runtime.spawn("lane-end", None, move || async move {
                receiver.recv_many(&mut Vec::new(), 1).await
            });
            drop(sender.clone());
            drop(sender);
            assert_eq!(core.unwrap().join().unwrap(), 0);
        });
    }

    /// Many threads send as fast as a small lane lets them, so that the receiver falls asleep and
    /// is woken at every point of the protocol. A lost wake-up hangs this test.
    #[test]
    fn everything_sent_by_many_arrives_in_the_order_of_each() {
        rt::on_each(|runtime| many_send(runtime, 20_000));
    }

    fn many_send(runtime: rt::Runtime, each: usize) {
        const THREADS: usize = 4;
        let (sender, mut receiver) = lane::<(usize, usize)>(16);
        let core = runtime.spawn("lane-stress", None, move || async move {
            let (mut got, mut next) = (Vec::new(), [0; THREADS]);
            while receiver.recv_many(&mut got, 5).await > 0 {
                for (from, n) in got.drain(..) {
                    assert_eq!(next[from], n);
                    next[from] += 1;
                }
            }
            next
        });
        thread::scope(|scope| {
            for from in 0..THREADS {
                let sender = sender.clone();
                scope.spawn(move || {
                    for n in 0..each {
                        while sender.try_send((from, n)).is_err() {
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        drop(sender);
        assert_eq!(core.unwrap().join().unwrap(), [each; THREADS]);
    }

    /// One item at a time, there and back: every item is a wake-up of a sleeping core.
    #[test]
    fn two_cores_play_ping_pong() {
        rt::on_each(|runtime| ping_pong(runtime, 5_000));
    }

    fn ping_pong(runtime: rt::Runtime, rounds: u32) {
        let (ping, mut pinged) = lane(1);
        let (pong, mut ponged) = lane(1);
        let echo = runtime.spawn("lane-pong", None, move || async move {
            let mut got = Vec::new();
            while pinged.recv_many(&mut got, 1).await > 0 {
                pong.try_send(got.pop().unwrap()).unwrap();
            }
        });
        let core = runtime.spawn("lane-ping", None, move || async move {
            let mut got = Vec::new();
            for n in 0..rounds {
                ping.try_send(n).unwrap();
                ponged.recv_many(&mut got, 1).await;
                assert_eq!(got.pop(), Some(n));
            }
        });
        core.unwrap().join().unwrap();
        echo.unwrap().join().unwrap();
    }
}
