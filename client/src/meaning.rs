//! What an answer with an error's status means for the call that got it.

use std::time::Duration;

use http::header::RETRY_AFTER;
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::wire::{ErrorBody, ErrorDetail, OutcomeKind, WriteBody};
use serde::Deserialize;

use crate::error::Error;
use crate::transport::Answer;

/// What an answer with a status of 400 and above means for the call that got it.
pub(crate) fn fault(answer: &Answer, write: bool) -> Error {
    let detail = detail(&answer.body);
    let message = match &detail {
        Some(detail) => detail.message.to_string(),
        None => plain(answer),
    };
    let token = detail.as_ref().and_then(token);
    match answer.status.as_u16() {
        412 => refused(answer, message, token),
        429 | 503 => {
            Error::Unavailable { message, retry_after: retry_after(answer), reached: token }
        }
        status @ 400..500 => Error::Invalid { message, status: Some(status) },
        _ if write => Error::Unknown { message, token },
        _ => Error::unavailable(message),
    }
}

/// The word for programs in the body of an error.
pub(crate) fn code_of(body: &[u8]) -> Option<String> {
    detail(body).map(|detail| detail.code.into_owned())
}

fn refused(answer: &Answer, message: String, token: Option<Token>) -> Error {
    match serde_json::from_slice::<WriteBody>(&answer.body) {
        Ok(body) if body.outcome == OutcomeKind::Refused => Error::Refused {
            reason: body.reason.as_deref().unwrap_or("no reason given").to_owned(),
            token: Some(body.token()),
        },
        _ => Error::Refused { reason: message, token },
    }
}

fn detail(body: &[u8]) -> Option<ErrorDetail<'_>> {
    Some(serde_json::from_slice::<ErrorBody>(body).ok()?.error)
}

fn token(detail: &ErrorDetail<'_>) -> Option<Token> {
    Some(Token { partition: Partition(detail.partition?), offset: Offset(detail.offset?) })
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds = answer.field(RETRY_AFTER.as_str())?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

// FireScroll's routes answer in plain text or `{"message"}`; a stranger may answer with a page.
fn plain(answer: &Answer) -> String {
    #[derive(Deserialize)]
    struct Framed {
        message: String,
    }
    if let Ok(framed) = serde_json::from_slice::<Framed>(&answer.body) {
        return framed.message;
    }
    let text = String::from_utf8_lossy(&answer.body);
    let line: String = text.trim().chars().take(200).collect();
    if line.is_empty() { answer.status.to_string() } else { line }
}
