//! Reads by key: one record, or many of any partitions in one call.

use bytes::Bytes;
use http::Method;
use http::header::ETAG;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pumice_model::ids::Token;
use pumice_model::wire::{GetKey, GetRequest, GetResponse, parse_etag};
use serde::de::DeserializeOwned;

use crate::builder::Client;
use crate::error::Error;
use crate::transport::Call;

/// A stored record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition key.
    pub pk: String,
    /// The sort key.
    pub sk: String,
    /// The value: the JSON text as it is stored.
    pub data: String,
    /// The entry that wrote it.
    pub token: Token,
}

impl Record {
    /// The value as a type of yours.
    ///
    /// # Errors
    /// [`Error::Protocol`] when the stored value is not one.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.data).map_err(|fault| {
            Error::protocol(format!("the value of ({:?}, {:?}): {fault}", self.pk, self.sk))
        })
    }
}

impl Client {
    /// The record (pk, sk), or `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] and [`Error::Invalid`].
    pub async fn get(&self, pk: &str, sk: &str) -> Result<Option<Record>, Error> {
        let call = Call::new(Method::GET, record_path(pk, sk)).at_least(&self.at_least);
        let answer = match self.transport.read(&call).await {
            Ok(answer) => answer,
            Err(Error::Invalid { status: Some(404), .. }) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let tag = answer.headers.get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
        let token = parse_etag(tag).map_err(Error::protocol)?;
        let data = text(answer.body)?;
        Ok(Some(Record { pk: pk.to_owned(), sk: sk.to_owned(), data, token }))
    }

    /// The records of `keys`, in their order, `None` where there is none. At most 10,000 keys, of
    /// any partitions.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when any of them cannot be read, and [`Error::Invalid`].
    pub async fn get_many<P, S>(&self, keys: &[(P, S)]) -> Result<Vec<Option<Record>>, Error>
    where
        P: AsRef<str>,
        S: AsRef<str>,
    {
        let request = GetRequest {
            keys: keys
                .iter()
                .map(|(pk, sk)| GetKey { pk: pk.as_ref().into(), sk: sk.as_ref().into() })
                .collect(),
        };
        let body = serde_json::to_vec(&request).map_err(Error::invalid)?;
        let call = Call::new(Method::POST, "/v1/records:get").json(body).at_least(&self.at_least);
        let answer = self.transport.read(&call).await?;
        if let Some(indexes) = answer.headers.get(pumice_model::wire::UNAVAILABLE) {
            let indexes = indexes.to_str().unwrap_or("some");
            return Err(Error::unavailable(format!("keys {indexes} could not be read")));
        }
        let response: GetResponse =
            serde_json::from_slice(&answer.body).map_err(Error::protocol)?;
        if response.records.len() != keys.len() {
            let got = response.records.len();
            return Err(Error::protocol(format!("{got} records for {} keys", keys.len())));
        }
        response.records.into_iter().map(found).collect()
    }
}

fn found(got: pumice_model::wire::GotRecord<'_>) -> Result<Option<Record>, Error> {
    if !got.found {
        return Ok(None);
    }
    Ok(Some(Record {
        pk: got.pk.into_owned(),
        sk: got.sk.into_owned(),
        // An optional field that holds `null` reads as absent; `found` says that it is a value.
        data: got.data.map_or_else(|| "null".to_owned(), |data| data.get().to_owned()),
        token: parse_etag(&got.etag.unwrap_or_default()).map_err(Error::protocol)?,
    }))
}

/// `/v1/records/{pk}/{sk}` with every byte that could mean something encoded.
pub(crate) fn record_path(pk: &str, sk: &str) -> String {
    format!("/v1/records/{}/{}", encoded(pk), encoded(sk))
}

/// A text as one path segment or query value: only RFC 3986's unreserved characters stay.
pub(crate) fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, KEPT)
}

pub(crate) fn text(body: Bytes) -> Result<String, Error> {
    String::from_utf8(body.into()).map_err(|_| Error::protocol("the answer is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_key_is_one_segment() {
        assert_eq!(record_path("a/b", "\0%é?"), "/v1/records/a%2Fb/%00%25%C3%A9%3F");
        assert_eq!(record_path("a", ""), "/v1/records/a/");
        assert_eq!(record_path("A-z_0.~", "s"), "/v1/records/A-z_0.~/s");
    }
}
