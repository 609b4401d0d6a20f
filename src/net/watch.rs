//! What every connection of a core owes us, and the clock that cuts those who owe it too long. One
//! timer serves all of a core's connections: an idle one costs no timer, a busy one no clock
//! reading. It must stay on its core.
//!
//! Time is counted here in beats of one second, so limits are kept to within a second.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::limits::Limits;
use crate::rt;

/// One beat.
const BEAT: Duration = Duration::from_secs(1);

/// Beats that a drain gives to a head that has begun and to a peer that has just connected.
const HEAD_AT_DRAIN: u32 = 1;

/// Beats that a peer has to end its side after we have ended ours: a slow round trip.
const TIME_TO_LEAVE: u32 = 2;

/// The beat that never comes (it would in 136 years).
const NEVER: u32 = u32::MAX;

/// The connections of one listener.
pub(super) struct Watch {
    now: Cell<u32>,
    head_time: u32,
    stall_time: u32,
    ping_after: u32,
    ping_time: u32,
    peers: RefCell<Vec<Rc<Peer>>>,
    /// Who waits for the last connection to end.
    empty: RefCell<Option<Waker>>,
}

/// One connection as the watch knows it.
pub(super) struct Peer {
    watch: Rc<Watch>,
    place: Cell<usize>,
    /// The connection's task, which looks at `order` when it is woken.
    task: RefCell<Option<Waker>>,
    order: Cell<Order>,
    /// When a head that has begun must have ended.
    head_by: Cell<u32>,
    /// When the peer must have taken something, if it owes us that.
    take_by: Cell<u32>,
    /// HTTP/2: when a peer that says nothing is asked for a sign of life, and when it must have
    /// come.
    ask_by: Cell<u32>,
    sign_by: Cell<u32>,
    /// When a peer that was told the end must have ended its side.
    leave_by: Cell<u32>,
    /// How many wait for the peer to take something: replies, and the socket itself.
    untaken: Cell<u32>,
    /// HTTP/1: requests whose head has ended and whose reply has not.
    answering: Cell<u32>,
}

/// What a connection is to do. A later one overrides an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Go on.
    Serve,
    /// Finish what has begun, then end.
    Finish,
    /// End now: the peer kept us waiting too long.
    EndLate,
    /// End now: the drain's time is over.
    EndDrain,
}

/// A connection's place in the watch; dropping it leaves.
pub(super) struct Member(Rc<Peer>);

impl Watch {
    pub(super) fn new(limits: &Limits) -> Rc<Watch> {
        // One more, because the beat that runs is not a whole one.
        let beats = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(NEVER / 2) + 1;
        Rc::new(Watch {
            now: Cell::new(0),
            head_time: beats(limits.head_time),
            stall_time: beats(limits.stall_time),
            ping_after: beats(limits.h2_ping_after),
            ping_time: beats(limits.h2_ping_time),
            peers: RefCell::default(),
            empty: RefCell::default(),
        })
    }

    /// Takes in a connection that was just accepted: its head is awaited from now on.
    pub(super) fn join(self: &Rc<Self>) -> Member {
        let mut peers = self.peers.borrow_mut();
        let peer = Rc::new(Peer {
            watch: Rc::clone(self),
            place: Cell::new(peers.len()),
            task: RefCell::default(),
            order: Cell::new(Order::Serve),
            head_by: Cell::new(self.now.get() + self.head_time),
            take_by: Cell::new(NEVER),
            ask_by: Cell::new(NEVER),
            sign_by: Cell::new(NEVER),
            leave_by: Cell::new(NEVER),
            untaken: Cell::new(0),
            answering: Cell::new(0),
        });
        peers.push(Rc::clone(&peer));
        Member(peer)
    }

    /// Connections that have not ended.
    pub(super) fn len(&self) -> usize {
        self.peers.borrow().len()
    }

    /// Counts beats, for ever, and ends whoever is late.
    pub(super) async fn beat(&self) {
        loop {
            rt::sleep(BEAT).await;
            self.count_beat();
        }
    }

    fn count_beat(&self) {
        let now = self.now.get() + 1;
        self.now.set(now);
        for peer in self.peers.borrow().iter() {
            if now >= peer.head_by.get().min(peer.take_by.get()).min(peer.sign_by.get()) {
                peer.give(Order::EndLate);
            }
            if peer.had_time_to_leave() || peer.is_silent() {
                peer.wake();
            }
        }
    }

