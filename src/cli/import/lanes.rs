//! A lane sends batches one after the other and counts their outcomes. On the main thread's
//! runtime; it sends again only what certainly was not appended.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use pumice_client::{Batch, Client, Error, Puts};
use serde_json::value::RawValue;
use tokio::sync::mpsc::Receiver;

use super::progress::Progress;
use super::tally::Tally;

// The server's own Retry-After counts in whole seconds, an age for one that is merely busy.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a batch is offered to a server that takes nothing, before the import stops.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a lane sends as a whole.
pub enum Work {
    /// Records of one request, and the line of each.
    Many(Puts, Vec<u64>),
    /// Records of a request each, all with different keys.
    Singles(Vec<Single>),
}

/// A record that needs a request of its own.
pub struct Single {
    /// Its line in the file.
    pub line: u64,
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The value.
    pub data: Box<RawValue>,
}

/// One lane.
pub struct Lane {
    client: Client,
    stop: Arc<AtomicBool>,
    progress: Arc<Progress>,
    tally: Tally,
}

impl Lane {
    /// A lane that stops the whole import, and stops with it, by `stop`.
    pub fn new(client: Client, stop: Arc<AtomicBool>, progress: Arc<Progress>) -> Self {
        Self { client, stop, progress, tally: Tally::default() }
    }

    /// Sends all that comes; after a stop it only counts.
    pub async fn run(mut self, mut waiting: Receiver<Work>) -> Tally {
        while let Some(work) = waiting.recv().await {
            let before = self.tally.applied;
            match work {
                Work::Many(puts, lines) => self.many(&puts, &lines).await,
                Work::Singles(singles) => self.singles(&singles).await,
            }
            self.progress.applied(self.tally.applied - before);
        }
        self.tally
    }

    async fn many(&mut self, puts: &Puts, lines: &[u64]) {
        match self.patiently(|| self.client.put_many(puts)).await {
            Ok(outcomes) => {
                for (line, outcome) in lines.iter().zip(outcomes) {
                    match outcome.refused {
                        None => self.tally.applied += 1,
                        Some(reason) => self.tally.refuse(*line, reason),
                    }
                }
            }
            Err(fault) => lines.iter().for_each(|line| count(&mut self.tally, *line, &fault)),
        }
    }

    async fn singles(&mut self, singles: &[Single]) {
        let lane = &*self;
        let mut flying: FuturesUnordered<_> = singles
            .iter()
            .map(|single| async move {
                let batch = Batch::new().put(&single.pk, &single.sk, &single.data);
                (single.line, lane.patiently(|| lane.client.batch(&batch)).await)
            })
            .collect();
        let mut landed = Vec::with_capacity(singles.len());
        while let Some(one) = flying.next().await {
            landed.push(one);
        }
        drop(flying);
        for (line, written) in landed {
            match written {
                Ok(_) => self.tally.applied += 1,
                Err(Error::Refused { reason, .. }) => self.tally.refuse(line, reason),
                Err(fault) => count(&mut self.tally, line, &fault),
            }
        }
    }

    /// Offers a write again for as long as the server says that it took nothing. Where nothing
    /// was heard of it, or the server keeps saying no, the import stops: what comes next would
    /// only wait and fail likewise.
    async fn patiently<T, F>(&self, offer: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut pause = PAUSE_FIRST;
        let mut waited = Duration::ZERO;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            let done = offer().await;
            let fault = match done {
                Err(fault @ Error::Unavailable { .. }) if waited < PATIENCE => fault,
                Err(Error::Unavailable { .. } | Error::Unknown { .. }) => {
                    self.stop.store(true, Ordering::Relaxed);
                    return done;
                }
                done => return done,
            };
            self.progress.waiting(&fault);
            tokio::time::sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn stopped() -> Error {
    Error::Unavailable {
        message: "not sent, the import has stopped".into(),
        retry_after: None,
        reached: None,
    }
}

fn count(tally: &mut Tally, line: u64, fault: &Error) {
    match fault {
        Error::Invalid { .. } => tally.fail(line, || fault.to_string()),
        _ => tally.miss(line, || fault.to_string()),
    }
}
