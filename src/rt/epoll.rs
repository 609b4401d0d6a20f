//! Tells tasks of a core on glommio when their socket may be read or written: one edge-triggered
//! epoll instance a core, in which the core sleeps as well. It must never be asked to wait while a
//! task is queued.
//!
//! Why not a poll in the ring for every socket: each completion interrupts the core and each short
//! read arms another poll, so that a request costs two ring entries more than it must. Here a busy
//! core asks once in a while, with one call for all its sockets.
//!
//! Invariant: an edge is remembered until a call has said `WouldBlock`, or has moved less than it
//! was asked to (then the next edge comes by itself). Hence no edge is lost, whenever it comes.

use std::cell::{Cell, OnceCell, RefCell};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::bell;

/// The token of the core's bell, which no socket gets.
const BELL: u64 = u64::MAX;

/// Events taken from the kernel by one call; what is left comes with the next turn.
const EVENTS: usize = 256;

thread_local! {
    static POLLER: OnceCell<Rc<Poller>> = const { OnceCell::new() };
}

struct Poller {
    epoll: OwnedFd,
    events: RefCell<Vec<libc::epoll_event>>,
    /// By token, which is what the kernel gives back with an edge.
    sources: RefCell<Vec<Option<Rc<Source>>>>,
    free: RefCell<Vec<usize>>,
    /// Calls that took edges so far.
    calls: Cell<u64>,
    /// Whom the last of them woke to read, and who has not tried to since.
    woken: Cell<usize>,
}

/// What is known of one socket, and who waits to know more.
struct Source {
    readable: Cell<bool>,
    writable: Cell<bool>,
    /// The peer has shut its side. No edge will say so again, so `readable` must stay.
    hung_up: Cell<bool>,
    /// The call that woke the reader, until it reads.
    woken_by: Cell<u64>,
    reader: RefCell<Option<Waker>>,
    writer: RefCell<Option<Waker>>,
}

/// A socket watched by this core.
pub(super) struct Watched {
    poller: Rc<Poller>,
    source: Rc<Source>,
    token: usize,
}

/// Makes this thread's poller; before its executor is made.
#[expect(unsafe_code, reason = "std has no epoll")]
pub(super) fn open() -> io::Result<()> {
    // SAFETY: the call takes no pointer.
    let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
    if epoll < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made this descriptor and nobody else knows it.
    let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
    add(&epoll, bell::open()?, libc::EPOLLIN | libc::EPOLLET, BELL)?;
    let poller = Poller {
        epoll,
        events: RefCell::new(vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS]),
        sources: RefCell::default(),
        free: RefCell::default(),
        calls: Cell::new(1),
        woken: Cell::new(0),
    };
    let is_first = POLLER.with(|this| this.set(Rc::new(poller))).is_ok();
    assert!(is_first, "a thread runs one executor");
    Ok(())
}

/// Lets go of every task that waits for a socket.
pub(super) fn clear() {
    let sources = Poller::current().sources.borrow().clone();
    for source in sources.into_iter().flatten() {
        source.reader.take();
        source.writer.take();
    }
}

/// Wakes whom sockets are ready for, without waiting.
pub(super) fn look() {
    Poller::current().collect(0);
}

/// Whether the last look woke a task to read that has not tried to yet.
pub(super) fn others_are_ready() -> bool {
    Poller::current().woken.get() > 0
}

/// Puts the thread to sleep until a socket is ready, the bell is rung, or it is `until`; then wakes
/// whom sockets are ready for.
pub(super) fn sleep(until: Option<Instant>) {
    let time = until.map(|at| at.saturating_duration_since(Instant::now()));
    // Rounded up, or a core would wake early and spin through the last millisecond.
    let round = |time: Duration| time.as_nanos().div_ceil(1_000_000);
    let millis = time.map_or(-1, |time| i32::try_from(round(time)).unwrap_or(i32::MAX));
    Poller::current().collect(millis);
}

impl Poller {
    fn current() -> Rc<Poller> {
        POLLER.with(|this| Rc::clone(this.get().expect("sockets and timers are used on a core")))
    }

