//! How one try at S3 can end without success, and what follows from it. Objects side thread; the
//! only reader of S3's error codes.

use std::error::Error;
use std::fmt;

use ::s3::error::S3Error;

use crate::objects::ObjectsFault;

const PERMISSIONS: &str =
    "let the access key list the bucket, and get, put, delete and abort uploads of objects";

/// The end of one try.
#[derive(Debug)]
pub enum Miss {
    /// May pass by itself.
    Passing(String),
    /// Not what should have come; the next try may bring it whole.
    Damaged(String),
    /// These credentials do not do; others may be there by now.
    Stale(String),
    /// No such object or upload.
    Absent,
    /// S3 understood and refuses.
    Refused(String),
    /// Something of ours must change.
    Settings(String),
}

impl Miss {
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Passing(_) | Self::Damaged(_) | Self::Stale(_))
    }

    /// The last word on `key`, after `tries`.
    pub fn into_fault(self, doing: &str, key: &str, tries: u32) -> ObjectsFault {
        let key = key.to_owned();
        let what = format!("could not {doing} it in {tries} tries, the last one: {self}");
        match self {
            Self::Passing(_) => ObjectsFault::Unavailable { key, what },
            Self::Damaged(_) => ObjectsFault::Wrong { key, what },
            Self::Absent => ObjectsFault::NotFound { key },
            Self::Stale(_) | Self::Refused(_) => {
                ObjectsFault::Denied { key, what: format!("could not {doing} it: {self}") }
            }
            Self::Settings(what) => ObjectsFault::Settings(what),
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(what) | Self::Damaged(what) => f.write_str(what),
            Self::Stale(what) | Self::Refused(what) | Self::Settings(what) => f.write_str(what),
            Self::Absent => f.write_str("not there"),
        }
    }
}

impl From<S3Error> for Miss {
    fn from(error: S3Error) -> Self {
        match error {
            S3Error::HttpFailWithBody(status, body) => answered(status, body.as_bytes()),
            S3Error::Credentials(error) => Self::Stale(format!("credentials: {error}")),
            S3Error::Reqwest(error) => Self::Passing(chain(&error)),
            S3Error::SerdeXml(_) | S3Error::Utf8(_) | S3Error::FromUtf8(_) => {
                Self::Passing("an answer that does not read".to_owned())
            }
            error => Self::Passing(chain(&error)),
        }
    }
}

/// A document that stands where something else should, as S3 may send under status 200.
pub fn error_document(body: &[u8]) -> Result<(), Miss> {
    match code(body) {
        Some(code) => Err(answered(200, format!("<Error><Code>{code}</Code></Error>").as_bytes())),
        None => Ok(()),
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn answered(status: u16, body: &[u8]) -> Miss {
    let code = code(body).unwrap_or_default();
    let told = format!("status {status} {code}");
    let told = told.trim_end();
    let refused = |remedy: &str| Miss::Refused(format!("{told}: {remedy}"));
    match (status, code.as_str()) {
        (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
            Miss::Stale(format!("{told}: renew the credentials"))
        }
        (_, "InvalidAccessKeyId" | "InvalidToken" | "SignatureDoesNotMatch") => {
            Miss::Stale(format!("{told}: check the access key, its secret and the region"))
        }
        // An answer to HEAD has no body, so that all of the above look like this.
        (400 | 403, "") => Miss::Stale(format!("{told}: {PERMISSIONS}")),
        (_, "NoSuchBucket") => Miss::Settings(format!("{told}: make the bucket or name another")),
        (404, _) => Miss::Absent,
        (_, "BadDigest" | "XAmzContentSHA256Mismatch" | "IncompleteBody" | "RequestTimeout") => {
            Miss::Passing(told.to_owned())
        }
        (_, "RequestTimeTooSkewed") => refused("set this machine's clock"),
        (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") | (300..=399, _) => {
            Miss::Settings(format!("{told}: check the region and the endpoint"))
        }
        (416, _) => Miss::Damaged(format!("{told}: it ends before the range")),
        (200..=299 | 408 | 425 | 429 | 500.., _) => Miss::Passing(told.to_owned()),
        (401 | 403, _) => refused(PERMISSIONS),
        _ => refused("see what the store logged"),
    }
}

/// The code of S3's error document, when `body` begins with one.
fn code(body: &[u8]) -> Option<String> {
    let head = String::from_utf8_lossy(&body[..body.len().min(1024)]);
    let (_, rest) = head.split_once("<Error>")?;
    let (_, rest) = rest.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    code.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| code.to_owned())
}

/// An error and its causes; the first of reqwest's says no more than that there is one.
fn chain(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::{Miss, answered, error_document};

    fn document(code: &str) -> String {
        format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>m</Message></Error>")
    }

    #[test]
    fn answers_say_what_follows() {
        let miss = |status, code: &str| answered(status, document(code).as_bytes());
        assert!(matches!(miss(503, "SlowDown"), Miss::Passing(_)));
        assert!(matches!(miss(200, "InternalError"), Miss::Passing(_)));
        assert!(matches!(miss(400, "RequestTimeout"), Miss::Passing(_)));
        assert!(matches!(miss(400, "ExpiredToken"), Miss::Stale(_)));
        assert!(matches!(answered(400, b""), Miss::Stale(_)));
        assert!(matches!(miss(403, "InvalidAccessKeyId"), Miss::Stale(_)));
        assert!(matches!(miss(403, "AccessDenied"), Miss::Refused(_)));
        assert!(matches!(miss(404, "NoSuchKey"), Miss::Absent));
        assert!(matches!(miss(404, "NoSuchBucket"), Miss::Settings(_)));
        assert!(matches!(miss(301, "PermanentRedirect"), Miss::Settings(_)));
        assert!(matches!(miss(416, "InvalidRange"), Miss::Damaged(_)));
        assert!(matches!(answered(404, b""), Miss::Absent));
        assert!(matches!(answered(500, b"gone"), Miss::Passing(_)));
        assert!(matches!(answered(418, b""), Miss::Refused(_)));
        assert!(error_document(b"").is_ok());
        assert!(error_document(document("SlowDown").as_bytes()).is_err());
    }
}
