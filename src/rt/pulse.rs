//! Keeps a core from sleeping with work to do. A thread of its own beside each core looks every
//! [`BEAT`] whether the core has taken a turn, and wakes it when not; it must never touch a core
//! that is busy.
//!
//! Why: glommio 0.9 takes its queue for empty when an event of its latency ring falls between the
//! last look at its rings and the first task of a turn (`run_task_queues` then returns false and
//! its caller parks), and sleeps until some ring has another event, for ever if need be. Its
//! preempt timer is such an event, so a core's is long; this is the net under that. A timer of the
//! core itself would be no net: its task can be among the forgotten ones. A wake from another
//! thread always writes the eventfd of a core that sleeps.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

/// How long a core may take no turn. It bounds how long a forgotten task waits, and an idle core
/// is woken that often.
const BEAT: Duration = Duration::from_millis(50);

/// Turns that a core has taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The core takes a turn.
    pub(super) fn take(&self) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    fn taken(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Keeps the thread as long as this future lives; its task is the one that the thread wakes.
pub(super) async fn keep(turns: Turns) {
    let core = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    match Pulse::start(core, turns) {
        Ok(_pulse) => pending().await,
        Err(fault) => tracing::warn!("a core runs without its pulse: {fault}"),
    }
}

struct Pulse {
    ended: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Pulse {
    fn start(core: Waker, turns: Turns) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let beat = move || {
            let mut before = turns.taken();
            while !seen.load(Ordering::Acquire) {
                thread::park_timeout(BEAT);
                let now = turns.taken();
                if now == before {
                    core.wake_by_ref();
                }
                before = now;
            }
        };
        let thread = thread::Builder::new().name("pulse".to_owned()).spawn(beat)?;
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread runs nothing that panics.
            let _ = thread.join();
        }
    }
}
