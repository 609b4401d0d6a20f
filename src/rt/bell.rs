//! How other threads wake tasks of a core on glommio. A busy core hears its bell once a turn, for
//! the price of a load; only one that sleeps costs the ringer a system call. The runtime's own way
//! reaches a core only when it enters its rings, which ours do not (see [`super::on_glommio`]): a
//! waker of a task must never be given to another thread. On tokio it may, and there are no bells.
//!
//! No ring is lost. A ringer marks its line, then the bell, then looks whether the core sleeps; the
//! core says that it sleeps, then looks at the bell. All four are sequentially consistent, so one
//! of the two sees the other.

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

thread_local! {
    static BELL: OnceCell<Arc<Bell>> = const { OnceCell::new() };
    /// By the place of their line. A core has a handful.
    static LISTENERS: RefCell<Vec<Option<Listener>>> = const { RefCell::new(Vec::new()) };
}

/// One core's bell.
struct Bell {
    /// An eventfd that the core's epoll instance watches: a write wakes the core.
    alarm: File,
    is_rung: AtomicBool,
    is_asleep: AtomicBool,
}

/// The part of a line that ringers hold, as a waker.
struct Wire {
    bell: Arc<Bell>,
    is_rung: AtomicBool,
}

/// The part of a line that stays on its core.
struct Listener {
    wire: Arc<Wire>,
    task: Option<Waker>,
}

/// A way for other threads to wake one task of this core.
#[derive(Debug)]
pub struct Line {
    bell: Arc<Bell>,
    place: usize,
    ringer: Waker,
}

impl std::fmt::Debug for Bell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bell").field("is_rung", &self.is_rung).finish_non_exhaustive()
    }
}

impl Line {
    /// A line to this core; `None` on a thread that is none, and where tasks need none to be woken
    /// by other threads.
    pub fn here() -> Option<Line> {
        let bell = BELL.with(|bell| bell.get().cloned())?;
        let wire = Arc::new(Wire { bell: Arc::clone(&bell), is_rung: AtomicBool::new(false) });
        let ringer = Waker::from(Arc::clone(&wire));
        let listener = Some(Listener { wire, task: None });
        let place = LISTENERS.with_borrow_mut(|all| {
            let place = all.iter().position(Option::is_none).unwrap_or(all.len());
            if place == all.len() {
                all.push(listener);
            } else {
                all[place] = listener;
            }
            place
        });
        Some(Line { bell, place, ringer })
    }

    /// True on the core it was made on.
    pub fn is_here(&self) -> bool {
        BELL.with(|bell| bell.get().is_some_and(|bell| Arc::ptr_eq(bell, &self.bell)))
    }

    /// A waker for other threads that wakes `task`, once. Must be called on the line's core.
    pub fn to(&self, task: &Waker) -> &Waker {
        assert!(self.is_here(), "a line leads to the core it was made on");
        LISTENERS.with_borrow_mut(|all| {
            let listener = all[self.place].as_mut().expect("a line keeps its place");
            match &mut listener.task {
                Some(waker) => waker.clone_from(task),
                none => *none = Some(task.clone()),
            }
        });
        &self.ringer
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Elsewhere the place is lost, which happens when a core has ended, and all its places.
        if self.is_here() {
            LISTENERS.with_borrow_mut(|all| all[self.place] = None);
        }
    }
}

impl Wake for Wire {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::SeqCst);
        self.bell.is_rung.store(true, Ordering::SeqCst);
        if self.bell.is_asleep.load(Ordering::SeqCst)
            && self.bell.is_asleep.swap(false, Ordering::SeqCst)
        {
            // Fails only when 2^64 writes were not read; the core is awake then.
            let _ = (&self.bell.alarm).write(&1u64.to_ne_bytes());
        }
    }
}

