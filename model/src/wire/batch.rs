//! (pure) The body of `POST /v1/batch`: puts and deletes of one partition that become one entry,
//! all applied or none. Its answer is the [`WriteBody`](super::WriteBody) of that entry.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{ids, mutation};

/// The body of `POST /v1/batch`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest<'a> {
    /// 1 to 10,000 operations, judged and applied in order.
    #[serde(borrow)]
    pub operations: Vec<Operation<'a>>,
}

/// One operation: `{"put":{..}}` or `{"delete":{..}}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Operation<'a> {
    /// Write a record whole.
    #[serde(borrow)]
    Put(PutOp<'a>),
    /// Remove a record; one that does not exist is removed already.
    #[serde(borrow)]
    Delete(DeleteOp<'a>),
}

/// A put: the record is replaced, never merged.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutOp<'a> {
    /// The partition key, 1 to 512 bytes.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key, 0 to 1,024 bytes.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
    /// Any JSON value; kept as its text.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// The record stops to exist this many milliseconds after the entry's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// A condition over the stored record; the put is refused unless it gives true.
    #[serde(borrow, default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Cow<'a, str>>,
    /// What must be there before; the put is refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// A delete.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteOp<'a> {
    /// The partition key, 1 to 512 bytes.
    #[serde(borrow)]
    pub pk: Cow<'a, str>,
    /// The sort key, 0 to 1,024 bytes.
    #[serde(borrow)]
    pub sk: Cow<'a, str>,
    /// A condition over the stored record; the delete is refused unless it gives true.
    #[serde(borrow, default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Cow<'a, str>>,
    /// What must be there before; the delete is refused otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// A precondition as data: what the record must be before a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// Anything, the default.
    Any,
    /// It does not exist.
    Absent,
    /// It exists.
    Exists,
    /// It was written last by the entry at this offset of its partition.
    Offset(u64),
}

impl From<Expect> for mutation::Expect {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Any => Self::Any,
            Expect::Absent => Self::Absent,
            Expect::Exists => Self::Exists,
            Expect::Offset(offset) => Self::Offset(ids::Offset(offset)),
        }
    }
}

impl From<mutation::Expect> for Expect {
    fn from(expect: mutation::Expect) -> Self {
        match expect {
            mutation::Expect::Any => Self::Any,
            mutation::Expect::Absent => Self::Absent,
            mutation::Expect::Exists => Self::Exists,
            mutation::Expect::Offset(offset) => Self::Offset(offset.0),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_batch_reads_back_as_written() {
        let text = concat!(
            r#"{"operations":[{"put":{"pk":"a","sk":"b","data":[1, 2],"ttl":60000,"#,
            r#""if":"data == null","expect":"absent"}},"#,
            r#"{"put":{"pk":"a","sk":"c","data":null}},"#,
            r#"{"delete":{"pk":"a","sk":"d","expect":{"offset":18446744073709551615}}}]}"#,
        );
        let batch: BatchRequest = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&batch).unwrap(), text);
        let Operation::Put(put) = &batch.operations[1] else { panic!("a put") };
        assert_eq!(put.data.get(), "null");
    }

    #[test]
    fn bad_operations_are_named() {
        for (bad, part) in [
            (r#"{"operations":[{"touch":{"pk":"a","sk":"b"}}]}"#, "unknown variant `touch`"),
            (r#"{"operations":[{"put":{"pk":"a","sk":"b"}}]}"#, "missing field `data`"),
            (r#"{"operations":[{"delete":{"pk":"a","sk":"b","data":1}}]}"#, "unknown field `data`"),
            (r#"{"operations":[{"delete":{"pk":"a","sk":"b","expect":"x"}}]}"#, "unknown variant"),
            (r#"{"operations":[{"delete":{"pk":"a","sk":"b","expect":{"offset":-1}}}]}"#, "-1"),
            (r#"{"operations":[{"put":{"pk":1,"sk":"b","data":1}}]}"#, "expected a"),
        ] {
            let text = serde_json::from_str::<BatchRequest>(bad).unwrap_err().to_string();
            assert!(text.contains(part), "{bad}: {text}");
        }
    }
}
