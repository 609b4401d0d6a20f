//! What the S3 server does wrong, in the order that a test wrote down, and what it was asked.
//! Shared by a test's thread and the server's; it has no dice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::{Method, Uri};

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not done: this status and code.
    Status(u16, &'static str),
    /// Not done: 503 SlowDown.
    SlowDown,
    /// Not done: the connection is cut before any answer.
    Reset,
    /// Done, and the connection is cut before any answer.
    LoseAnswer,
    /// Done, and the connection is cut after half of the answer's body.
    ResetMidBody,
    /// Done; half of the answer's body comes and says that it is all there is.
    Truncate,
    /// Done; the answer's body has one flipped bit in its middle.
    WrongBytes,
    /// Not done: 200 and an error document.
    ErrorBody200,
    /// The request's body arrives with one flipped bit in its middle.
    DamageRequest,
    /// Done, after a while.
    Delay(Duration),
}

#[derive(Debug)]
struct Planned {
    left: usize,
    method: Method,
    key: String,
    fault: Fault,
}

#[derive(Debug, Default)]
struct State {
    planned: Vec<Planned>,
    struck: usize,
    requests: Vec<(Method, String)>,
}

/// The script of one server.
#[derive(Clone, Debug, Default)]
pub struct Script(Arc<Mutex<State>>);

impl Script {
    /// The next `count` requests of `method` whose path and query contain `key` meet `fault`, each
    /// only one: what was planned first comes first.
    pub fn plan(&self, count: usize, method: Method, key: &str, fault: Fault) {
        let key = key.to_owned();
        self.0.lock().unwrap().planned.push(Planned { left: count, method, key, fault });
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.0.lock().unwrap().planned.clear();
    }

    /// How many requests met a fault.
    pub fn struck(&self) -> usize {
        self.0.lock().unwrap().struck
    }

    /// How many requests of `method` came whose path and query contain `key`.
    pub fn requests(&self, method: Method, key: &str) -> usize {
        let state = self.0.lock().unwrap();
        state.requests.iter().filter(|(m, uri)| *m == method && uri.contains(key)).count()
    }

    /// What this request meets.
    pub(super) fn next(&self, method: &Method, uri: &Uri) -> Option<Fault> {
        let uri = uri.to_string();
        let mut state = self.0.lock().unwrap();
        state.requests.push((method.clone(), uri.clone()));
        let meets = |plan: &&mut Planned| {
            plan.left > 0 && plan.method == *method && uri.contains(&plan.key)
        };
        let planned = state.planned.iter_mut().find(meets)?;
        planned.left -= 1;
        let fault = planned.fault;
        state.struck += 1;
        Some(fault)
    }
}
