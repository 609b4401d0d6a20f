//! A core on glommio: its task queue, and a task of ours that is always in it and puts the core to
//! sleep in our own epoll instance when nothing else is. Lives on the core's thread; the rings must
//! never be slept in, nor anything be given to them.
//!
//! Why: a sleep in the ring costs a request three system calls and an interrupt more than one
//! `epoll_wait`. And glommio 0.9 takes its queue for empty when an event of its latency ring falls
//! between the last look at its rings and the first task of a turn, and then sleeps with tasks
//! queued, for ever if nothing else happens; a core that never sleeps there cannot.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use glommio::{LocalExecutor, LocalExecutorBuilder, Placement, TaskQueueHandle};

use super::{bell, epoll, timers};

/// Memory registered with each of an executor's three rings, in bytes: the least the runtime
/// takes. The rings carry no data, and it counts against the limit of locked memory (8 MiB by
/// default, all executors of a user together).
const RING_MEMORY: usize = 64 << 10;

/// The runtime's preempt timer, out of reach: there is nothing in the rings to be preempted for.
const NEVER: Duration = Duration::from_secs(366 * 24 * 3600);

/// Polls of tasks after which a core looks at its sockets even though tasks are queued: those that
/// wake themselves must not keep it from the others.
const POLLS_A_LOOK: u64 = 32;

thread_local! {
    /// Polls of all tasks but [`drive`].
    static POLLS: Cell<u64> = const { Cell::new(0) };
    /// Whether a task gave way to the others, those that a socket is ready for included.
    static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
    static IS_ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Makes the executor of this thread, which moves to `cpu`.
pub(super) fn make(cpu: Option<usize>) -> io::Result<LocalExecutor> {
    epoll::open()?;
    LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .io_memory(RING_MEMORY)
        .preempt_timer(NEVER)
        .make()
        .map_err(|fault| io::Error::other(fault.to_string()))
}

/// Runs `future` to its end and drops the tasks that are left.
pub(super) fn run<F: Future>(executor: LocalExecutor, future: F) -> F::Output {
    let mut value = None;
    executor.run(Counted(async {
        queue(drive());
        value = Some(future.await);
        // The executor returns when its queue is empty: no task may stay in it.
        IS_ENDING.set(true);
        epoll::clear();
        timers::clear();
        bell::clear();
    }));
    value.expect("the executor runs its future to the end")
}

/// Queues `task`.
///
/// The runtime's own spawn runs the task at once. Under HTTP/2 each reply would then be finished,
/// and flushed, before the next request is read: deferring tripled throughput.
pub(super) fn spawn_local(task: impl Future<Output = ()> + 'static) {
    queue(Counted(task));
}

/// Queues the task of `cx` behind the others, and behind those that the sockets are ready for.
pub(super) fn queue_again(cx: &Context<'_>) {
    GAVE_WAY.set(true);
    cx.waker().wake_by_ref();
}

fn queue(task: impl Future<Output = ()> + 'static) {
    // The default queue exists as long as the executor.
    let task = glommio::spawn_local_into(task, TaskQueueHandle::default());
    task.expect("tasks run on a core").detach();
}

/// Wakes whom sockets, timers and lines concern, turn after turn. It queues itself behind all
/// others; so when none was polled since its last turn, none is queued, and the core may sleep.
async fn drive() {
    let (mut before, mut looked) = (POLLS.get(), POLLS.get());
    while !IS_ENDING.get() {
        give_turn().await;
        let woken = timers::fire() + bell::answer();
        let polls = POLLS.get();
        if GAVE_WAY.take() || polls - looked >= POLLS_A_LOOK {
            epoll::look();
            looked = polls;
        } else if woken == 0 && polls == before {
            if bell::falls_asleep() {
                epoll::sleep(timers::next());
                bell::wakes_up();
            }
            looked = polls;
        }
        before = polls;
    }
}

/// Lets every task that is queued now run once.
async fn give_turn() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A task whose polls are counted, and which ends when it is polled on a core that is ending.
struct Counted<F>(F);

impl<F: Future<Output = ()>> Future for Counted<F> {
    type Output = ();

    #[expect(unsafe_code, reason = "a pinned task is reached through the wrapper")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if IS_ENDING.get() {
            return Poll::Ready(());
        }
        POLLS.set(POLLS.get() + 1);
        // SAFETY: the task is pinned as its wrapper is, which never moves it out and has no `Drop`.
        unsafe { self.map_unchecked_mut(|counted| &mut counted.0) }.poll(cx)
    }
}
