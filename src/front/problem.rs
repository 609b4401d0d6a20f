//! Every way a request can fail, with what each of the two dialects of the public port says of it.
//! On any core; logs nothing, the answer itself is the report.

use std::borrow::Cow;

use http::{HeaderValue, Response, StatusCode, header};
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::mutation::Malformed;
use pumice_model::outcome::Refusal;
use pumice_model::wire::{self, ErrorBody, code};

use super::answer::{self, Answer};
use super::body::Body;
use crate::mesh::inbox::TurnedAway;
use crate::net::{Field, Short};
use crate::stats::progress::Lag;

/// Why a request got no good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// One word of [`code`].
    pub code: &'static str,
    /// One sentence with the numbers and the remedy.
    pub message: Cow<'static, str>,
    /// The partition it speaks of.
    pub partition: Option<Partition>,
    /// The offset it speaks of.
    pub offset: Option<Offset>,
    /// The methods that the route has, for 405.
    pub allow: Option<&'static str>,
    /// What the log has of the write nevertheless.
    pub tokens: Vec<Token>,
    /// How old the best state is that is known of, and how old it may be.
    pub lag: Option<Box<(Lag, u64)>>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        let (partition, offset, allow, tokens) = (None, None, None, Vec::new());
        Self { status, code, message, partition, offset, allow, tokens, lag: None }
    }

    /// 400: the request does not read.
    pub fn syntax(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::SYNTAX, message)
    }

    /// 400: something is beyond its limit.
    pub fn limit(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::LIMIT, message)
    }

    /// 400: the mutations of one batch belong to several partitions.
    pub fn partitions(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::PARTITIONS, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, message)
    }

    /// 404 to a read of one record.
    pub fn no_record() -> Self {
        Self::not_found("no such record")
    }

    /// 405, with the methods that the route has.
    pub fn method(allow: &'static str) -> Self {
        let message = format!("this route has {allow}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, code::METHOD, message);
        Self { allow: Some(allow), ..problem }
    }

    /// 412: judged, and nothing made.
    pub fn refused(refusal: Refusal, token: Token) -> Self {
        let problem = Self::new(StatusCode::PRECONDITION_FAILED, code::REFUSED, refusal.code());
        Self { partition: Some(token.partition), offset: Some(token.offset), ..problem }
    }

    /// 412 to a read whose `If-Match` names another version.
    pub fn no_match() -> Self {
        let message = "there is no record with that entity tag";
        Self::new(StatusCode::PRECONDITION_FAILED, code::REFUSED, message)
    }

    /// 413.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("the body is larger than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, message)
    }

    /// 415.
    pub fn media_type() -> Self {
        let message = "the body must be JSON: send content-type: application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code::MEDIA_TYPE, message)
    }

    /// 500: the `if` of a list could not be judged for a row; the list is not given in part.
    pub fn not_judged(fault: impl std::fmt::Display) -> Self {
        let message = format!("`if` could not be judged: {fault}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code::CONDITION, message)
    }

    /// 503: certain that nothing was appended.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, message)
    }

    /// 503: the partition cannot follow its log; nothing was appended.
    pub fn cannot_follow(partition: Partition) -> Self {
        let problem = Self::unavailable("this partition is broken and takes no writes: see /ready");
        Self { partition: Some(partition), ..problem }
    }

    /// 503: nothing is known of the partition yet, so that "no such record" would be a guess.
    pub fn no_state(partition: Partition) -> Self {
        let problem = Self::unavailable("this partition has nothing of its log yet: see /ready");
        Self { partition: Some(partition), ..problem }
    }

    /// 503 to a node that sent a request on: the partition is not held here.
    pub fn moved(partition: Partition) -> Self {
        let message = format!("partition {partition} is not held here");
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::MOVED, message);
        Self { partition: Some(partition), ..problem }
    }

    /// 503 to a node that takes the partition over: it must come again.
    pub fn gives_enough(partition: Partition) -> Self {
        let message = "as many partitions as may be are being given to peers";
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::BUSY, message);
        Self { partition: Some(partition), ..problem }
    }

    /// 503: the partition is not held here, and none of those that may hold it could be asked.
    pub fn unreached(partition: Partition, tried: &[String]) -> Self {
        let tried = match tried {
            [] => "no other node is known to hold it".to_owned(),
            tried => format!("asked in vain: {}", tried.join("; ")),
        };
        let message = format!("partition {partition} is not held here, {tried}");
        Self { partition: Some(partition), ..Self::unavailable(message) }
    }

    /// 503: the answer would be older than was asked for; `best` is the least that is known of.
    pub fn too_old(partition: Partition, best: Lag, max: u64) -> Self {
        let message = match best {
            Lag::Ms(ms) => format!("the state may be {ms} ms old, asked for are {max} at most"),
            _ => format!("how old the state is nobody knows, asked for are {max} ms at most"),
        };
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::BEHIND, message);
        Self { partition: Some(partition), lag: Some(Box::new((best, max))), ..problem }
    }

    /// The same problem, with the lag of another node where that is less.
    pub fn at_best(self, other: Lag) -> Self {
        match (self.lag.as_deref(), self.partition) {
            (Some(&(lag, max)), Some(partition)) if other < lag => {
                Self::too_old(partition, other, max)
            }
            _ => self,
        }
    }

    /// 503: the wanted offset was not reached in time.
    pub fn behind(token: Token, reached: Option<Offset>) -> Self {
        let message =
            format!("offset {} of partition {} is not applied yet", token.offset, token.partition);
        let problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, code::BEHIND, message);
        Self { partition: Some(token.partition), offset: reached, ..problem }
    }

    /// 504: sent to the log, and what became of it is not known.
    pub fn unknown() -> Self {
        let message = "the write was sent and its outcome is not known: read before writing again";
        Self::new(StatusCode::GATEWAY_TIMEOUT, code::UNKNOWN, message)
    }

    /// 504: the log has all of the write, and it was not judged here in time. Names the last token;
    /// the header has those of all partitions.
    pub fn not_judged_yet(tokens: &[Token]) -> Self {
        let message = "the log has the write and its outcome is not known here yet: read with \
                       pumice-min-offsets";
        let problem = Self::new(StatusCode::GATEWAY_TIMEOUT, code::NOT_JUDGED, message);
        let last = tokens.last();
        let (partition, offset) = (last.map(|t| t.partition), last.map(|t| t.offset));
        Self { partition, offset, tokens: tokens.to_vec(), ..problem }
    }

    /// The same problem in other words.
    pub fn worded(self, words: impl FnOnce(&str) -> String) -> Self {
        let message = words(&self.message).into();
        Self { message, ..self }
    }

    fn retry_after(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
            || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    /// The answer on `/v1` routes.
    pub fn on_v1(&self) -> Answer {
        self.dressed(answer::json(self.status, &self.body()))
    }

    /// The same to a read that was noted, with fields of the read's own.
    pub fn shortly(&self, fields: &[Field<'_>], reply: impl FnOnce(&Short<'_>)) {
        let body = serde_json::to_vec(&self.body()).unwrap_or_default();
        let retry = self.retry_after().then_some(("retry-after", &b"1"[..]));
        let fields: Vec<Field<'_>> = fields.iter().copied().chain(retry).collect();
        let status = self.status.as_u16();
        reply(&Short { status, content_type: "application/json", fields: &fields, body: &body });
    }

    fn body(&self) -> ErrorBody<'_> {
        let error = ErrorBody::new(self.code, self.message.as_ref());
        match self.partition {
            Some(partition) => error.at(partition.0, self.offset.map(|offset| offset.0)),
            None => error,
        }
    }

    /// The answer on FireScroll's routes: text for what the client did wrong, its framework's
    /// JSON for everything else.
    pub fn on_firescroll(&self) -> Answer {
        let bare = match self.status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => {
                answer::text(self.status, self.message.clone().into_owned())
            }
            StatusCode::NOT_FOUND => fire_json(self.status, "Not Found"),
            StatusCode::METHOD_NOT_ALLOWED => fire_json(self.status, "Method Not Allowed"),
            _ => fire_json(self.status, &self.message),
        };
        self.dressed(bare)
    }

    fn dressed(&self, mut answer: Answer) -> Answer {
        let headers = answer.headers_mut();
        if self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Some(offsets) = answer::offsets(self.tokens.iter().copied()) {
            headers.insert(wire::OFFSETS, offsets);
        }
        if let Some((Lag::Ms(ms), _)) = self.lag.as_deref() {
            headers.insert(wire::LAG_MS, (*ms).into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        answer
    }
}

fn fire_json(status: StatusCode, message: &str) -> Response<Body> {
    let mut body = serde_json::json!({ "message": message }).to_string().into_bytes();
    body.push(b'\n');
    answer::fire_json(status, body)
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Self {
        let message = malformed.to_string();
        match malformed {
            Malformed::Condition(_) => Self::new(StatusCode::BAD_REQUEST, code::CONDITION, message),
            Malformed::Data(_) => Self::syntax(message),
            Malformed::DataSize(_) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, code::TOO_LARGE, message)
            }
            _ => Self::limit(message),
        }
    }
}

impl From<TurnedAway> for Problem {
    fn from(away: TurnedAway) -> Self {
        Self::unavailable(match away {
            TurnedAway::Busy => "too many writes are waiting for this shard",
            TurnedAway::Full => "the disk or the map of this shard is full: writes wait for room",
            TurnedAway::Broken => "this shard is broken and takes no writes: see /ready",
        })
    }
}

impl From<pumice_shards::Fault> for Problem {
    fn from(fault: pumice_shards::Fault) -> Self {
        tracing::error!("read failed: {fault}");
        Self::unavailable("this shard could not be read")
    }
}
