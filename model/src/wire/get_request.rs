//! (pure) Reads the body of `POST /v1/records:get`. As nearly every client writes it, compact and
//! without an escape, it is read in one pass; all else, and what to say of a fault, is serde's.

use std::borrow::Cow;

use super::records::{GetKey, GetRequest};
use crate::limits::BATCH_MAX;

/// Bytes of a key in a body, at the least that is worth room for all of them beforehand.
const SHORT_KEY: usize = 24;

impl<'a> GetRequest<'a> {
    /// The request in a body; keys without escapes are borrowed from it.
    ///
    /// # Errors
    /// When the body is not UTF-8, not JSON, or not a request.
    pub fn parse(body: &'a [u8]) -> serde_json::Result<Self> {
        // Whole, and not string by string; of bytes that are none, serde says where they stand.
        let Ok(text) = std::str::from_utf8(body) else { return serde_json::from_slice(body) };
        compact(text).map_or_else(|| serde_json::from_str(text), Ok)
    }
}

fn compact(text: &str) -> Option<GetRequest<'_>> {
    let mut rest = text.strip_prefix("{\"keys\":[")?;
    let mut keys = Vec::with_capacity((text.len() / SHORT_KEY).min(BATCH_MAX));
    loop {
        let (pk, after) = string(rest.strip_prefix("{\"pk\":\"")?)?;
        let (sk, after) = string(after.strip_prefix(",\"sk\":\"")?)?;
        keys.push(GetKey { pk: Cow::Borrowed(pk), sk: Cow::Borrowed(sk) });
        rest = after.strip_prefix('}')?;
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return (rest == "]}").then_some(GetRequest { keys }),
        }
    }
}

/// A string behind its first quote, when it has no escape, and what follows its last one.
fn string(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ')?;
    let after = text[end..].strip_prefix('"')?;
    Some((&text[..end], after))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// Keys, or the words of the fault.
    fn told(parsed: serde_json::Result<GetRequest<'_>>) -> Result<Vec<GetKey<'_>>, String> {
        parsed.map(|request| request.keys).map_err(|fault| fault.to_string())
    }

    #[test]
    fn both_ways_read_the_same() {
        let body = "{\"keys\":[{\"pk\":\"ab\",\"sk\":\"日\u{7f}\"},{\"pk\":\"\",\"sk\":\"\"}]}";
        assert_eq!(compact(body).unwrap().keys.len(), 2);
        let bodies = (0..=body.len()).map(|end| body.as_bytes()[..end].to_vec());
        let changed = (0..body.len()).flat_map(|at| {
            b"\" \\{}[],:\n\x00x\xff".map(|byte| {
                let mut bytes = body.as_bytes().to_vec();
                bytes[at] = byte;
                bytes
            })
        });
        let others = [
            "{\"keys\":[]}",
            "{\"keys\":[{\"pk\":\"a\\u0000\",\"sk\":\"\\n\"}]}",
            "{\"keys\":[{\"pk\":\"a\\\",\\\"sk\\\":\\\"\",\"sk\":\"b\"}]}",
            "{\"keys\":[{\"sk\":\"b\",\"pk\":\"a\"}]}",
            "{\"keys\":[{\"pk\":\"a\",\"pk\":\"a\",\"sk\":\"b\"}]}",
            "{\"keys\":[{\"pk\":\"a\",\"sk\":\"b\"},]}",
            "{\"keys\":[{\"pk\":\"a\",\"sk\":\"b\"}],\"keys\":[]}",
            " {\"keys\" : [ {\"pk\": \"a\", \"sk\": \"b\"} ] }\n",
        ];
        let others = others.map(|text| text.as_bytes().to_vec());
        for bytes in bodies.chain(changed).chain(others) {
            let shown = String::from_utf8_lossy(&bytes);
            let wanted = told(serde_json::from_slice(&bytes));
            assert_eq!(told(GetRequest::parse(&bytes)), wanted, "{shown}");
        }
    }
}
