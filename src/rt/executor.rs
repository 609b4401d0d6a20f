//! Starts executors, each on a named thread of its own, and queues tasks on the one that is
//! running. It must never run a new task before the caller has gone on (see `spawn_local`).

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, TaskQueueHandle};

use super::pulse::{self, Turns};
use super::readiness;

/// Memory registered with each of an executor's three rings, in bytes: the least the runtime
/// takes. We read and write sockets directly, so the rings carry no data, and it counts against
/// the limit of locked memory (8 MiB by default, all executors of a user together).
const RING_MEMORY: usize = 64 << 10;

/// The runtime's preempt timer: the longest a busy core goes without entering its rings. Sockets,
/// timers and lines do not wait for that, see [`super::look_again`]. Not shorter, since the timer
/// can put a core to sleep with work to do, see [`super::pulse`].
const TURN: Duration = Duration::from_millis(100);

/// An executor that was started; see [`Joining::join`].
#[derive(Debug)]
pub struct Joining<T> {
    /// `None` is an executor that could not be made, which [`spawn`] has reported already.
    thread: thread::JoinHandle<Option<T>>,
}

/// The thread of an executor panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{thread} panicked: {message}")]
pub struct Crashed {
    /// Name of the thread.
    pub thread: String,
    /// What the panic said.
    pub message: String,
}

impl<T> Joining<T> {
    /// Blocks until the executor's future has ended. Not for use on a core.
    ///
    /// # Errors
    /// [`Crashed`] when the thread panicked.
    pub fn join(self) -> Result<T, Crashed> {
        let thread = self.thread.thread().name().unwrap_or("executor").to_owned();
        let message = match self.thread.join() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "never started".to_owned(),
            Err(panic) => text_of(&*panic),
        };
        Err(Crashed { thread, message })
    }

    /// True once the thread has ended, well or not.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text").to_owned()
}

/// Starts a thread called `name` with an executor, pinned to `cpu` when one is given, that runs
/// the future of `make_future` to its end. Tasks that still wait for a socket or a timer then are
/// dropped.
///
/// # Errors
/// When the thread, its rings or its epoll instance cannot be made; [`super::probe`] tells why.
pub fn spawn<M, F, T>(name: &str, cpu: Option<usize>, make_future: M) -> io::Result<Joining<T>>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let (started, starting) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let executor = match make_executor(cpu) {
            Ok(executor) => executor,
            Err(fault) => {
                let _ = started.send(Err(fault));
                return None;
            }
        };
        let _ = started.send(Ok(()));
        Some(executor.run(async move {
            let turns = Turns::default();
            let pulse = queue(pulse::keep(turns.clone()));
            spawn_local(readiness::drive(turns));
            let value = make_future().await;
            readiness::close();
            drop(pulse);
            // What nothing can wake any more was queued by `close`; let it be dropped.
            yield_now().await;
            value
        }))
    })?;
    starting
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the executor panicked at its start")))?;
    Ok(Joining { thread })
}

fn make_executor(cpu: Option<usize>) -> io::Result<LocalExecutor> {
    readiness::open()?;
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .io_memory(RING_MEMORY)
        .preempt_timer(TURN)
        .make()
        .map_err(|fault| io::Error::other(fault.to_string()))
}

/// Queues `task` on this core; it runs after the tasks that are queued already.
///
/// The runtime's own spawn runs the task at once. Under HTTP/2 each reply would then be finished,
/// and flushed, before the next request is read: deferring tripled throughput.
pub fn spawn_local(task: impl Future<Output = ()> + 'static) {
    queue(task).detach();
}

fn queue<T: 'static>(task: impl Future<Output = T> + 'static) -> glommio::Task<T> {
    // The default queue exists as long as the executor.
    glommio::spawn_local_into(task, TaskQueueHandle::default()).expect("tasks run on a core")
}

/// Lets every task that is queued now run once, and those that a socket or a timer is ready for.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        queue_again(cx);
        Poll::Pending
    })
    .await;
}

/// Queues the task of `cx` behind those that are queued now, as [`yield_now`] does.
pub fn queue_again(cx: &Context<'_>) {
    readiness::look_again();
    cx.waker().wake_by_ref();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::cell::RefCell;
    use std::rc::Rc;

    use futures_util::task::AtomicWaker;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn returns_the_value_of_its_future() {
        let core =
            spawn("core-test", Some(0), || async { thread::current().name().map(str::to_owned) });
        assert_eq!(core.unwrap().join().unwrap().unwrap(), "core-test");
    }

    #[test]
    fn a_panic_is_told_with_the_name_of_the_thread() {
        let core = spawn("core-7", None, || async { panic!("shard {} is gone", 3) });
        let crashed = core.unwrap().join().unwrap_err();
        assert_eq!(crashed.to_string(), "core-7 panicked: shard 3 is gone");
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error() {
        assert!(spawn("core-none", Some(100_000), || async {}).is_err());
    }

    #[test]
    fn a_spawned_task_runs_after_its_spawner_goes_on() {
        let order = spawn("core-order", None, || async {
            let order = Rc::new(RefCell::new(Vec::new()));
            for n in 0..3 {
                let order = Rc::clone(&order);
                spawn_local(async move { order.borrow_mut().push(n) });
            }
            order.borrow_mut().push(9);
            yield_now().await;
            order.take()
        });
        assert_eq!(order.unwrap().join().unwrap(), [9, 0, 1, 2]);
    }

    #[test]
    fn tasks_left_behind_are_dropped() {
        struct Dropped(Arc<AtomicBool>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicBool::new(false));
        let held = Dropped(Arc::clone(&dropped));
        let core = spawn("core-left", None, || async {
            spawn_local(async move {
                let _held = held;
                super::super::sleep(Duration::from_secs(3600)).await;
            });
            yield_now().await;
        });
        core.unwrap().join().unwrap();
        assert!(dropped.load(Ordering::SeqCst));
    }

    #[test]
    fn another_thread_wakes_a_sleeping_core() {
        struct Bell {
            waker: AtomicWaker,
            rung: AtomicBool,
        }
        let bell = Arc::new(Bell { waker: AtomicWaker::new(), rung: AtomicBool::new(false) });
        let ringer = Arc::clone(&bell);
        let core = spawn("core-asleep", None, move || async move {
            for _ in 0..100 {
                poll_fn(|cx| {
                    bell.waker.register(cx.waker());
                    if bell.rung.swap(false, Ordering::SeqCst) {
                        return Poll::Ready(());
                    }
                    Poll::Pending
                })
                .await;
            }
        })
        .unwrap();
        // Without a wake-up that reaches the ring the core sleeps for ever and the test hangs.
        while !core.is_finished() {
            ringer.rung.store(true, Ordering::SeqCst);
            ringer.waker.wake();
            thread::sleep(Duration::from_micros(300));
        }
        core.join().unwrap();
    }
}