    /// Waits for edges, up to so many milliseconds or with -1 for ever; wakes whom they concern.
    #[expect(unsafe_code, reason = "std has no epoll")]
    fn collect(&self, millis: i32) {
        let mut events = self.events.borrow_mut();
        // SAFETY: the pointer and the length are those of `events`, which outlives the call.
        let taken = unsafe {
            libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), EVENTS as i32, millis)
        };
        // Fails only when a signal came (EINTR): nothing was taken.
        let taken = usize::try_from(taken).unwrap_or(0);
        // All that were woken before have run: this is called when their queue is behind them.
        let call = self.calls.get() + 1;
        self.calls.set(call);
        self.woken.set(0);
        for event in &events[..taken] {
            let (flags, token) = (event.events, event.u64 as usize);
            // A token is reused no sooner than a task has run, and none runs in this loop.
            let source = self.sources.borrow().get(token).cloned().flatten();
            if let Some(source) = source
                && source.edge(flags as i32)
            {
                source.woken_by.set(call);
                self.woken.set(self.woken.get() + 1);
            }
        }
    }
}

impl Source {
    /// Returns whether a reader was woken.
    fn edge(&self, flags: i32) -> bool {
        let hung_up = flags & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) != 0;
        if hung_up {
            self.hung_up.set(true);
        }
        let mut has_reader = false;
        if hung_up || flags & libc::EPOLLIN != 0 {
            self.readable.set(true);
            has_reader = wake(&self.reader);
        }
        if flags & (libc::EPOLLOUT | libc::EPOLLHUP | libc::EPOLLERR) != 0 {
            self.writable.set(true);
            wake(&self.writer);
        }
        has_reader
    }
}

impl Watched {
    /// Watches `fd` until this is dropped. The owner of `fd` must drop it right after this, which
    /// takes it out of the epoll instance, and must never duplicate it.
    pub(super) fn new(fd: RawFd) -> io::Result<Watched> {
        let poller = Poller::current();
        let token = poller.free.borrow().last().copied();
        let token = token.unwrap_or(poller.sources.borrow().len());
        let flags = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        add(&poller.epoll, fd, flags, token as u64)?;
        // The first try costs less than waiting to be told: a new connection mostly has bytes.
        let source = Rc::new(Source {
            readable: Cell::new(true),
            writable: Cell::new(true),
            hung_up: Cell::new(false),
            woken_by: Cell::new(0),
            reader: RefCell::default(),
            writer: RefCell::default(),
        });
        let mut sources = poller.sources.borrow_mut();
        match poller.free.borrow_mut().pop() {
            Some(free) => sources[free] = Some(Rc::clone(&source)),
            None => sources.push(Some(Rc::clone(&source))),
        }
        drop(sources);
        Ok(Watched { poller, source, token })
    }

    /// Runs `receive` while there may be something to read. `is_short` says that its result
    /// emptied the socket.
    pub(super) fn poll_read<T>(
        &self,
        cx: &Context<'_>,
        receive: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        let source = &*self.source;
        self.runs();
        let is_short = |moved: &T| is_short(moved) && !source.hung_up.get();
        poll(cx, &source.readable, &source.reader, receive, is_short)
    }

    /// Runs `send` while there may be room to write. `is_short` says that its result filled it.
    pub(super) fn poll_write<T>(
        &self,
        cx: &Context<'_>,
        send: impl FnMut() -> io::Result<T>,
        is_short: impl Fn(&T) -> bool,
    ) -> Poll<io::Result<T>> {
        poll(cx, &self.source.writable, &self.source.writer, send, is_short)
    }

    /// Whom the last call woke for this socket is there.
    fn runs(&self) {
        let Watched { poller, source, .. } = self;
        if source.woken_by.replace(0) == poller.calls.get() {
            poller.woken.set(poller.woken.get() - 1);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.runs();
        self.poller.sources.borrow_mut()[self.token] = None;
        self.poller.free.borrow_mut().push(self.token);
    }
}

#[expect(unsafe_code, reason = "std has no epoll")]
fn add(epoll: &OwnedFd, fd: RawFd, flags: i32, token: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events: flags as u32, u64: token };
    // SAFETY: `event` is valid for the call, which copies it.
    match unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns whether somebody waited.
fn wake(waiting: &RefCell<Option<Waker>>) -> bool {
    waiting.take().map(Waker::wake).is_some()
}

fn poll<T>(
    cx: &Context<'_>,
    ready: &Cell<bool>,
    waiting: &RefCell<Option<Waker>>,
    mut call: impl FnMut() -> io::Result<T>,
    is_short: impl Fn(&T) -> bool,
) -> Poll<io::Result<T>> {
    while ready.get() {
        match call() {
            Ok(moved) => {
                ready.set(!is_short(&moved));
                return Poll::Ready(Ok(moved));
            }
            Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => ready.set(false),
            Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
            Err(fault) => return Poll::Ready(Err(fault)),
        }
    }
    let mut waiting = waiting.borrow_mut();
    match waiting.as_mut() {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waiting = Some(cx.waker().clone()),
    }
    Poll::Pending
}
