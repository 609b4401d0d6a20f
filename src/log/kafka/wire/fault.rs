//! Why a call to a broker gave no answer, told apart by what is certain afterwards. Plain data.

use std::io;

use kafka_protocol::error::ResponseError;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection: nothing was sent.
    #[error("{broker} cannot be reached: {source}")]
    Unreachable {
        /// `host:port`.
        broker: String,
        /// What the connection attempt met.
        source: io::Error,
    },
    /// Bytes may have left, and no answer came.
    #[error("{broker} did not answer: {source}")]
    Unanswered {
        /// `host:port`.
        broker: String,
        /// What broke the wait.
        source: io::Error,
    },
    /// The broker turned us away: a name, a password or a certificate.
    #[error("{broker} turned us away: {why}")]
    TurnedAway {
        /// `host:port`.
        broker: String,
        /// In the broker's words, or those of TLS.
        why: String,
    },
    /// The broker and this program have no version of a request in common.
    #[error("{broker} does not speak {what}")]
    Unspoken {
        /// `host:port`.
        broker: String,
        /// The request.
        what: &'static str,
    },
    /// An answer that is no answer to what was asked.
    #[error("{broker} answered nonsense: {what}")]
    Nonsense {
        /// `host:port`.
        broker: String,
        /// What was wrong with it.
        what: String,
    },
    /// The broker answered with an error.
    #[error("{0}")]
    Answered(ResponseError),
}

impl Fault {
    /// A code of an answer as a result.
    pub fn of_code(code: i16) -> Result<(), Self> {
        match ResponseError::try_from_code(code) {
            None => Ok(()),
            Some(error) => Err(Self::Answered(error)),
        }
    }

    /// Whether the request certainly never reached the broker.
    pub fn is_unsent(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TurnedAway { .. } | Self::Unspoken { .. })
    }
}
