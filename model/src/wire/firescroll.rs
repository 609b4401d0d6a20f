//! (pure) Bodies of the FireScroll routes as our client uses them: puts with outcomes and the list
//! of a whole partition. The server reads requests with its own case-insensitive reader, so these
//! request types are for writing only.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::timestamp::Timestamp;

/// The body of `POST /records/put`: each record becomes an entry of its own.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FirePutRequest<'a> {
    /// The records to write.
    #[serde(rename = "Records")]
    pub records: Vec<FirePut<'a>>,
}

/// One record of a [`FirePutRequest`].
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FirePut<'a> {
    /// The partition key.
    pub pk: Cow<'a, str>,
    /// The sort key.
    pub sk: Cow<'a, str>,
    /// A JSON object or null.
    pub data: &'a RawValue,
}

/// The answer to a FireScroll write with `?wait=applied`: one element a record, in request order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FireOutcomes<'a> {
    /// What became of each record.
    #[serde(borrow, rename = "Outcomes")]
    pub outcomes: Vec<FireOutcome<'a>>,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct FireOutcome<'a> {
    /// Applied or refused.
    pub outcome: FireOutcomeKind,
    /// Why it was refused.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'a, str>>,
    /// The partition of the entry.
    pub partition: u32,
    /// The position of the entry in its partition.
    pub offset: u64,
}

/// The words of [`FireOutcome::outcome`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FireOutcomeKind {
    /// The mutation is in the store.
    Applied,
    /// It is not.
    Refused,
}

/// The body of `POST /records/list` for a whole partition.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FireListRequest<'a> {
    /// The partition to walk, by (pk, sk).
    pub partition: u32,
    /// Records a page; 0 streams all.
    pub limit: u32,
    /// Where the page before ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continuation: Option<Cow<'a, str>>,
}

/// The answer to a FireScroll get or list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct FireList<'a> {
    /// The records.
    #[serde(borrow)]
    pub records: Vec<FireRecord<'a>>,
    /// Where the next page starts; absent on the last one, and on every list of one pk.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub continuation: Option<Cow<'a, str>>,
}

/// One record of a [`FireList`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct FireRecord<'a> {
    /// The partition key.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
    /// The stored JSON text.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// The time of the entry that made the record.
    pub created_at: Timestamp,
    /// The time of the entry that wrote it last.
    pub updated_at: Timestamp,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn names_are_theirs() {
        let text = r#"{"Outcomes":[{"Outcome":"refused","Reason":"no","Partition":1,"Offset":2}]}"#;
        let body: FireOutcomes = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), text);

        let data = RawValue::from_string(r#"{"a": 1}"#.into()).unwrap();
        let put = FirePutRequest {
            records: vec![FirePut { pk: "p".into(), sk: "s".into(), data: &data }],
        };
        let text = r#"{"Records":[{"pk":"p","sk":"s","data":{"a": 1}}]}"#;
        assert_eq!(serde_json::to_string(&put).unwrap(), text);
    }

    #[test]
    fn trimmed_times_are_read() {
        let text = concat!(
            r#"{"Records":[{"Pk":"p","Sk":"s","Data":null,"CreatedAt":"2023-05-07T12:00:00Z","#,
            r#""UpdatedAt":"2023-05-07T12:00:00.12Z"}],"Continuation":"x"}"#
        );
        let body: FireList = serde_json::from_str(text).unwrap();
        let record = &body.records[0];
        assert_eq!(record.data.get(), "null");
        assert_eq!(record.updated_at.0 - record.created_at.0, 120);
        assert_eq!(body.continuation.as_deref(), Some("x"));
    }
}
