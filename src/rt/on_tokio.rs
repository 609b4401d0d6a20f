//! A core on tokio: its current-thread runtime with the readiness of its sockets and its way for
//! other threads to wake a task. Lives on the core's thread; it must add nothing that would make
//! tokio look better or worse than it is, since it is what glommio is measured against.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::io;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::FutureExt;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{Notify, oneshot};
use tokio::{select, task, time};

use super::{thread, timers};

type Panic = Box<dyn Any + Send>;

thread_local! {
    /// Tells the core's future of a task's panic; tokio would keep it to itself.
    static CRASH: RefCell<Option<oneshot::Sender<Panic>>> = const { RefCell::new(None) };
    /// Rung when a timer is set that is due before [`ALARM`].
    static SOONER: Rc<Notify> = Rc::default();
    /// When the timers are looked at next.
    static ALARM: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Makes the runtime of this thread, which moves to `cpu`.
pub(super) fn make(cpu: Option<usize>) -> io::Result<LocalRuntime> {
    if let Some(cpu) = cpu {
        thread::pin(cpu)?;
    }
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())
}

/// Runs `future` to its end and drops the tasks that are left.
pub(super) fn run<F: Future>(runtime: LocalRuntime, future: F) -> F::Output {
    let (tell, crashed) = oneshot::channel();
    CRASH.set(Some(tell));
    runtime.block_on(async {
        spawn_local(fire_timers());
        select! {
            biased;
            Ok(panic) = crashed => resume_unwind(panic),
            value = future => value,
        }
    })
}

/// Queues `task`, whose panic is the core's.
pub(super) fn spawn_local(task: impl Future<Output = ()> + 'static) {
    task::spawn_local(AssertUnwindSafe(task).catch_unwind().map(|ended| {
        if let Err(panic) = ended
            && let Some(tell) = CRASH.take()
        {
            let _ = tell.send(panic);
        }
    }));
}

/// Queues the task of `cx` behind the others, and behind those that the sockets are ready for.
pub(super) fn queue_again(cx: &Context<'_>) {
    // Its first poll is what we want of it: it has tokio wake the task later.
    let _ = pin!(task::yield_now()).poll(&mut Context::from_waker(cx.waker()));
}

/// Fires this core's timers, for ever.
async fn fire_timers() {
    let sooner = SOONER.with(Rc::clone);
    loop {
        timers::fire();
        let next = timers::next();
        ALARM.set(next);
        let due = async {
            match next {
                Some(at) => time::sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        select! {
            () = due => {}
            () = sooner.notified() => {}
        }
    }
}

/// Has the timers looked at by `at`.
pub(super) fn wake_by(at: Instant) {
    if ALARM.get().is_none_or(|alarm| at < alarm) {
        ALARM.set(Some(at));
        SOONER.with(|sooner| sooner.notify_one());
    }
}

/// A socket watched by this core; see [`super::readiness`].
pub(super) struct Watched(AsyncFd<RawFd>);

impl Watched {
    #[expect(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
    pub(super) fn new(fd: RawFd) -> io::Result<Watched> {
        // SAFETY: the owner of the descriptor drops it after this, and keeps it open until then.
        Ok(Watched(unsafe { AsyncFd::register(fd) }?))
    }

    pub(super) fn poll_read<T>(
        &self,
        cx: &mut Context<'_>,
        receive: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        poll(|| self.0.poll_read_ready(cx), receive, is_short)
    }

    pub(super) fn poll_write<T>(
        &self,
        cx: &mut Context<'_>,
        send: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        poll(|| self.0.poll_write_ready(cx), send, is_short)
    }
}

fn poll<'a, T>(
    mut poll_ready: impl FnMut() -> Poll<io::Result<AsyncFdReadyGuard<'a, RawFd>>>,
    mut call: impl FnMut() -> io::Result<T>,
    is_short: impl Fn(&T) -> bool,
) -> Poll<io::Result<T>> {
    loop {
        let mut guard = ready!(poll_ready())?;
        match call() {
            Ok(moved) => {
                // As tokio's own streams do: it spares the call that would say `WouldBlock`.
                if is_short(&moved) {
                    guard.clear_ready();
                }
                return Poll::Ready(Ok(moved));
            }
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Poll::Ready(Err(fault)),
        }
    }
}