/// Makes this thread's bell; returns what its epoll instance must watch, for edges to read.
#[expect(unsafe_code, reason = "std has no eventfd")]
pub(super) fn open() -> io::Result<RawFd> {
    // SAFETY: the call takes no pointer.
    let alarm = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if alarm < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made this descriptor and nobody else knows it.
    let alarm = unsafe { File::from_raw_fd(alarm) };
    let bell = Bell { alarm, is_rung: AtomicBool::new(false), is_asleep: AtomicBool::new(false) };
    let alarm = bell.alarm.as_raw_fd();
    let is_first = BELL.with(|this| this.set(Arc::new(bell))).is_ok();
    assert!(is_first, "a thread runs one executor");
    Ok(alarm)
}

/// Wakes whose line was rung; returns how many.
pub(super) fn answer() -> usize {
    with_bell(|bell| {
        if !bell.is_rung.load(Ordering::Relaxed) || !bell.is_rung.swap(false, Ordering::SeqCst) {
            return 0;
        }
        let mut woken = 0;
        LISTENERS.with_borrow_mut(|all| {
            for listener in all.iter_mut().flatten() {
                if listener.wire.is_rung.swap(false, Ordering::SeqCst)
                    && let Some(task) = listener.task.take()
                {
                    task.wake();
                    woken += 1;
                }
            }
        });
        woken
    })
}

/// The core is about to sleep. False when it must not, because its bell was rung.
pub(super) fn falls_asleep() -> bool {
    with_bell(|bell| {
        bell.is_asleep.store(true, Ordering::SeqCst);
        !bell.is_rung.load(Ordering::SeqCst)
    })
}

/// The core is awake; ringers need not wake it.
pub(super) fn wakes_up() {
    with_bell(|bell| bell.is_asleep.store(false, Ordering::SeqCst));
}

/// Lets go of every task that listens.
pub(super) fn clear() {
    let tasks: Vec<_> = LISTENERS.with_borrow_mut(|all| {
        all.iter_mut().flatten().filter_map(|listener| listener.task.take()).collect()
    });
    drop(tasks);
}

fn with_bell<T>(then: impl FnOnce(&Bell) -> T) -> T {
    BELL.with(|bell| then(bell.get().expect("bells ring on a core")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::task::Poll;
    use std::thread;

    use futures_util::task::AtomicWaker;

    use super::super::{Runtime, on_each, yield_now};
    use super::*;

    #[test]
    fn a_thread_that_is_no_core_has_no_line() {
        assert!(Line::here().is_none());
    }

    #[test]
    fn a_place_is_used_again() {
        on_each(|runtime| {
            let places = runtime.spawn("bell-places", None, || async {
                let (one, two) = (Line::here()?, Line::here()?);
                let first = one.place;
                drop(one);
                Some((first, two.place, Line::here()?.place))
            });
            let lines = (runtime == Runtime::Glommio).then_some((0, 1, 0));
            assert_eq!(places.unwrap().join().unwrap(), lines);
        });
    }

    /// The core sleeps, and is busy, by turns; a ring that is lost hangs the test.
    #[test]
    fn every_ring_is_heard_by_a_core_asleep_or_busy() {
        on_each(|runtime| rings_are_heard(runtime, 20_000));
    }

    fn rings_are_heard(runtime: Runtime, rings: usize) {
        let asked = Arc::new((AtomicWaker::new(), AtomicBool::new(false)));
        let ringer = Arc::clone(&asked);
        let core = runtime.spawn("bell-ears", None, move || async move {
            let line = Line::here();
            for n in 0..rings {
                poll_fn(|cx| {
                    let task = cx.waker();
                    asked.0.register(line.as_ref().map_or(task, |line| line.to(task)));
                    if asked.1.swap(false, Ordering::SeqCst) {
                        return Poll::Ready(());
                    }
                    Poll::Pending
                })
                .await;
                for _ in 0..n % 3 {
                    yield_now().await;
                }
            }
        });
        let core = core.unwrap();
        while !core.is_finished() {
            if !ringer.1.swap(true, Ordering::SeqCst) {
                ringer.0.wake();
            }
            thread::yield_now();
        }
        core.join().unwrap();
    }
}
