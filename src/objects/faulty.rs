//! Another store with faults on purpose, in the order that a test wrote down. Objects side thread;
//! it has no dice: the same script gives the same faults.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{Object, Objects, ObjectsFault};

/// What a fault is written down for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// `put` and `put_file`.
    Put,
    /// `get`.
    Get,
    /// `get_range`.
    GetRange,
    /// `len`.
    Len,
    /// `list`.
    List,
    /// `delete`.
    Delete,
}

/// What happens instead, after every retry of the store below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: this call goes as it should.
    Pass,
    /// Not done. 404 is *not there*, other 4xx are *denied*, the rest is *unavailable*.
    Status(u16),
    /// Not done: *unavailable*.
    SlowDown,
    /// Done, but the answer is lost: *unavailable*.
    Reset,
    /// A put stores the first half and says that all is well; a get brings the first half of the
    /// object; a range is *wrong*; a listing has the first half of the objects.
    Truncate,
    /// A put stores, or a get brings, as many bytes as it should with one bit flipped in the
    /// middle. Nothing else has bytes, and passes.
    WrongBytes,
    /// Not done. A get brings an error document for the object; a range is *wrong*; the rest is
    /// *unavailable*.
    ErrorBody200,
    /// Done, after a while.
    Delay(Duration),
}

/// The store and its script.
#[derive(Debug)]
pub struct Faulty {
    inner: Objects,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    planned: BTreeMap<Operation, VecDeque<Fault>>,
    struck: BTreeMap<Operation, u64>,
}

impl Faulty {
    /// Nothing goes wrong until something is planned.
    pub fn new(inner: Objects) -> Self {
        Self { inner, script: Mutex::default() }
    }

    /// The next calls of `operation` meet these, one a call, after what was planned before.
    pub fn plan(&self, operation: Operation, faults: impl IntoIterator<Item = Fault>) {
        self.script().planned.entry(operation).or_default().extend(faults);
    }

    /// How many calls of `operation` met a fault, a delay included.
    pub fn struck(&self, operation: Operation) -> u64 {
        self.script().struck.get(&operation).copied().unwrap_or_default()
    }

    /// The store below, without faults.
    pub fn inner(&self) -> &Objects {
        &self.inner
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the next call of `operation` meets, delays waited for.
    async fn next(&self, operation: Operation) -> Fault {
        let planned = {
            let mut script = self.script();
            let planned = script.planned.get_mut(&operation).and_then(VecDeque::pop_front);
            if planned.is_some_and(|fault| fault != Fault::Pass) {
                *script.struck.entry(operation).or_default() += 1;
            }
            planned.unwrap_or(Fault::Pass)
        };
        match planned {
            Fault::Delay(time) => {
                tokio::time::sleep(time).await;
                Fault::Pass
            }
            fault => fault,
        }
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), ObjectsFault> {
        match self.next(Operation::Put).await {
            Fault::Pass | Fault::Delay(_) => self.inner.put(key, bytes).await,
            fault @ Fault::Reset => self.inner.put(key, bytes).await.and(Err(told(fault, key))),
            Fault::Truncate => self.inner.put(key, first_half(bytes)).await,
            Fault::WrongBytes => self.inner.put(key, flipped(bytes)).await,
            fault => Err(told(fault, key)),
        }
    }

    pub(super) async fn put_file(
        &self,
        key: &str,
        path: &Path,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ObjectsFault> {
        let read = || std::fs::read(path).map_err(|error| ObjectsFault::local(path, error));
        match self.next(Operation::Put).await {
            Fault::Pass | Fault::Delay(_) => self.inner.put_file(key, path, sent).await,
            fault @ Fault::Reset => {
                self.inner.put_file(key, path, sent).await.and(Err(told(fault, key)))
            }
            Fault::Truncate => self.inner.put(key, first_half(read()?.into())).await,
            Fault::WrongBytes => self.inner.put(key, flipped(read()?.into())).await,
            fault => Err(told(fault, key)),
        }
    }

    pub(super) async fn get(&self, key: &str, max: usize) -> Result<Option<Bytes>, ObjectsFault> {
        let fault = self.next(Operation::Get).await;
        match fault {
            Fault::Pass | Fault::Delay(_) => self.inner.get(key, max).await,
            Fault::Truncate => Ok(self.inner.get(key, max).await?.map(first_half)),
            Fault::WrongBytes => Ok(self.inner.get(key, max).await?.map(flipped)),
            Fault::ErrorBody200 => {
                let document = "<Error><Code>InternalError</Code></Error>";
                Ok(Some(Bytes::from_static(document.as_bytes())))
            }
            Fault::Status(404) => Ok(None),
            fault => Err(told(fault, key)),
        }
    }

    pub(super) async fn get_range(
        &self,
        key: &str,
        range: Range<u64>,
    ) -> Result<Bytes, ObjectsFault> {
        match self.next(Operation::GetRange).await {
            Fault::Pass | Fault::Delay(_) => self.inner.get_range(key, range).await,
            Fault::WrongBytes => self.inner.get_range(key, range).await.map(flipped),
            fault @ (Fault::Truncate | Fault::ErrorBody200) => {
                Err(ObjectsFault::wrong(key, format!("{fault:?} on purpose")))
            }
            fault => Err(told(fault, key)),
        }
    }

    pub(super) async fn len(&self, key: &str) -> Result<Option<u64>, ObjectsFault> {
        match self.next(Operation::Len).await {
            Fault::Pass | Fault::Delay(_) | Fault::WrongBytes => self.inner.len(key).await,
            Fault::Truncate => Ok(self.inner.len(key).await?.map(|len| len / 2)),
            Fault::Status(404) => Ok(None),
            fault => Err(told(fault, key)),
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Object>, ObjectsFault> {
        let fault = self.next(Operation::List).await;
        let mut listed = match fault {
            Fault::Pass | Fault::Delay(_) | Fault::WrongBytes | Fault::Truncate => {
                self.inner.list(prefix).await?
            }
            fault => return Err(told(fault, prefix)),
        };
        if fault == Fault::Truncate {
            listed.truncate(listed.len() / 2);
        }
        Ok(listed)
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), ObjectsFault> {
        match self.next(Operation::Delete).await {
            Fault::Pass | Fault::Delay(_) | Fault::WrongBytes | Fault::Truncate => {
                self.inner.delete(key).await
            }
            fault @ Fault::Reset => self.inner.delete(key).await.and(Err(told(fault, key))),
            fault => Err(told(fault, key)),
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, faulty on purpose", self.inner)
    }
}

fn told(fault: Fault, key: &str) -> ObjectsFault {
    let (key, what) = (key.to_owned(), format!("{fault:?} on purpose"));
    match fault {
        Fault::Status(404) => ObjectsFault::NotFound { key },
        Fault::Status(400..=499) => ObjectsFault::Denied { key, what },
        _ => ObjectsFault::Unavailable { key, what },
    }
}

fn first_half(bytes: Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

fn flipped(bytes: Bytes) -> Bytes {
    let mut bytes = Vec::from(bytes);
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    Bytes::from(bytes)
}
