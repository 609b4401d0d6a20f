//! What wakes the log's thread when a core has put entries into an inbox. Any thread wakes; the
//! log's thread waits.

use std::sync::Arc;
use std::task::{Wake, Waker};

use tokio::sync::Notify;

/// A waker for the inboxes, made before them, and what it wakes.
pub fn taker() -> (Waker, Taken) {
    let bell = Arc::new(Bell(Notify::new()));
    (Waker::from(bell.clone()), Taken(bell))
}

/// The waiting end.
pub struct Taken(Arc<Bell>);

struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Taken {
    /// Waits until something was put in since the last wait.
    pub async fn wait(&self) {
        self.0.0.notified().await;
    }
}
