//! (pure) The ways in which a request can fail, each counted by itself. An answer that comes in
//! time with the wrong bytes is as much a failure as none.

use serde::{Deserialize, Serialize};

/// Why a request counts as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The connection could not be made, or TLS not agreed on.
    Connect,
    /// The connection ended before the answer.
    Closed,
    /// The server reset the stream, or refused it when it went away.
    Reset,
    /// What came is not HTTP.
    Protocol,
    /// No answer within the time limit.
    Timeout,
    /// An answer with a status that this request should not get.
    Status,
    /// An answer that is not the record's value, or is one where there is no record.
    Wrong,
}

impl Failure {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::Closed,
        Self::Reset,
        Self::Protocol,
        Self::Timeout,
        Self::Status,
        Self::Wrong,
    ];

    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "no connection",
            Self::Closed => "connection closed",
            Self::Reset => "stream reset",
            Self::Protocol => "not HTTP",
            Self::Timeout => "timeout",
            Self::Status => "unexpected status",
            Self::Wrong => "wrong value",
        }
    }
}

/// How many requests failed in which way.
pub type Failures = [u64; Failure::ALL.len()];
