//! How a core asks the snapshots' thread for the rows of a partition that a peer takes over, and
//! how that thread knows where else a partition is to be had. The core only ever waits as a task;
//! the giving end blocks its thread while the peer is slow, within a bound.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pumice_model::ids::Partition;
use tokio::sync::{mpsc, watch};

use super::lane::{Receiver, Sender, Unsent, lane};
use super::routes::Routes;

/// Asks that wait for the thread, at most; it answers each at once, if only with a refusal.
const WAITING: usize = 16;
/// Pieces that wait for one peer, at most: with what is in a piece, what a slow one makes us hold.
const PIECES: usize = 4;
/// How long the giving end rests before it tries a full lane again.
const REST: Duration = Duration::from_micros(500);
/// How long a peer may take nothing: what its connection may be stalled, and some more.
const PATIENCE: Duration = Duration::from_secs(40);

/// One partition that a peer asks for.
pub struct Ask {
    /// Whose rows.
    pub partition: Partition,
    /// Where they go.
    pub giving: Giving,
}

/// What comes of an ask, in this order: a refusal, or a beginning and then bytes.
#[derive(Debug)]
pub enum Piece {
    /// So many bytes are to come.
    Begins(u64),
    /// Some of them.
    Bytes(Bytes),
    /// None will come.
    Refused(Refused),
    /// No more will come, though they were promised.
    Broken(String),
}

/// Why a partition is not given.
#[derive(Debug)]
pub enum Refused {
    /// As many as may be are being given.
    Busy,
    /// There is nothing of it here.
    Nothing,
    /// The walk over it failed.
    Failed(String),
}

/// The end that gives. On a thread that may block.
pub struct Giving {
    lane: Sender<Piece>,
    taker: Weak<()>,
}

/// The end that takes, on the core of the peer's request; dropping it ends the giving.
#[derive(Debug)]
pub struct Taking {
    lane: Receiver<Piece>,
    _taker: Arc<()>,
}

/// Nobody takes any more, or nobody took for too long.
#[derive(Debug)]
pub struct Untaken;

/// Asks; cheap to clone, any thread.
#[derive(Clone, Debug)]
pub struct Asking(mpsc::Sender<Ask>);
/// The end that is asked.
pub type Asked = mpsc::Receiver<Ask>;

/// A way for asks.
pub fn asks() -> (Asking, Asked) {
    let (asking, asked) = mpsc::channel(WAITING);
    (Asking(asking), asked)
}

/// Tells the newest routes to the snapshots' thread.
pub type Telling = watch::Sender<Arc<Routes>>;
/// The newest routes, as the snapshots' thread knows them: of version 0 before any.
pub type Known = watch::Receiver<Arc<Routes>>;

/// A way for routes.
pub fn known() -> (Telling, Known) {
    watch::channel(Arc::default())
}

impl Asking {
    /// Asks for a partition; `None` when too many asks wait.
    pub fn ask(&self, partition: Partition) -> Option<Taking> {
        let (giving, taking) = pieces();
        self.0.try_send(Ask { partition, giving }).ok()?;
        Some(taking)
    }
}

fn pieces() -> (Giving, Taking) {
    let (sender, receiver) = lane(PIECES);
    let taker = Arc::new(());
    let giving = Giving { lane: sender, taker: Arc::downgrade(&taker) };
    (giving, Taking { lane: receiver, _taker: taker })
}

impl Giving {
    /// Puts a piece where it is taken from, and blocks while there is no room.
    ///
    /// # Errors
    /// When nobody takes any more.
    pub fn give(&self, piece: Piece) -> Result<(), Untaken> {
        let (mut piece, until) = (piece, Instant::now() + PATIENCE);
        loop {
            match self.lane.try_send(piece) {
                Ok(()) => return Ok(()),
                Err(Unsent::Full(back)) if Instant::now() < until => piece = back,
                Err(Unsent::Full(_) | Unsent::Closed(_)) => return Err(Untaken),
            }
            thread::sleep(REST);
        }
    }

    /// Says that no more will come. Never blocks: behind a full lane its end alone tells.
    pub fn break_off(&self, why: String) {
        let _ = self.lane.try_send(Piece::Broken(why));
    }

    /// Says that nothing will come. Never blocks: it is the first and last piece.
    pub fn refuse(&self, why: Refused) {
        // Who has gone needs no answer.
        let _ = self.lane.try_send(Piece::Refused(why));
    }

    /// Whether somebody still takes.
    pub fn is_wanted(&self) -> bool {
        self.taker.strong_count() > 0
    }
}

impl Taking {
    /// The next piece; `None` after the last, and when the giving end has gone.
    pub async fn next(&mut self) -> Option<Piece> {
        std::future::poll_fn(|cx| self.lane.poll_next(cx)).await
    }

    /// The same, for a body that is polled.
    pub fn poll_next(&mut self, cx: &std::task::Context<'_>) -> std::task::Poll<Option<Piece>> {
        self.lane.poll_next(cx)
    }
}
