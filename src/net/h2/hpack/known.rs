//! What a server sees in a field, found once when the field enters a table (pure). Nothing here
//! runs for a field that is indexed.

/// What a field means to a server: its name, unless its value makes it malformed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// `:method`
    Method,
    /// `:scheme`
    Scheme,
    /// `:authority`
    Authority,
    /// `:path`
    Path,
    /// `:status`, or a pseudo-header that nobody defined: malformed in a request (RFC 9113,
    /// section 8.3).
    BadPseudo,
    /// `:protocol` (RFC 8441): malformed unless we announced it.
    Protocol,
    /// `connection` and its kind: malformed in HTTP/2 (RFC 9113, section 8.2.2).
    ConnectionSpecific,
    /// `te`: malformed with any value but `trailers` (the same section).
    Te,
    /// `content-length`
    ContentLength,
    /// `host`
    Host,
    /// `expect`
    Expect,
    /// `cookie`
    Cookie,
    /// Named by the service as changing its answer, and none of the above.
    Matters,
    /// A name that is no lower-case token: malformed (RFC 9113, section 8.2.1).
    BadName,
    /// Whatever the name: a value with NUL, CR or LF in it, or with a blank at an end: malformed
    /// (the same section).
    BadValue,
    /// Any other name.
    Other,
}

impl Known {
    /// What `name` means, to a service to which the lower-case names in `matters` do.
    pub fn of(name: &[u8], matters: &[&str]) -> Known {
        match name {
            b":method" => Known::Method,
            b":scheme" => Known::Scheme,
            b":authority" => Known::Authority,
            b":path" => Known::Path,
            b":protocol" => Known::Protocol,
            [b':', ..] => Known::BadPseudo,
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => Known::ConnectionSpecific,
            b"te" => Known::Te,
            b"content-length" => Known::ContentLength,
            b"host" => Known::Host,
            b"expect" => Known::Expect,
            b"cookie" => Known::Cookie,
            _ if name.is_empty() || !name.iter().all(is_lower_token) => Known::BadName,
            _ if matters.iter().any(|known| known.as_bytes() == name) => Known::Matters,
            _ => Known::Other,
        }
    }

    /// What the field means now that it has `value`.
    #[inline]
    pub fn with(self, value: &[u8]) -> Known {
        // No early end: a loop without one is done sixteen bytes at a time.
        let breaks =
            value.iter().fold(false, |found, byte| found | matches!(byte, 0 | b'\n' | b'\r'));
        let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
        if breaks || blank(value.first()) || blank(value.last()) { Known::BadValue } else { self }
    }
}

/// A byte of a token (RFC 9110, section 5.6.2) in lower case.
fn is_lower_token(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'#' | b'$' | b'%'
        | b'&' | b'\'' | b'*' | b'+' | b'^' | b'`' | b'|' | b'~')
}
