//! Reads of one record by its key.

use bytes::Bytes;
use http::Method;
use http::header::ETAG;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pumice_model::ids::Token;
use pumice_model::wire::parse_etag;
use serde::de::DeserializeOwned;

use crate::builder::Client;
use crate::error::Error;
use crate::transport::{Call, Place};

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
        let call = Call::new(Place::Pk(pk.to_owned()), Method::GET, record_path(pk, sk));
        let call = call.at_least(&self.wanted([pk]));
        let answer = match self.router.read(&call).await {
            Ok(answer) => answer,
            Err(Error::Invalid { status: Some(404), .. }) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let tag = answer.field(ETAG.as_str()).unwrap_or_default();
        let token = parse_etag(tag).map_err(Error::protocol)?;
        self.has_read([token]);
        let data = text(answer.body)?;
        Ok(Some(Record { pk: pk.to_owned(), sk: sk.to_owned(), data, token }))
    }
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
