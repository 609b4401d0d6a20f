//! The requests of one HTTP/2 connection, run by that connection's own task. They must never be
//! tasks of their own: so they end with their connection, one flush serves all that are ready, and
//! starting one takes no lock of the runtime.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Where hyper puts a request's task. It is not run before the connection has read all it can.
#[derive(Clone, Default)]
pub(super) struct Started(Rc<RefCell<Vec<Task>>>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for Started {
    fn execute(&self, task: F) {
        self.0.borrow_mut().push(Box::pin(task));
    }
}

/// The requests in progress. The connection bounds their number.
#[derive(Default)]
pub(super) struct Streams {
    started: Started,
    running: FuturesUnordered<Task>,
}

impl Streams {
    /// Where requests are started.
    pub(super) fn start(&self) -> Started {
        self.started.clone()
    }

    /// Runs every request that can go on, until none can.
    pub(super) fn run(&mut self, cx: &mut Context<'_>) {
        loop {
            self.running.extend(self.started.0.borrow_mut().drain(..));
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(cx) {}
            if self.started.0.borrow().is_empty() {
                return;
            }
        }
    }
}
