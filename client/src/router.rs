//! Every request's way to a server: whom to ask, what to do when that fails, and until when. The
//! one place that tries anything twice; a write that may have been appended only by its write id.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pumice_model::ids::Partition;
use pumice_model::wire::{self, code};
use rustls::ClientConfig;

use crate::error::Error;
use crate::health::jittered;
use crate::learn::{self, Learned};
use crate::meaning::{code_of, fault};
use crate::route::{Node, Routes};
use crate::transport::{Answer, Call, Failed, Origin, Place};

const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What all clones of a client share.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) settings: Settings,
    learned: Mutex<Learned>,
}

/// What a client was told when it was made.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) timeout: Duration,
    pub(crate) connections: usize,
    pub(crate) retries: u32,
    pub(crate) region: Option<String>,
    pub(crate) tls: ClientConfig,
}

/// What a second try of a call would do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Nothing that the first did not.
    Read,
    /// Write again.
    Write,
    /// Nothing: the server knows the write by its id.
    NamedWrite,
}

/// What one try came to.
enum Tried {
    Done(Result<Answer, Error>),
    /// Another may do better, at once when there was no connection.
    Again(Result<Answer, Error>, bool),
}

impl Router {
    /// With the servers of these addresses to begin with, at least one.
    pub(crate) fn new(given: Vec<String>, settings: Settings) -> Self {
        let connect = |base| Arc::new(Origin::new(base, &settings.tls, settings.connections));
        let routes = Routes::unknown(given.into_iter().map(connect).collect());
        Self { learned: Mutex::new(Learned::new(routes)), settings }
    }

    /// A call without effect: tried again, elsewhere if there is anybody else, while there is time
    /// and tries are left.
    pub(crate) async fn read(self: &Arc<Self>, call: &Call) -> Result<Answer, Error> {
        self.send(call, Effect::Read, None, self.deadline()).await
    }

    /// The same, asked of `first` first.
    pub(crate) async fn read_at(
        self: &Arc<Self>,
        first: Arc<Node>,
        call: &Call,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        self.send(call, Effect::Read, Some(first), deadline).await
    }

    /// A call with effect: sent once, unless nothing left for certain, or it has a write id.
    pub(crate) async fn write(self: &Arc<Self>, call: &Call) -> Result<Answer, Error> {
        let effect = if call.is_named() { Effect::NamedWrite } else { Effect::Write };
        self.send(call, effect, None, self.deadline()).await
    }

