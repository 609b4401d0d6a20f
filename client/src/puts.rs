//! Many puts in one call, each an entry of its own with its own outcome: the way to load data.

use bytes::Bytes;
use http::Method;
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::wire::{FireOutcome, FireOutcomeKind, FireOutcomes, FirePut};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::builder::Client;
use crate::error::Error;
use crate::transport::{Call, Place};

const HEAD: &[u8] = br#"{"Records":["#;
const TAIL: &[u8] = b"]}";

/// Records to put, written into the body of their request as they are added.
#[derive(Debug, Clone)]
pub struct Puts {
    body: Vec<u8>,
    len: usize,
}

/// What became of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOutcome {
    /// Its entry.
    pub token: Token,
    /// Why it was refused; `None` when it was applied.
    pub refused: Option<String>,
}

impl Puts {
    /// No records.
    pub fn new() -> Self {
        Self { body: HEAD.to_vec(), len: 0 }
    }

    /// Adds a record whose value serialises to a JSON object or null.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other value; nothing is added then.
    pub fn push<T: Serialize + ?Sized>(
        &mut self,
        pk: &str,
        sk: &str,
        data: &T,
    ) -> Result<(), Error> {
        self.push_raw(pk, sk, &to_raw_value(data).map_err(Error::invalid)?)
    }

    /// Adds a record whose value is this JSON text.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless it is an object or null; nothing is added then.
    pub fn push_raw(&mut self, pk: &str, sk: &str, data: &RawValue) -> Result<(), Error> {
        if !Self::takes(data) {
            return Err(Error::invalid("put_many takes objects and null; use put for the others"));
        }
        if self.len > 0 {
            self.body.push(b',');
        }
        let put = FirePut { pk: pk.into(), sk: sk.into(), data };
        serde_json::to_writer(&mut self.body, &put).map_err(Error::invalid)?;
        self.len += 1;
        Ok(())
    }

    /// Whether this value may be added.
    pub fn takes(data: &RawValue) -> bool {
        data.get().starts_with('{') || data.get() == "null"
    }

    /// How many records there are; a server takes 10,000 in one call.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the request's body; a server takes 16 MiB in one call.
    pub fn bytes(&self) -> usize {
        self.body.len() + TAIL.len()
    }
}

impl Default for Puts {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// Writes the records and waits until each is judged; the outcomes are in the records' order.
    /// Not atomic: see [`Client::batch`] for that.
    ///
    /// # Errors
    /// [`Error::Unknown`] when some may be written; a refused record is an outcome, not an error.
    pub async fn put_many(&self, puts: &Puts) -> Result<Vec<PutOutcome>, Error> {
        if puts.is_empty() {
            return Ok(Vec::new());
        }
        let body = [puts.body.as_slice(), TAIL].concat();
        // Each node sends every record on to one who has its partition.
        let call = Call::new(Place::Anyone, Method::POST, "/records/put?wait=applied");
        let answer = self.router.write(&call.json(Bytes::from(body))).await?;
        let outcomes: FireOutcomes = serde_json::from_slice(&answer.body)
            .map_err(|fault| Error::unknown(format!("the answer does not read: {fault}")))?;
        if outcomes.outcomes.len() != puts.len {
            let got = outcomes.outcomes.len();
            return Err(Error::unknown(format!("{got} outcomes for {} records", puts.len)));
        }
        let outcomes: Vec<_> = outcomes.outcomes.into_iter().map(PutOutcome::from).collect();
        self.wrote(outcomes.iter().map(|outcome| outcome.token));
        Ok(outcomes)
    }
}

impl From<FireOutcome<'_>> for PutOutcome {
    fn from(outcome: FireOutcome<'_>) -> Self {
        let refused = match outcome.outcome {
            FireOutcomeKind::Applied => None,
            FireOutcomeKind::Refused => {
                Some(outcome.reason.unwrap_or("no reason given".into()).into_owned())
            }
        };
        let token =
            Token { partition: Partition(outcome.partition), offset: Offset(outcome.offset) };
        Self { token, refused }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_route_takes_is_added() {
        let mut puts = Puts::new();
        puts.push("a", "1", &serde_json::json!({"x": 1})).unwrap();
        assert!(matches!(puts.push("a", "2", &1), Err(Error::Invalid { .. })));
        puts.push("a", "3", &()).unwrap();
        assert_eq!(puts.len(), 2);
        let mut text = String::from_utf8(puts.body.clone()).unwrap();
        text.push_str("]}");
        assert_eq!(puts.bytes(), text.len());
        let wanted = concat!(
            r#"{"Records":[{"pk":"a","sk":"1","data":{"x":1}},"#,
            r#"{"pk":"a","sk":"3","data":null}]}"#
        );
        assert_eq!(text, wanted);
    }
}
