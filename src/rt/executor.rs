//! Starts executors of either runtime, each on a named thread of its own, and queues tasks on the
//! one that is running. It must never run a new task before the caller has gone on.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::io;
use std::sync::mpsc::{self, SyncSender};
use std::task::{Context, Poll};
use std::thread;

use super::runtime::Runtime;
use super::{epoll, on_glommio, on_tokio};

/// An executor that was started; see [`Joining::join`].
#[derive(Debug)]
pub struct Joining<T> {
    /// `None` is an executor that could not be made, which [`Runtime::spawn`] has reported already.
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

impl Runtime {
    /// Starts a thread called `name` with an executor, pinned to `cpu` when one is given, that runs
    /// the future of `make_future` to its end. Tasks that still wait for a socket or a timer then
    /// are dropped. A panic of any task ends the executor.
    ///
    /// # Errors
    /// When the thread or what its executor needs cannot be made; [`super::probe`] tells why.
    pub fn spawn<M, F, T>(
        self,
        name: &str,
        cpu: Option<usize>,
        make_future: M,
    ) -> io::Result<Joining<T>>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = T> + 'static,
        T: Send + 'static,
    {
        let (started, starting) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            self.settle();
            let future = async move { make_future().await };
            Some(match self {
                Runtime::Glommio => on_glommio::run(told(on_glommio::make(cpu), started)?, future),
                Runtime::Tokio => on_tokio::run(told(on_tokio::make(cpu), started)?, future),
            })
        })?;
        starting
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("the executor panicked at its start")))?;
        Ok(Joining { thread })
    }
}

/// The executor that was made; whoever waits in [`Runtime::spawn`] is told how that went.
fn told<E>(made: io::Result<E>, started: SyncSender<io::Result<()>>) -> Option<E> {
    let (executor, how) = match made {
        Ok(executor) => (Some(executor), Ok(())),
        Err(fault) => (None, Err(fault)),
    };
    let _ = started.send(how);
    executor
}

/// Queues `task` on this core; it runs after the tasks that are queued already.
pub fn spawn_local(task: impl Future<Output = ()> + 'static) {
    match Runtime::here() {
        Runtime::Glommio => on_glommio::spawn_local(task),
        Runtime::Tokio => on_tokio::spawn_local(task),
    }
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
    match Runtime::here() {
        Runtime::Glommio => on_glommio::queue_again(cx),
        Runtime::Tokio => on_tokio::queue_again(cx),
    }
}

/// Whether sockets may be ready for tasks that have not run since: on glommio as its epoll instance
/// has told; tokio does not tell, and there they always may.
pub fn others_are_ready() -> bool {
    match Runtime::here() {
        Runtime::Glommio => epoll::others_are_ready(),
        Runtime::Tokio => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::super::{on_each, sleep};
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn returns_the_value_of_its_future() {
        on_each(|runtime| {
            let name = || async { thread::current().name().map(str::to_owned) };
            let core = runtime.spawn("core-test", Some(0), name);
            assert_eq!(core.unwrap().join().unwrap().unwrap(), "core-test");
        });
    }

    #[test]
    fn a_core_stays_on_its_cpu() {
        on_each(|runtime| {
            let allowed = || async {
                let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
                let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
                line.unwrap().trim().to_owned()
            };
            assert_eq!(runtime.spawn("core-cpu", Some(0), allowed).unwrap().join().unwrap(), "0");
        });
    }

    #[test]
    fn a_panic_is_told_with_the_name_of_the_thread() {
        on_each(|runtime| {
            let core = runtime.spawn("core-7", None, || async { panic!("shard {} is gone", 3) });
            let crashed = core.unwrap().join().unwrap_err();
            assert_eq!(crashed.to_string(), "core-7 panicked: shard 3 is gone");
        });
    }

    #[test]
    fn a_panic_of_a_task_ends_its_core() {
        on_each(|runtime| {
            let core = runtime.spawn("core-8", None, || async {
                spawn_local(async { panic!("a task is gone") });
                sleep(LONG).await;
            });
            let crashed = core.unwrap().join().unwrap_err();
            assert_eq!(crashed.to_string(), "core-8 panicked: a task is gone");
        });
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error() {
        on_each(|runtime| {
            assert!(runtime.spawn("core-none", Some(1_023), || async {}).is_err());
            assert!(runtime.spawn("core-none", Some(100_000), || async {}).is_err());
        });
    }

    #[test]
    fn a_spawned_task_runs_after_its_spawner_goes_on() {
        on_each(|runtime| {
            let order = runtime.spawn("core-order", None, || async {
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
        });
    }

    struct Dropped(Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn tasks_left_behind_are_dropped() {
        on_each(|runtime| {
            let all: Vec<_> = (0..3).map(|_| Arc::new(AtomicBool::new(false))).collect();
            let [waits, spins, sleeps] = [0, 1, 2].map(|n| Dropped(Arc::clone(&all[n])));
            let core = runtime.spawn("core-left", None, || async {
                spawn_local(async move {
                    let _held = waits;
                    sleep(LONG).await;
                });
                spawn_local(async move {
                    let _held = spins;
                    loop {
                        yield_now().await;
                    }
                });
                yield_now().await;
                // Never polled at all.
                spawn_local(async move { drop(sleeps) });
            });
            core.unwrap().join().unwrap();
            assert!(all.iter().all(|dropped| dropped.load(Ordering::SeqCst)), "{runtime}: {all:?}");
        });
    }

    /// Tasks that always wake themselves must not keep a core from its timers and sockets.
    #[test]
    fn a_busy_core_hears_its_timers_and_sockets() {
        on_each(|runtime| {
            let socket = super::super::bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let address = socket.local_addr().unwrap();
            let core = runtime.spawn("core-busy", None, move || async move {
                for _ in 0..3 {
                    spawn_local(async {
                        poll_fn(|cx| {
                            cx.waker().wake_by_ref();
                            Poll::<()>::Pending
                        })
                        .await;
                    });
                }
                sleep(Duration::from_millis(1)).await;
                super::super::Listener::new(socket).unwrap().accept().await.unwrap();
            });
            let _client = std::net::TcpStream::connect(address).unwrap();
            core.unwrap().join().unwrap();
        });
    }
}
