//! Batches: puts and deletes of one partition, all applied or none.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use pumice_model::ids::WriteId;
use pumice_model::wire::{self, BatchRequest, DeleteOp, Operation, PutOp};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::builder::Client;
use crate::error::Error;
use crate::transport::{Call, Place};
use crate::write::{Expect, Written, named};

/// Puts and deletes that are judged together and applied together, in order. All their keys must
/// be of one partition, which keys of one pk always are.
#[derive(Debug, Clone, Default)]
#[must_use = "a batch does nothing until it is sent with Client::batch"]
pub struct Batch {
    operations: Vec<Op>,
    fault: Option<Error>,
    id: Option<WriteId>,
}

#[derive(Debug, Clone)]
struct Op {
    pk: String,
    sk: String,
    // None: a delete.
    data: Option<Box<RawValue>>,
    ttl_ms: Option<u64>,
    condition: Option<String>,
    expect: Option<Expect>,
}

impl Batch {
    /// No operations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put of the record (pk, sk).
    pub fn put<T: Serialize + ?Sized>(mut self, pk: &str, sk: &str, data: &T) -> Self {
        match to_raw_value(data) {
            Ok(data) => self.add(pk, sk, Some(data)),
            Err(fault) => self.fault = self.fault.or(Some(Error::invalid(fault))),
        }
        self
    }

    /// Adds a delete of the record (pk, sk).
    pub fn delete(mut self, pk: &str, sk: &str) -> Self {
        self.add(pk, sk, None);
        self
    }

    /// The put added last stops to exist this long after the write; whole milliseconds count.
    pub fn ttl(self, ttl: Duration) -> Self {
        self.last(|op| op.ttl_ms = Some(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The batch is refused unless this condition gives true over the record of the operation
    /// added last.
    pub fn condition(self, condition: &str) -> Self {
        self.last(|op| op.condition = Some(condition.to_owned()))
    }

    /// The batch is refused unless this is there before the operation added last.
    pub fn expect(self, expect: Expect) -> Self {
        self.last(|op| op.expect = Some(expect))
    }

    /// Names this batch, so that it can be repeated, by the client and after an
    /// [`Error::Unknown`] by you, without being applied twice.
    pub fn write_id(mut self, id: WriteId) -> Self {
        self.id = Some(id);
        self
    }

    fn add(&mut self, pk: &str, sk: &str, data: Option<Box<RawValue>>) {
        let (pk, sk) = (pk.to_owned(), sk.to_owned());
        self.operations.push(Op { pk, sk, data, ttl_ms: None, condition: None, expect: None });
    }

    fn last(mut self, change: impl FnOnce(&mut Op)) -> Self {
        match self.operations.last_mut() {
            Some(op) => change(op),
            None => {
                let fault = Error::invalid("a batch without an operation cannot have a condition");
                self.fault = self.fault.or(Some(fault));
            }
        }
        self
    }
}

impl Client {
    /// Sends a batch and waits until it is judged.
    ///
    /// # Errors
    /// [`Error::Refused`] when any operation is, and then none is applied; [`Error::Invalid`]
    /// when the keys are not of one partition.
    pub async fn batch(&self, batch: &Batch) -> Result<Written, Error> {
        if let Some(fault) = &batch.fault {
            return Err(fault.clone());
        }
        let operations = batch.operations.iter().map(operation).collect();
        let body = serde_json::to_vec(&BatchRequest { operations }).map_err(Error::invalid)?;
        let place = batch.operations.first().map(|op| Place::Pk(op.pk.clone()));
        self.send_batch(place.unwrap_or(Place::Anyone), body.into(), batch.id).await
    }

    /// Sends the JSON text of a whole `POST /v1/batch` body, which any node takes to a holder.
    ///
    /// # Errors
    /// Those of [`Client::batch`].
    pub async fn batch_json(
        &self,
        body: impl Into<Bytes>,
        id: Option<WriteId>,
    ) -> Result<Written, Error> {
        self.send_batch(Place::Anyone, body.into(), id).await
    }

    async fn send_batch(
        &self,
        place: Place,
        body: Bytes,
        id: Option<WriteId>,
    ) -> Result<Written, Error> {
        let call = Call::new(place, Method::POST, "/v1/batch").json(body);
        self.judged(&named(call, id)).await
    }
}

fn operation(op: &Op) -> Operation<'_> {
    let (pk, sk) = (op.pk.as_str().into(), op.sk.as_str().into());
    let condition = op.condition.as_deref().map(Into::into);
    let expect = op.expect.map(|expect| match expect {
        Expect::Absent => wire::Expect::Absent,
        Expect::Exists => wire::Expect::Exists,
        Expect::At(token) => wire::Expect::Offset(token.offset.0),
    });
    match &op.data {
        Some(data) => Operation::Put(PutOp { pk, sk, data, ttl: op.ttl_ms, condition, expect }),
        None => Operation::Delete(DeleteOp { pk, sk, condition, expect }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use pumice_model::ids::{Offset, Partition, Token};

    use super::*;

    #[test]
    fn options_belong_to_the_operation_before_them() {
        let token = Token { partition: Partition(3), offset: Offset(7) };
        let batch = Batch::new()
            .put("a", "1", &[1, 2])
            .ttl(Duration::from_secs(1))
            .delete("a", "2")
            .condition("data == null")
            .expect(Expect::At(token));
        let operations: Vec<_> = batch.operations.iter().map(operation).collect();
        let text = serde_json::to_string(&BatchRequest { operations }).unwrap();
        let wanted = concat!(
            r#"{"operations":[{"put":{"pk":"a","sk":"1","data":[1,2],"ttl":1000}},"#,
            r#"{"delete":{"pk":"a","sk":"2","if":"data == null","expect":{"offset":7}}}]}"#
        );
        assert_eq!(text, wanted);
        assert!(Batch::new().expect(Expect::Absent).fault.is_some());
    }
}
