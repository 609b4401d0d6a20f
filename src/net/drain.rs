//! The order to stop serving, and those who wait for it, on one core. It must not leave its core.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// A handle to the order; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Drain {
    order: Rc<Order>,
}

#[derive(Debug, Default)]
struct Order {
    given: Cell<bool>,
    /// One a listener; bounded by their number.
    waiting: RefCell<Vec<Waker>>,
}

impl Drain {
    /// An order not yet given.
    pub fn new() -> Drain {
        Drain::default()
    }

    /// Gives the order. Every [`super::serve`] that holds this stops accepting, lets requests in
    /// progress finish, and returns. Giving it twice is giving it once.
    pub fn start(&self) {
        self.order.given.set(true);
        for waker in self.order.waiting.take() {
            waker.wake();
        }
    }

    /// True once the order was given.
    pub fn is_started(&self) -> bool {
        self.order.given.get()
    }

    /// Waits until the order is given.
    pub async fn started(&self) {
        poll_fn(|cx| {
            if self.is_started() {
                return Poll::Ready(());
            }
            let mut waiting = self.order.waiting.borrow_mut();
            if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::join;

    use super::*;

    #[test]
    fn everyone_hears_the_order_once_and_for_all() {
        let drain = Drain::new();
        let (one, two) = (drain.clone(), drain.clone());
        let mut both = Box::pin(async move { join(one.started(), two.started()).await });
        assert_eq!((&mut both).now_or_never(), None);
        drain.start();
        drain.start();
        assert_eq!(both.now_or_never(), Some(((), ())));
        assert!(drain.is_started());
    }
}
