//! (pure) The error body of every `/v1` route. The code is for programs and never changes its
//! meaning; the message is for people and may.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `{"error":{..}}`: what every `/v1` answer with a status of 400 and above carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody<'a> {
    /// What went wrong.
    #[serde(borrow)]
    pub error: ErrorDetail<'a>,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail<'a> {
    /// One word of [`code`]; clients must take unknown ones by their status.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
    /// One sentence with the numbers and the remedy.
    #[serde(borrow)]
    pub message: Cow<'a, str>,
    /// The partition concerned, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// With 504: the entry that is durable but not judged in time; with `behind`: the offset
    /// reached; with 412: the refused entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

impl<'a> ErrorBody<'a> {
    /// An error without a position in the log.
    pub fn new(code: impl Into<Cow<'a, str>>, message: impl Into<Cow<'a, str>>) -> Self {
        let error = ErrorDetail {
            code: code.into(),
            message: message.into(),
            partition: None,
            offset: None,
        };
        ErrorBody { error }
    }

    /// The same error, naming the partition and, where known, the offset it speaks of.
    pub fn at(mut self, partition: u32, offset: Option<u64>) -> Self {
        self.error.partition = Some(partition);
        self.error.offset = offset;
        self
    }
}

/// The words of `error.code`.
pub mod code {
    /// 400: the body, the path or a parameter does not read.
    pub const SYNTAX: &str = "syntax";
    /// 400: a key is empty or too long, or a count is past its limit.
    pub const LIMIT: &str = "limit";
    /// 400: `if` does not parse, or is not a bool.
    pub const CONDITION: &str = "condition";
    /// 400: the operations of one batch name more than one partition.
    pub const PARTITIONS: &str = "partitions";
    /// 404: no such record or route.
    pub const NOT_FOUND: &str = "not_found";
    /// 405: the route has other methods, see `Allow`.
    pub const METHOD: &str = "method";
    /// 412: judged, and not applied.
    pub const REFUSED: &str = "refused";
    /// 413: the body or the value is too large.
    pub const TOO_LARGE: &str = "too_large";
    /// 415: the body is not `application/json`.
    pub const MEDIA_TYPE: &str = "media_type";
    /// 429: this client is over its limit. 503: this node is, come again.
    pub const BUSY: &str = "busy";
    /// 503: nothing was appended; try again after `Retry-After` seconds.
    pub const UNAVAILABLE: &str = "unavailable";
    /// 503: the wanted offset was not reached in time; nothing was read.
    pub const BEHIND: &str = "behind";
    /// 503 to a node that sent a request on: the partition is not held here, ask the next.
    pub const MOVED: &str = "moved";
    /// 504 without a token: sent to the log, no acknowledgement came.
    pub const UNKNOWN: &str = "unknown";
    /// 504 with a token: durable, not judged in time.
    pub const NOT_JUDGED: &str = "not_judged";
}
