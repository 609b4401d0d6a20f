//! (pure) Bodies of single records, of `POST /v1/records:get` and of the list by pk. A type that
//! borrows serves both sides: the server writes it from a read transaction, the client reads it
//! out of a body.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::timestamp::Timestamp;
use crate::ids::{Offset, Partition, Token};

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// Every mutation of the entry is in the store.
    Applied,
    /// None is, and `reason` says why.
    Refused,
    /// Durable in the log and not judged yet: the answer to `wait=log`.
    Logged,
}

/// The answer to a PUT, a DELETE and a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WriteBody<'a> {
    /// What became of the write.
    pub outcome: OutcomeKind,
    /// The partition of the entry.
    pub partition: u32,
    /// The position of the entry in its partition.
    pub offset: u64,
    /// Why it was refused.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
}

impl WriteBody<'_> {
    /// Where the entry stands.
    pub fn token(&self) -> Token {
        Token { partition: Partition(self.partition), offset: Offset(self.offset) }
    }
}

/// The body of `POST /v1/records:get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRequest<'a> {
    /// The keys to read; the answer keeps their order.
    #[serde(borrow)]
    pub keys: Vec<GetKey<'a>>,
}

/// One key of a [`GetRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetKey<'a> {
    /// The partition key, 1 to 512 bytes.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key, 0 to 1,024 bytes.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
}

/// The answer to `POST /v1/records:get`: one element a key, in request order.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GetResponse<'a> {
    /// The records found and not found.
    #[serde(borrow)]
    pub records: Vec<GotRecord<'a>>,
}

/// One element of a [`GetResponse`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct GotRecord<'a> {
    /// The partition key.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
    /// Whether the record exists. A stored `null` is found, so absence is read here and not in
    /// `data`. Not said of one that is unavailable.
    #[serde(default)]
    pub found: bool,
    /// Whether nobody who has it could be asked: it may exist or not. `pumice-unavailable` names
    /// all of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unavailable: bool,
    /// The stored JSON text, when found.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// `"P-O"` of the entry that wrote the record, when found.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Cow<'a, str>>,
}

/// One page of `GET /v1/records/{pk}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ListResponse<'a> {
    /// The records, by sk in the order asked for.
    #[serde(borrow)]
    pub records: Vec<ListedRecord<'a>>,
    /// The token of the next page, see [`next_token`]; absent on the last page.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cow<'a, str>>,
}

/// One element of a [`ListResponse`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ListedRecord<'a> {
    /// The partition key.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
    /// The stored JSON text.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// `"P-O"` of the entry that wrote the record.
    #[serde(borrow)]
    pub etag: Cow<'a, str>,
    /// The time of the entry that made the record.
    pub created_at: Timestamp,
    /// The time of the entry that wrote it last.
    pub updated_at: Timestamp,
    /// When it stops to exist, for a record with a `ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// The `next` token of a page that ended with this key: base64url without padding over the byte
/// length of `pk` (two bytes, big endian), `pk` and `sk`. It names a key and no server state, so
/// any replica can go on from it.
pub fn next_token(pk: &str, sk: &str) -> String {
    let len = u16::try_from(pk.len()).expect("a stored pk is at most 512 bytes");
    let mut bytes = Vec::with_capacity(2 + pk.len() + sk.len());
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(pk.as_bytes());
    bytes.extend_from_slice(sk.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The (pk, sk) in a `next` token, or `None` when it is not one.
pub fn parse_next(token: &str) -> Option<(String, String)> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (len, keys) = bytes.split_first_chunk::<2>()?;
    let (pk, sk) = keys.split_at_checked(u16::from_be_bytes(*len).into())?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Some((text(pk)?, text(sk)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn values_travel_untouched() {
        let text = concat!(
            r#"{"records":[{"pk":"a","sk":"","found":true,"#,
            r#""data":{ "n" : 9007199254740993, "n":1.0 },"etag":"\"3-7\""}]}"#
        );
        let body: GetResponse = serde_json::from_str(text).unwrap();
        assert_eq!(body.records[0].data.unwrap().get(), r#"{ "n" : 9007199254740993, "n":1.0 }"#);
        assert_eq!(body.records[0].etag.as_deref(), Some("\"3-7\""));
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
    }

    #[test]
    fn a_missing_record_has_no_data() {
        let record = GotRecord {
            pk: "a".into(),
            sk: "\0".into(),
            found: false,
            unavailable: false,
            data: None,
            etag: None,
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(text, r#"{"pk":"a","sk":"\u0000","found":false}"#);
    }

    #[test]
    fn plain_keys_are_borrowed_from_the_body() {
        let body: GetRequest =
            serde_json::from_str(r#"{"keys":[{"pk":"a","sk":"b\u0000"}]}"#).unwrap();
        assert!(matches!(body.keys[0].pk, Cow::Borrowed("a")));
        assert_eq!(body.keys[0].sk, "b\0");
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let misspelt = serde_json::from_str::<GetRequest>(r#"{"keys":[{"pk":"a","SK":"b"}]}"#);
        assert!(misspelt.unwrap_err().to_string().contains("unknown field `SK`"));
        assert!(serde_json::from_str::<GetRequest>(r#"{"keys":[{"pk":"a"}]}"#).is_err());
    }

    #[test]
    fn a_write_answer_reads_back() {
        let refused = WriteBody {
            outcome: OutcomeKind::Refused,
            partition: 3,
            offset: 9,
            reason: Some("the condition is false".into()),
        };
        let text = serde_json::to_string(&refused).unwrap();
        assert_eq!(
            text,
            r#"{"outcome":"refused","partition":3,"offset":9,"reason":"the condition is false"}"#
        );
        assert_eq!(serde_json::from_str::<WriteBody>(&text).unwrap(), refused);
        let applied: WriteBody =
            serde_json::from_str(r#"{"outcome":"applied","partition":0,"offset":0}"#).unwrap();
        assert_eq!((applied.outcome, applied.reason), (OutcomeKind::Applied, None));
    }

    #[test]
    fn next_tokens_name_any_key() {
        for (pk, sk) in [("a", ""), ("a/b", "\0é"), ("日本", "a=b&c")] {
            assert_eq!(parse_next(&next_token(pk, sk)), Some((pk.into(), sk.into())));
        }
    }

    #[test]
    fn other_text_is_no_next_token() {
        // Not base64, padded, too short for a length, a length past the end, not UTF-8.
        for bad in ["*", "AAFh==", "AA", "AAVh", "AAH_"] {
            assert_eq!(parse_next(bad), None, "{bad}");
        }
    }
}
