//! Errors by what the caller can do about them.

use std::time::Duration;

use pumice_model::ids::Token;

/// Why a call did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The write was judged and not applied: its condition or precondition did not hold. Read
    /// again and decide.
    #[error("refused: {reason}")]
    Refused {
        /// Why, in the server's words.
        reason: String,
        /// The refused entry, where the server named it.
        token: Option<Token>,
    },
    /// Nothing was written, or nothing could be read. Safe to try again, here or elsewhere.
    #[error("unavailable: {message}")]
    Unavailable {
        /// What was not to be had.
        message: String,
        /// How long the server asks to wait first.
        retry_after: Option<Duration>,
        /// For a read that waited for an offset in vain: how far the server is.
        reached: Option<Token>,
    },
    /// The write was sent and what became of it is not known. With a token it is durable and only
    /// its outcome is missing; without one it may be written or not.
    #[error("unknown outcome: {message}")]
    Unknown {
        /// What was missed.
        message: String,
        /// Where the durable entry stands.
        token: Option<Token>,
    },
    /// The request cannot be right, now or later: a key, a value, a condition or an address.
    #[error("invalid request: {message}")]
    Invalid {
        /// What is wrong, in the server's words or ours.
        message: String,
        /// The status, when it was the server that said so.
        status: Option<u16>,
    },
    /// The answer is not one that this client understands: another version, or not Pumice.
    #[error("unexpected answer: {message}")]
    Protocol {
        /// What was not understood.
        message: String,
    },
}

impl Error {
    pub(crate) fn invalid(message: impl ToString) -> Self {
        Error::Invalid { message: message.to_string(), status: None }
    }

    pub(crate) fn unavailable(message: impl ToString) -> Self {
        Error::Unavailable { message: message.to_string(), retry_after: None, reached: None }
    }

    pub(crate) fn unknown(message: impl ToString) -> Self {
        Error::Unknown { message: message.to_string(), token: None }
    }

    pub(crate) fn protocol(message: impl ToString) -> Self {
        Error::Protocol { message: message.to_string() }
    }
}
