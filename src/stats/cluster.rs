//! What the cluster's thread counts, and the last picture of the cluster that it drew. Written by
//! it alone, read by the admin port; no core comes here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use pumice_model::wire::ClusterBody;

use super::counter::{Counter, Gauge};

/// The counts of a node's gossip.
#[derive(Debug, Default)]
pub struct ClusterStats {
    /// Members that are known, this node too.
    pub members: Gauge,
    /// Those of them that are alive.
    pub alive: Gauge,
    /// Members that are not counted: they disagree about the namespace, or cannot be understood.
    pub ignored: Gauge,
    /// Datagrams that left.
    pub sent: Counter,
    /// Their bytes.
    pub sent_bytes: Counter,
    /// Datagrams that were too large, or that the operating system would not take.
    pub unsent: Counter,
    /// Datagrams that came, whatever they were.
    pub received: Counter,
    /// Their bytes.
    pub received_bytes: Counter,
    /// Datagrams dropped because of their seal: none, another secret, or one that is not asked for.
    pub unsealed: Counter,
    /// Datagrams dropped because they are of another namespace.
    pub foreign: Counter,
    /// Datagrams dropped because they are nothing known.
    pub garbled: Counter,
    leaving: AtomicBool,
    ending: AtomicBool,
    shown: RwLock<Shown>,
}

/// What the admin port shows.
#[derive(Debug, Default)]
struct Shown {
    body: Option<Arc<ClusterBody>>,
    unready: Option<String>,
}

impl ClusterStats {
    /// This node is about to leave: peers are told, and hold what it holds from now on.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// The process of this node is about to end: peers are told, and ask others before it.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// The admin port shows this from now on. `unready` is why the cluster keeps this node from
    /// being ready, when it does.
    pub fn show(&self, body: ClusterBody, unready: Option<String>) {
        let shown = Shown { body: Some(Arc::new(body)), unready };
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
    }

    /// The last picture; nothing before the first.
    pub fn body(&self) -> Option<Arc<ClusterBody>> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).body.clone()
    }

    /// Why the cluster keeps this node from being ready.
    pub fn unready(&self) -> Option<String> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        match shown.body {
            None => Some("the cluster: not heard of yet".to_owned()),
            Some(_) => shown.unready.clone(),
        }
    }
}
