//! Timers of this core: one ordered map, looked at once a turn, on tokio when its timer says so. A
//! timer is made, moved and dropped without a system call; it fires on the core it was last polled
//! on, never early, and at most about a turn and a millisecond late.
//!
//! glommio's own timers cannot be `Send`, and hyper asks its sleeps to be; so a [`Sleep`] holds no
//! more than an instant and a key into the map.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::on_tokio;
use super::runtime::Runtime;

thread_local! {
    static TIMERS: RefCell<Timers> = RefCell::new(Timers::new());
}

/// Orders timers by time. The other fields make a key unique, on every thread: a sleep that is
/// dropped on a foreign one must find nothing there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    at: Instant,
    home: u32,
    number: u64,
}

struct Timers {
    home: u32,
    made: u64,
    waiting: BTreeMap<Key, Waker>,
}

impl Timers {
    fn new() -> Timers {
        static HOMES: AtomicU32 = AtomicU32::new(0);
        Timers { home: HOMES.fetch_add(1, Ordering::Relaxed), made: 0, waiting: BTreeMap::new() }
    }

    fn insert(&mut self, at: Instant, waker: Waker) -> Key {
        self.made += 1;
        let key = Key { at, home: self.home, number: self.made };
        self.waiting.insert(key, waker);
        key
    }
}

/// When the next timer is due.
pub(super) fn next() -> Option<Instant> {
    TIMERS.with_borrow(|timers| timers.waiting.first_key_value().map(|(key, _)| key.at))
}

/// Wakes whoever's time has come; returns how many.
pub(super) fn fire() -> usize {
    let Some(first) = next() else { return 0 };
    let now = Instant::now();
    if first > now {
        return 0;
    }
    let mut fired = 0;
    loop {
        let due = TIMERS.with_borrow_mut(|timers| {
            let first = timers.waiting.first_entry()?;
            (first.key().at <= now).then(|| first.remove())
        });
        let Some(waker) = due else { return fired };
        waker.wake();
        fired += 1;
    }
}

/// Lets go of every task that waits for a timer.
pub(super) fn clear() {
    drop(TIMERS.with_borrow_mut(|timers| std::mem::take(&mut timers.waiting)));
}

/// A future that is ready at its deadline.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    deadline: Instant,
    /// Our place in the map. It may be earlier than the deadline, never later: moving a deadline
    /// on, which is what timeouts mostly do, is free, and costs one idle wake-up later.
    entry: Option<Key>,
}

impl Sleep {
    /// Ready at `deadline`.
    pub fn until(deadline: Instant) -> Sleep {
        Sleep { deadline, entry: None }
    }

    /// Changes the deadline. It takes effect when the future is polled next.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    fn leave(&mut self) {
        if let Some(key) = self.entry.take() {
            // The map is gone when the thread ends, and our place with it.
            let _ = TIMERS.try_with(|timers| timers.borrow_mut().waiting.remove(&key));
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline;
        // What is in the map is not due, for it is emptied of that every turn: no clock is read.
        if let Some(key) = self.entry.filter(|key| key.at <= deadline) {
            let is_waiting = TIMERS.with_borrow_mut(|timers| {
                timers.waiting.get_mut(&key).map(|waker| waker.clone_from(cx.waker())).is_some()
            });
            if is_waiting {
                return Poll::Pending;
            }
        }
        if deadline <= Instant::now() {
            self.leave();
            return Poll::Ready(());
        }
        self.leave();
        let waker = cx.waker().clone();
        self.entry = Some(TIMERS.with_borrow_mut(|timers| timers.insert(deadline, waker)));
        // On glommio a core that goes to sleep asks when.
        if Runtime::here() == Runtime::Tokio {
            on_tokio::wake_by(deadline);
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Ready after `duration`.
pub fn sleep(duration: Duration) -> Sleep {
    Sleep::until(Instant::now() + duration)
}

/// The value of `future`, or `None` when `duration` is over first; the future is dropped then.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut sleep = pin!(sleep(duration));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => sleep.as_mut().poll(cx).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::{on_each, spawn_local, yield_now};
    use super::*;

    const SHORT: Duration = Duration::from_millis(2);
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn fires_in_the_order_of_deadlines_and_never_early() {
        on_each(|runtime| {
            let order = runtime.spawn("timers", None, || async {
                let start = Instant::now();
                let order = Rc::new(RefCell::new(Vec::new()));
                for n in [3u32, 1, 2] {
                    let order = Rc::clone(&order);
                    spawn_local(async move {
                        sleep(SHORT * n).await;
                        assert!(start.elapsed() >= SHORT * n);
                        order.borrow_mut().push(n);
                    });
                }
                while order.borrow().len() < 3 {
                    sleep(SHORT).await;
                }
                order.take()
            });
            assert_eq!(order.unwrap().join().unwrap(), [1, 2, 3]);
        });
    }

    #[test]
    fn a_sooner_timer_wakes_a_core_that_sleeps_towards_a_later_one() {
        on_each(|runtime| {
            let core = runtime.spawn("timers", None, || async {
                spawn_local(async { sleep(LONG).await });
                yield_now().await;
                sleep(SHORT).await;
            });
            core.unwrap().join().unwrap();
        });
    }

    async fn is_pending(mut sleep: Pin<&mut Sleep>) -> bool {
        poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx).is_pending())).await
    }

    #[test]
    fn a_deadline_moves_both_ways() {
        on_each(|runtime| {
            let core = runtime.spawn("timers", None, || async {
                let mut moved = pin!(sleep(SHORT));
                assert!(is_pending(moved.as_mut()).await);
                let later = Instant::now() + SHORT * 4;
                moved.reset(later);
                moved.as_mut().await;
                assert!(Instant::now() >= later);
                moved.reset(Instant::now() + LONG);
                assert!(is_pending(moved.as_mut()).await);
                moved.reset(Instant::now() + SHORT);
                moved.as_mut().await;
            });
            core.unwrap().join().unwrap();
        });
    }

    #[test]
    fn a_timeout_ends_what_never_would() {
        on_each(|runtime| {
            let core = runtime.spawn("timers", None, || async {
                let never = timeout(SHORT, std::future::pending::<()>()).await;
                let at_once = timeout(LONG, async { 7 }).await;
                (never, at_once, next())
            });
            let (never, at_once, left) = core.unwrap().join().unwrap();
            assert_eq!((never, at_once), (None, Some(7)));
            assert_eq!(left, None, "a dropped sleep must leave the map");
        });
    }
}
