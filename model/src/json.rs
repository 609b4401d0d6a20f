//! (pure) JSON text as it is stored: valid, compact, of bounded depth, otherwise byte for byte
//! what the client sent, so that no number or key order is ever changed.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use crate::limits::JSON_DEPTH_MAX;

/// Why a text cannot be stored as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// Not one JSON value.
    #[error("data is not valid JSON")]
    Syntax,
    /// Nested deeper than [`JSON_DEPTH_MAX`].
    #[error("data is nested deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
}

/// The text with the whitespace outside strings removed; borrowed when there is none.
pub fn compact(text: &str) -> Result<Cow<'_, str>, JsonFault> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| JsonFault::Syntax)?;
    compact_valid(text)
}

/// [`compact`] for a text that a JSON parser has accepted already.
pub fn compact_valid(text: &str) -> Result<Cow<'_, str>, JsonFault> {
    let (spaces, depth) = measure(text.as_bytes());
    if depth > JSON_DEPTH_MAX {
        return Err(JsonFault::TooDeep);
    }
    if spaces == 0 {
        return Ok(Cow::Borrowed(text));
    }
    let mut kept = String::with_capacity(text.len() - spaces);
    let mut scan = Scan::default();
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if scan.is_space(byte) {
            kept.push_str(&text[from..at]);
            from = at + 1;
        }
    }
    kept.push_str(&text[from..]);
    Ok(Cow::Owned(kept))
}

fn measure(text: &[u8]) -> (usize, usize) {
    let mut scan = Scan::default();
    let (mut spaces, mut depth, mut deepest) = (0, 0_usize, 0);
    for byte in text {
        if scan.is_space(*byte) {
            spaces += 1;
        } else if !scan.in_string {
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    (spaces, deepest)
}

/// Knows whether the bytes that pass are inside a string.
#[derive(Default)]
struct Scan {
    in_string: bool,
    escaped: bool,
}

impl Scan {
    fn is_space(&mut self, byte: u8) -> bool {
        if self.in_string {
            if self.escaped {
                self.escaped = false;
            } else if byte == b'\\' {
                self.escaped = true;
            } else if byte == b'"' {
                self.in_string = false;
            }
            return false;
        }
        self.in_string = byte == b'"';
        matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_space_outside_strings_goes() {
        let text = " { \"a b\\\" \" : [ 1.0 , 9007199254740993 ] }\n";
        assert_eq!(compact(text).unwrap(), "{\"a b\\\" \":[1.0,9007199254740993]}");
        assert!(matches!(compact("{\"a\":1}").unwrap(), Cow::Borrowed(_)));
        assert_eq!(compact(" null ").unwrap(), "null");
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", "{", "1 2", "{'a':1}", "[1,]", "nul", "\u{feff}1"] {
            assert_eq!(compact(text), Err(JsonFault::Syntax), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_and_does_not_recurse() {
        let nest = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(compact(&nest(JSON_DEPTH_MAX)).is_ok());
        assert_eq!(compact(&nest(JSON_DEPTH_MAX + 1)), Err(JsonFault::TooDeep));
        assert_eq!(compact(&nest(1_000_000)), Err(JsonFault::TooDeep));
        assert!(compact("\"[[[[\"").is_ok());
    }
}
