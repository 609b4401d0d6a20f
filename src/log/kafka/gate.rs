//! Whether entries may be sent: not before topics, settings and data directory are known to be of
//! one namespace, and not once this node stops. Log's thread.

use std::cell::Cell;

use tokio::sync::Notify;

/// Shut until opened; opened once, closed once.
#[derive(Default)]
pub struct Gate {
    batch_max: Cell<Option<usize>>,
    closed: Cell<bool>,
    changed: Notify,
}

impl Gate {
    /// Lets entries through, in batches of at most so many bytes.
    pub fn open(&self, batch_max: usize) {
        self.batch_max.set(Some(batch_max));
        self.changed.notify_waiters();
    }

    /// Lets no more through.
    pub fn close(&self) {
        self.closed.set(true);
        self.changed.notify_waiters();
    }

    /// Waits until the gate opens; `None` once it is closed.
    pub async fn pass(&self) -> Option<usize> {
        loop {
            let changed = self.changed.notified();
            if self.closed.get() {
                return None;
            }
            if let Some(batch_max) = self.batch_max.get() {
                return Some(batch_max);
            }
            changed.await;
        }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }
}