    /// A call that is tried once, with the answer as it came, whatever its status.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Error> {
        let node = self.learned().routes.pick(&call.place, &[]);
        let answer = node.origin.send(call, self.deadline()).await;
        self.heard(&node, &answer);
        answer.map_err(|failed| match failed {
            Failed::Unsent(message) => Error::unavailable(message),
            Failed::Cut(message) => Error::unknown(message),
        })
    }

    /// Until when a call that begins now may take.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.timeout
    }

    /// The newest picture; has a newer one fetched beside the call when it is time.
    pub(crate) fn routes(self: &Arc<Self>) -> Arc<Routes> {
        let mut learned = self.learned();
        if learned.is_due(Instant::now()) {
            learned.begins(Instant::now());
            tokio::spawn(learn::learn(self.clone()));
        }
        learned.routes.clone()
    }

    /// The partition of a pk, once it is known how pks are placed.
    pub(crate) fn partition(&self, pk: &str) -> Option<Partition> {
        self.learned().routes.partition(pk)
    }

    pub(crate) fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps how the node that was asked fares.
    pub(crate) fn fares(&self, node: &Node, answer: &Result<Answer, Failed>) {
        match answer {
            Ok(_) => node.origin.health.well(),
            Err(_) => {
                node.origin.health.failed(Instant::now());
                self.learned().is_stale = true;
            }
        }
    }

    // The same, and whether the answer shows that the picture is wrong.
    fn heard(&self, node: &Node, answer: &Result<Answer, Failed>) {
        self.fares(node, answer);
        let Ok(answer) = answer else { return };
        let forwarded = match (answer.field(wire::NODE), &node.id) {
            (Some(by), Some(id)) => by != id,
            (Some(_), None) => self.learned().is_alone(),
            (None, _) => false,
        };
        let moved = answer.status.as_u16() == 503
            && matches!(code_of(&answer.body).as_deref(), Some(code::MOVED | code::UNAVAILABLE));
        if forwarded || moved {
            self.learned().is_stale = true;
        }
    }

    async fn send(
        self: &Arc<Self>,
        call: &Call,
        effect: Effect,
        first: Option<Arc<Node>>,
        deadline: Instant,
    ) -> Result<Answer, Error> {
        let mut asked: Vec<Arc<Origin>> = Vec::new();
        let mut routes = self.picture(&call.place);
        let mut node = first.unwrap_or_else(|| routes.pick(&call.place, &asked));
        let (mut left, mut backoff) = (self.settings.retries, BACKOFF_FIRST);
        // An earlier try of a write whose end is not known: later ones cannot deny it.
        let mut doubt = None;
        loop {
            asked.push(node.origin.clone());
            let alone = effect == Effect::Write || !routes.has_other(&call.place, &asked);
            let time = deadline.saturating_duration_since(Instant::now());
            let patience = if alone { time } else { time / (left + 1) };
            let answer = node.origin.send(call, Instant::now() + patience).await;
            self.heard(&node, &answer);
            let (result, at_once) = match tried(effect, answer) {
                Tried::Done(result) => return told(result, doubt),
                Tried::Again(result, at_once) => (result, at_once),
            };
            if left == 0 {
                return told(result, doubt);
            }
            routes = self.picture(&call.place);
            node = routes.pick(&call.place, &asked);
            let elsewhere = !asked.iter().any(|origin| Arc::ptr_eq(origin, &node.origin));
            let pause = match &result {
                _ if elsewhere && at_once && left == self.settings.retries => Duration::ZERO,
                Err(Error::Unavailable { retry_after: Some(asked), .. }) if !elsewhere => *asked,
                _ => jittered(backoff),
            };
            let pause = pause.min(BACKOFF_MAX);
            if Instant::now() + pause >= deadline {
                return told(result, doubt);
            }
            if let Err(fault) = result
                && let Error::Unknown { token, .. } = &fault
                && (doubt.is_none() || token.is_some())
            {
                doubt = Some(fault);
            }
            tokio::time::sleep(pause).await;
            (left, backoff) = (left - 1, (backoff * 2).min(BACKOFF_MAX));
        }
    }

    // What is asked of one certain server has nothing to do with the cluster.
    fn picture(self: &Arc<Self>, place: &Place) -> Arc<Routes> {
        match place {
            Place::Given => self.learned().routes.clone(),
            _ => self.routes(),
        }
    }
}

fn tried(effect: Effect, answer: Result<Answer, Failed>) -> Tried {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Failed::Unsent(message)) => {
            return Tried::Again(Err(Error::unavailable(message)), true);
        }
        Err(Failed::Cut(message)) => {
            return match effect {
                Effect::Read => Tried::Again(Err(Error::unavailable(message)), true),
                Effect::NamedWrite => Tried::Again(Err(Error::unknown(message)), true),
                Effect::Write => Tried::Done(Err(Error::unknown(message))),
            };
        }
    };
    if answer.status.as_u16() < 400 {
        // Some of the keys were to be had by nobody there.
        let partly = effect == Effect::Read && answer.field(wire::UNAVAILABLE).is_some();
        return if partly { Tried::Again(Ok(answer), false) } else { Tried::Done(Ok(answer)) };
    }
    let fault = fault(&answer, effect != Effect::Read);
    let again = match &fault {
        Error::Unavailable { reached, .. } => reached.is_none() && effect != Effect::Write,
        Error::Unknown { .. } => effect == Effect::NamedWrite,
        _ => false,
    };
    if again { Tried::Again(Err(fault), false) } else { Tried::Done(Err(fault)) }
}

fn told(result: Result<Answer, Error>, doubt: Option<Error>) -> Result<Answer, Error> {
    match (result, doubt) {
        (Err(fault @ Error::Unknown { token: Some(_), .. }), _) => Err(fault),
        (Err(Error::Unavailable { .. } | Error::Unknown { .. }), Some(doubt)) => Err(doubt),
        (result, _) => result,
    }
}
