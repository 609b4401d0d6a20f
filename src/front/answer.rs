//! Answers with the headers that each dialect has. On any core; decides no status.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use hyper::body::Body as _;
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::wire;
use serde::Serialize;

use super::body::Body;

/// Partitions that a `pumice-offsets` header names at most, so that it stays below the 8 KiB that
/// common proxies take; an answer that would name more goes without.
const OFFSETS_NAMED: usize = 256;

/// What a request gets.
pub type Answer = Response<Body>;

/// The content type of `/v1` answers.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const FIRE_JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");

/// An answer without a body.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Body::Empty);
    *answer.status_mut() = status;
    answer
}

/// A text answer, without a newline at the end.
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    typed(status, TEXT, Body::Whole(text.into()))
}

/// A JSON answer on `/v1`.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Our own bodies have string keys and finite numbers only, so writing them cannot fail.
    typed(status, JSON, serde_json::to_vec(body).unwrap_or_default().into())
}

/// A JSON answer on `/v1` that is written already.
pub fn raw_json(status: StatusCode, body: impl Into<Body>) -> Answer {
    typed(status, JSON, body.into())
}

/// Bytes for another node.
pub fn bytes(body: impl Into<Body>) -> Answer {
    typed(StatusCode::OK, BYTES, body.into())
}

/// A JSON answer on FireScroll's routes that is written already, newline included.
pub fn fire_json(status: StatusCode, body: impl Into<Body>) -> Answer {
    typed(status, FIRE_JSON, body.into())
}

fn typed(status: StatusCode, content_type: HeaderValue, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// The answer to a HEAD: its head alone, with the length that its body would have. Over HTTP/2
/// nobody else takes the body away, and a body there is a breach of the protocol.
pub fn without_body(mut answer: Answer) -> Answer {
    let body = std::mem::replace(answer.body_mut(), Body::Empty);
    if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
        answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    answer
}

/// A header value out of digits, commas and quotes.
pub fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// The value of `pumice-offsets`: the highest offset in each partition. `None` when there is none,
/// or when it would name too many.
pub fn offsets(tokens: impl Iterator<Item = Token>) -> Option<HeaderValue> {
    let mut highest: BTreeMap<Partition, Offset> = BTreeMap::new();
    for token in tokens {
        let offset = highest.entry(token.partition).or_insert(token.offset);
        *offset = token.offset.max(*offset);
    }
    let named = !highest.is_empty() && highest.len() <= OFFSETS_NAMED;
    let tokens = highest.into_iter().map(|(partition, offset)| Token { partition, offset });
    named.then(|| header_value(wire::format_offsets(tokens)))
}

/// Writes `name`, which ends in a colon, and a JSON string.
pub fn put_string(out: &mut Vec<u8>, name: &str, text: &str) {
    out.extend_from_slice(name.as_bytes());
    if has_escapes(text) {
        // Writing a string into memory cannot fail.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Writes `name`, which ends in a colon, and the `ETag` of a row as a JSON string.
pub fn put_etag(out: &mut Vec<u8>, name: &str, token: Token) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\"\\\"");
    out.extend_from_slice(digits.format(token.partition.0).as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(token.offset.0).as_bytes());
    out.extend_from_slice(b"\\\"\"");
}

/// Whether JSON (RFC 8259 section 7) asks for an escape anywhere. Looks at all of it, without an
/// early end, so that the compiler compares many bytes at once.
fn has_escapes(text: &str) -> bool {
    text.bytes().fold(false, |has, byte| has | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_as_serde_writes_them() {
        let plain = "customer-0271828/profile é 日本 \u{7f}";
        let odd: Vec<String> = (0..0x80u8).map(|byte| format!("{plain}{}", byte as char)).collect();
        for text in odd.iter().map(String::as_str).chain(["", plain]) {
            let mut out = Vec::new();
            put_string(&mut out, "{\"pk\":", text);
            let wanted = format!("{{\"pk\":{}", serde_json::Value::from(text));
            assert_eq!(String::from_utf8_lossy(&out), wanted);
        }
    }

    #[test]
    fn an_etag_is_the_header_as_a_string() {
        let token = Token { partition: Partition(u32::MAX), offset: Offset(u64::MAX) };
        let (mut out, mut wanted) = (Vec::new(), Vec::new());
        put_etag(&mut out, ",\"etag\":", token);
        put_string(&mut wanted, ",\"etag\":", &wire::etag(token));
        assert_eq!(out, wanted);
    }
}
