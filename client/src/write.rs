//! Writes of one record: a put or a delete with what must hold for it.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use http::{Method, StatusCode};
use pumice_model::ids::{Token, WriteId};
use pumice_model::wire::{self, OutcomeKind, WriteBody, etag};
use serde::Serialize;

use crate::builder::Client;
use crate::error::Error;
use crate::read::{encoded, record_path};
use crate::transport::{Answer, Call, Place};

/// A write that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Where its entry stands in the log: the record's new version.
    pub token: Token,
    /// Applied, or with [`Wait::Log`] only logged.
    pub outcome: OutcomeKind,
    /// Whether a put made a record that was not there.
    pub created: bool,
}

/// What must be there before a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// No record.
    Absent,
    /// A record.
    Exists,
    /// The record that this entry wrote, see [`Record::token`](crate::Record::token).
    At(Token),
}

/// How long a write waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until it is durable in the log; it is not judged then, so it cannot have a precondition.
    Log,
    /// Until it is judged and applied.
    Applied,
}

type Sent<'c> = Pin<Box<dyn Future<Output = Result<Written, Error>> + Send + 'c>>;

/// A put, sent when awaited.
#[must_use = "a put is sent when it is awaited"]
#[derive(Debug)]
pub struct Put<'c>(Write<'c>);

/// A delete, sent when awaited. Deleting what is not there succeeds.
#[must_use = "a delete is sent when it is awaited"]
#[derive(Debug)]
pub struct Delete<'c>(Write<'c>);

#[derive(Debug)]
struct Write<'c> {
    client: &'c Client,
    method: Method,
    pk: String,
    path: String,
    data: Result<Bytes, Error>,
    query: Vec<(&'static str, String)>,
    expect: Option<Expect>,
    id: Option<WriteId>,
}

impl Client {
    /// Writes the record (pk, sk) whole.
    pub fn put<T: Serialize + ?Sized>(&self, pk: &str, sk: &str, data: &T) -> Put<'_> {
        let data = serde_json::to_vec(data).map(Bytes::from).map_err(Error::invalid);
        Put(Write::new(self, Method::PUT, pk, sk, data))
    }

    /// The same with the value as JSON text, kept byte for byte but for whitespace outside strings.
    pub fn put_json(&self, pk: &str, sk: &str, text: impl Into<Bytes>) -> Put<'_> {
        Put(Write::new(self, Method::PUT, pk, sk, Ok(text.into())))
    }

    /// Removes the record (pk, sk).
    pub fn delete(&self, pk: &str, sk: &str) -> Delete<'_> {
        Delete(Write::new(self, Method::DELETE, pk, sk, Ok(Bytes::new())))
    }

    // Sends a write of one partition, and notes for the session where its entry stands.
    pub(crate) async fn judged(&self, call: &Call) -> Result<Written, Error> {
        let result = match self.router.write(call).await {
            Ok(answer) => written(&answer),
            Err(fault) => Err(fault),
        };
        self.wrote(match &result {
            Ok(written) => Some(written.token),
            Err(Error::Refused { token, .. } | Error::Unknown { token, .. }) => *token,
            Err(_) => None,
        });
        result
    }
}

impl Put<'_> {
    /// The record stops to exist this long after the write; whole milliseconds count.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.0.query.push(("ttl", ttl.as_millis().to_string()));
        self
    }

    /// The put is refused unless this condition over the stored record gives true.
    pub fn condition(mut self, condition: &str) -> Self {
        self.0.query.push(("if", condition.to_owned()));
        self
    }

    /// The put is refused unless this is there before.
    pub fn expect(mut self, expect: Expect) -> Self {
        self.0.expect = Some(expect);
        self
    }

    /// Until when to wait; [`Wait::Applied`] unless set.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.0.wait(wait);
        self
    }

    /// Names this write, so that it can be repeated, by this client and after an
    /// [`Error::Unknown`] by you, without being applied twice.
    pub fn write_id(mut self, id: WriteId) -> Self {
        self.0.id = Some(id);
        self
    }
}

impl Delete<'_> {
    /// The delete is refused unless this condition over the stored record gives true.
    pub fn condition(mut self, condition: &str) -> Self {
        self.0.query.push(("if", condition.to_owned()));
        self
    }

    /// The delete is refused unless this is there before.
    pub fn expect(mut self, expect: Expect) -> Self {
        self.0.expect = Some(expect);
        self
    }

    /// Until when to wait; [`Wait::Applied`] unless set.
    pub fn wait(mut self, wait: Wait) -> Self {
        self.0.wait(wait);
        self
    }

    /// Names this write, so that it can be repeated, by this client and after an
    /// [`Error::Unknown`] by you, without being applied twice.
    pub fn write_id(mut self, id: WriteId) -> Self {
        self.0.id = Some(id);
        self
    }
}

impl<'c> Write<'c> {
    fn new(
        client: &'c Client,
        method: Method,
        pk: &str,
        sk: &str,
        data: Result<Bytes, Error>,
    ) -> Self {
        let path = record_path(pk, sk);
        let pk = pk.to_owned();
        Self { client, method, pk, path, data, query: Vec::new(), expect: None, id: None }
    }

    fn wait(&mut self, wait: Wait) {
        let wait = match wait {
            Wait::Log => "log",
            Wait::Applied => "applied",
        };
        self.query.push(("wait", wait.to_owned()));
    }

    async fn send(self) -> Result<Written, Error> {
        let mut path = self.path;
        for (at, (name, value)) in self.query.iter().enumerate() {
            let mark = if at == 0 { '?' } else { '&' };
            path.push_str(&format!("{mark}{name}={}", encoded(value)));
        }
        let data = self.data?;
        let mut call = Call::new(Place::Pk(self.pk), self.method, path);
        if !data.is_empty() {
            call = call.json(data);
        }
        call = match self.expect {
            None => call,
            Some(Expect::Absent) => call.header(IF_NONE_MATCH, "*"),
            Some(Expect::Exists) => call.header(IF_MATCH, "*"),
            Some(Expect::At(token)) => call.header(IF_MATCH, &etag(token)),
        };
        let call = named(call, self.id);
        self.client.judged(&call).await
    }
}

impl<'c> IntoFuture for Put<'c> {
    type Output = Result<Written, Error>;
    type IntoFuture = Sent<'c>;

    fn into_future(self) -> Sent<'c> {
        Box::pin(self.0.send())
    }
}

impl<'c> IntoFuture for Delete<'c> {
    type Output = Result<Written, Error>;
    type IntoFuture = Sent<'c>;

    fn into_future(self) -> Sent<'c> {
        Box::pin(self.0.send())
    }
}

pub(crate) fn named(call: Call, id: Option<WriteId>) -> Call {
    match id {
        Some(id) => call.header(HeaderName::from_static(wire::WRITE_ID), &id.to_string()),
        None => call,
    }
}

/// The answer to a write. One that does not read leaves the write's outcome unknown.
fn written(answer: &Answer) -> Result<Written, Error> {
    let body: WriteBody = serde_json::from_slice(&answer.body)
        .map_err(|fault| Error::unknown(format!("the answer does not read: {fault}")))?;
    if body.outcome == OutcomeKind::Refused {
        let reason = body.reason.as_deref().unwrap_or("no reason given").to_owned();
        return Err(Error::Refused { reason, token: Some(body.token()) });
    }
    let created = answer.status == StatusCode::CREATED;
    Ok(Written { token: body.token(), outcome: body.outcome, created })
}