    /// Tells every connection to finish, and soon if no request of it has begun.
    pub(super) fn finish(&self) {
        let soon = self.now.get() + 1 + HEAD_AT_DRAIN;
        for peer in self.peers.borrow().iter() {
            if peer.head_by.get() != NEVER {
                peer.head_by.set(peer.head_by.get().min(soon));
            }
            peer.give(Order::Finish);
        }
    }

    /// Ends every connection for the drain's sake.
    pub(super) fn end(&self) {
        self.peers.borrow().iter().for_each(|peer| peer.give(Order::EndDrain));
    }

    /// Waits until the last connection has ended.
    pub(super) async fn emptied(&self) {
        poll_fn(|cx| {
            if self.len() == 0 {
                return Poll::Ready(());
            }
            self.empty.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Peer {
    /// What the connection is to do; its task, which must be the one asking, is woken when that
    /// changes.
    pub(super) fn order(&self, cx: &Context<'_>) -> Order {
        let mut task = self.task.borrow_mut();
        match task.as_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *task = Some(cx.waker().clone()),
        }
        self.order.get()
    }

    /// The same, for a task that has asked since it was polled.
    pub(super) fn ordered(&self) -> Order {
        self.order.get()
    }

    fn give(&self, order: Order) {
        if order > self.order.get() {
            self.order.set(order);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// Bytes of a head have come; nothing when a request is being answered, whose body they are.
    pub(super) fn head_comes(&self) {
        if self.answering.get() == 0 && self.head_by.get() == NEVER {
            self.head_by.set(self.watch.now.get() + self.watch.head_time);
        }
    }

    /// No head is awaited any more.
    pub(super) fn head_ended(&self) {
        self.head_by.set(NEVER);
    }

    /// Our side has ended, and the peer is to end its own.
    pub(super) fn leaves(&self) {
        self.head_by.set(NEVER);
        self.ask_by.set(NEVER);
        self.sign_by.set(NEVER);
        self.leave_by.set(self.watch.now.get() + 1 + TIME_TO_LEAVE);
    }

    /// Whether the peer need not be waited for any longer.
    pub(super) fn had_time_to_leave(&self) -> bool {
        self.watch.now.get() >= self.leave_by.get()
    }

    /// Beats since the listener began.
    pub(super) fn beat(&self) -> u32 {
        self.watch.now.get()
    }

    /// HTTP/2: the peer said something.
    pub(super) fn hears(&self) {
        self.ask_by.set(self.watch.now.get() + self.watch.ping_after);
        self.sign_by.set(NEVER);
    }

    /// HTTP/2: whether the peer has said nothing for so long that it is to be asked.
    pub(super) fn is_silent(&self) -> bool {
        self.watch.now.get() >= self.ask_by.get()
    }

    /// HTTP/2: the peer was asked for a sign of life.
    pub(super) fn is_asked(&self) {
        self.ask_by.set(NEVER);
        self.sign_by.set(self.watch.now.get() + self.watch.ping_time);
    }

    /// A request is being answered.
    pub(super) fn answers(&self) {
        self.head_ended();
        self.answering.set(self.answering.get() + 1);
    }

    /// Its reply has ended.
    pub(super) fn answered(&self) {
        self.answering.set(self.answering.get() - 1);
    }

    /// Something more waits for the peer to take it.
    pub(super) fn owes(&self) {
        if self.untaken.replace(self.untaken.get() + 1) == 0 {
            self.put_off();
        }
    }

    /// The peer took something, and more waits.
    pub(super) fn takes(&self) {
        if self.untaken.get() > 0 {
            self.put_off();
        }
    }

    /// One thing less waits.
    pub(super) fn took(&self) {
        if self.untaken.replace(self.untaken.get() - 1) == 1 {
            self.take_by.set(NEVER);
        } else {
            self.put_off();
        }
    }

    fn put_off(&self) {
        self.take_by.set(self.watch.now.get() + self.watch.stall_time);
    }
}

impl Member {
    pub(super) fn peer(&self) -> &Rc<Peer> {
        &self.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let watch = &self.0.watch;
        let mut peers = watch.peers.borrow_mut();
        let place = self.0.place.get();
        peers.swap_remove(place);
        if let Some(moved) = peers.get(place) {
            moved.place.set(place);
        }
        if peers.is_empty()
            && let Some(waiting) = watch.empty.take()
        {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Rc<Watch> {
        Watch::new(&Limits {
            head_time: Duration::from_secs(2),
            stall_time: Duration::from_secs(4),
            h2_ping_after: Duration::from_secs(6),
            h2_ping_time: Duration::from_secs(2),
            ..Limits::default()
        })
    }

    fn beats(watch: &Watch, n: usize) {
        (0..n).for_each(|_| watch.count_beat());
    }

    fn order(member: &Member) -> Order {
        member.peer().order(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_head_that_does_not_end_is_late() {
        let watch = watch();
        let (silent, idle) = (watch.join(), watch.join());
        idle.peer().answers();
        idle.peer().answered();
        beats(&watch, 2);
        assert_eq!((order(&silent), order(&idle)), (Order::Serve, Order::Serve));
        beats(&watch, 1);
        assert_eq!((order(&silent), order(&idle)), (Order::EndLate, Order::Serve));
        // The first byte of the next head starts its time; the second does not start it anew.
        idle.peer().head_comes();
        beats(&watch, 2);
        idle.peer().head_comes();
        assert_eq!(order(&idle), Order::Serve);
        beats(&watch, 1);
        assert_eq!(order(&idle), Order::EndLate);
    }

    #[test]
    fn bytes_of_a_body_are_no_head() {
        let watch = watch();
        let member = watch.join();
        member.peer().answers();
        member.peer().head_comes();
        beats(&watch, 100);
        assert_eq!(order(&member), Order::Serve);
    }

    #[test]
    fn a_reader_that_stops_is_late_and_a_slow_one_is_not() {
        let watch = watch();
        let (slow, stopped) = (watch.join(), watch.join());
        for member in [&slow, &stopped] {
            member.peer().answers();
            member.peer().owes();
            member.peer().owes();
        }
        for _ in 0..3 {
            beats(&watch, 3);
            slow.peer().takes();
        }
        assert_eq!((order(&slow), order(&stopped)), (Order::Serve, Order::EndLate));
        slow.peer().took();
        beats(&watch, 4);
        assert_eq!(order(&slow), Order::Serve);
        slow.peer().took();
        beats(&watch, 100);
        assert_eq!(order(&slow), Order::Serve);
    }

    #[test]
    fn a_drain_hurries_heads_and_nothing_else() {
        let watch = watch();
        let (silent, busy) = (watch.join(), watch.join());
        busy.peer().answers();
        watch.finish();
        assert_eq!((order(&silent), order(&busy)), (Order::Finish, Order::Finish));
        beats(&watch, 2);
        assert_eq!((order(&silent), order(&busy)), (Order::EndLate, Order::Finish));
        watch.end();
        assert_eq!(order(&busy), Order::EndDrain);
    }

    #[test]
    fn a_peer_that_was_told_the_end_has_its_time() {
        let watch = watch();
        let member = watch.join();
        member.peer().leaves();
        beats(&watch, 2);
        assert!(!member.peer().had_time_to_leave());
        beats(&watch, 1);
        assert!(member.peer().had_time_to_leave());
        assert_eq!(order(&member), Order::Serve);
    }

    #[test]
    fn a_silent_peer_is_asked_and_then_ended() {
        let watch = watch();
        let (dead, alive) = (watch.join(), watch.join());
        for member in [&dead, &alive] {
            member.peer().head_ended();
            member.peer().hears();
        }
        beats(&watch, 6);
        assert!(!dead.peer().is_silent());
        beats(&watch, 1);
        for member in [&dead, &alive] {
            assert!(member.peer().is_silent());
            member.peer().is_asked();
            assert!(!member.peer().is_silent());
        }
        beats(&watch, 2);
        alive.peer().hears();
        beats(&watch, 1);
        assert_eq!((order(&dead), order(&alive)), (Order::EndLate, Order::Serve));
    }

    #[test]
    fn members_leave_in_any_order() {
        let watch = watch();
        let mut members: Vec<_> = (0..5).map(|_| watch.join()).collect();
        for leaves in [1, 3, 0, 0, 0] {
            members.swap_remove(leaves);
            let places: Vec<_> = watch.peers.borrow().iter().map(|p| p.place.get()).collect();
            assert!(places.into_iter().eq(0..members.len()));
        }
        assert_eq!(watch.len(), 0);
    }
}
