//! The head of a request as its fields are decoded: checked (RFC 9113, sections 8.2 and 8.3), and
//! made a request of where it needs more than a look. One a core, used again and again; must hold
//! no more than the limit of a header list, whatever a block expands to.

use std::str;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::hpack::Known;

/// What a field costs beyond its name and value (RFC 9113, section 6.5.2).
const FIELD: usize = 32;

/// Where a text lies.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// A request's head, or its trailers.
#[derive(Default)]
pub struct Head {
    /// The texts below, end to end.
    text: Vec<u8>,
    method: Option<Span>,
    scheme: Option<Span>,
    authority: Option<Span>,
    path: Option<Span>,
    fields: Vec<(Span, Span)>,
    size: usize,
    limit: usize,
    content_length: Option<u64>,
    has_fields: bool,
    /// A field changes what a look answers.
    matters: bool,
    expects: bool,
    is_malformed: bool,
}

/// The request breaks sections 8.1 to 8.3: its stream ends, not its connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

impl Head {
    /// Forgets the last one. A header list may have `limit` bytes, as section 6.5.2 counts them.
    pub fn clear(&mut self, limit: usize) {
        let Head { mut text, mut fields, .. } = std::mem::take(self);
        text.clear();
        fields.clear();
        *self = Head { text, fields, limit, ..Head::default() };
    }

    /// The next field; `known` says it too when the value is malformed.
    #[inline]
    pub fn take(&mut self, known: Known, name: &[u8], value: &[u8]) {
        self.size += name.len() + value.len() + FIELD;
        // Behind the limit nothing is kept or looked at: a block can expand a thousandfold.
        if self.size > self.limit {
            return;
        }
        match known {
            Known::Method => self.pseudo(value, |head| &mut head.method),
            Known::Scheme => self.pseudo(value, |head| &mut head.scheme),
            Known::Authority => self.pseudo(value, |head| &mut head.authority),
            Known::Path => self.pseudo(value, |head| &mut head.path),
            Known::BadPseudo
            | Known::Protocol
            | Known::ConnectionSpecific
            | Known::BadName
            | Known::BadValue => self.is_malformed = true,
            _ => self.field(known, name, value),
        }
    }

    #[inline]
    fn pseudo(&mut self, value: &[u8], place: impl Fn(&mut Head) -> &mut Option<Span>) {
        let span = self.keep(value);
        let is_again = place(self).replace(span).is_some();
        self.is_malformed |= is_again || self.has_fields;
    }

    #[inline]
    fn field(&mut self, known: Known, name: &[u8], value: &[u8]) {
        self.has_fields = true;
        match known {
            Known::Matters => self.matters = true,
            Known::Expect => self.expects = value.eq_ignore_ascii_case(b"100-continue"),
            Known::Te => self.is_malformed |= value != b"trailers",
            Known::ContentLength => {
                let length = number(value);
                let is_other = self.content_length.is_some() && self.content_length != length;
                self.is_malformed |= length.is_none() || is_other;
                self.content_length = length;
            }
            _ => {}
        }
        let spans = (self.keep(name), self.keep(value));
        self.fields.push(spans);
    }

    #[inline]
    fn keep(&mut self, text: &[u8]) -> Span {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Span { start, end: self.text.len() as u32 }
    }

    fn text(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..span.end as usize]
    }

    fn part(&self, span: Option<Span>) -> Option<&[u8]> {
        span.map(|span| self.text(span))
    }

    /// Whether the header list was longer than its limit; then nothing else here is worth a look.
    pub fn is_too_large(&self) -> bool {
        self.size > self.limit
    }

    /// What the body must be long.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the peer waits for a word before it sends the body (RFC 9110, section 10.1.1).
    pub fn expects(&self) -> bool {
        self.expects
    }

    /// The path and query of a well-formed GET without a body, to which no field matters.
    #[inline]
    pub fn plain_get(&self) -> Option<&str> {
        let is_plain = !self.is_malformed && !self.matters && !self.is_too_large();
        let has_no_body = self.content_length.is_none_or(|length| length == 0);
        if !is_plain || !has_no_body || self.part(self.method)? != b"GET" {
            return None;
        }
        self.scheme.filter(|scheme| scheme.start < scheme.end)?;
        let path = self.part(self.path).filter(|path| is_path(path))?;
        str::from_utf8(path).ok()
    }

    /// Whether this is a CONNECT as section 8.5 has it.
    pub fn is_connect(&self) -> bool {
        self.part(self.method) == Some(b"CONNECT")
            && !self.is_malformed
            && self.authority.is_some()
            && self.scheme.is_none()
            && self.path.is_none()
    }

    /// Whether these can be trailers (section 8.1).
    pub fn are_trailers(&self) -> bool {
        let pseudo = [self.method, self.scheme, self.authority, self.path];
        !self.is_malformed && pseudo.iter().all(Option::is_none)
    }

    /// The request, without its body.
    pub fn request(&self) -> Result<Request<()>, Malformed> {
        if self.is_malformed {
            return Err(Malformed);
        }
        let method = self.part(self.method).ok_or(Malformed)?;
        let method = Method::from_bytes(method).map_err(|_| Malformed)?;
        let mut request = Request::new(());
        *request.uri_mut() = self.uri(&method)?;
        *request.method_mut() = method;
        *request.version_mut() = http::Version::HTTP_2;
        let headers = request.headers_mut();
        for &(name, value) in &self.fields {
            let name = HeaderName::from_bytes(self.text(name)).map_err(|_| Malformed)?;
            let value = HeaderValue::from_bytes(self.text(value)).map_err(|_| Malformed)?;
            headers.try_append(name, value).map_err(|_| Malformed)?;
        }
        Ok(request)
    }

    fn uri(&self, method: &Method) -> Result<Uri, Malformed> {
        let path = self.part(self.path).ok_or(Malformed)?;
        let scheme = Scheme::try_from(self.part(self.scheme).ok_or(Malformed)?);
        let scheme = scheme.map_err(|_| Malformed)?;
        if path == b"*" && method == Method::OPTIONS {
            return Ok(Uri::from_static("*"));
        }
        if !is_path(path) {
            return Err(Malformed);
        }
        let path = PathAndQuery::try_from(path).map_err(|_| Malformed)?;
        let Some(authority) = self.part(self.authority) else { return Ok(path.into()) };
        // "host:port" only (section 8.3.1): what was in front of an "@" would be a password.
        let authority = Authority::try_from(authority).map_err(|_| Malformed)?;
        if authority.as_str().contains('@') {
            return Err(Malformed);
        }
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path);
        uri.build().map_err(|_| Malformed)
    }
}

/// An absolute path and query, as far as its bytes go: visible, and no fragment, which is never
/// sent (RFC 9110, section 7.1).
#[inline]
fn is_path(path: &[u8]) -> bool {
    let is_odd = |byte: u8| byte <= b' ' || byte == b'#' || byte == 0x7f;
    // No early end: a loop without one is done sixteen bytes at a time.
    path.first() == Some(&b'/') && !path.iter().fold(false, |odd, &byte| odd | is_odd(byte))
}

fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn head(fields: &[(&str, &str)]) -> Head {
        let mut head = Head::default();
        head.clear(1_000);
        for (name, value) in fields {
            let known = Known::of(name.as_bytes(), &["if-match"]).with(value.as_bytes());
            head.take(known, name.as_bytes(), value.as_bytes());
        }
        head
    }

    /// A good request with more fields behind it.
    fn get(more: &[(&str, &str)]) -> Head {
        let mut fields =
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "h:1"), (":path", "/a?b")];
        fields.extend_from_slice(more);
        head(&fields)
    }

    #[test]
    fn a_plain_get_is_known_and_made_a_request() {
        let head = get(&[("accept", "*/*"), ("cookie", "a=b"), ("cookie", "c=d")]);
        assert_eq!(head.plain_get(), Some("/a?b"));
        let request = head.request().unwrap();
        assert_eq!(request.uri().to_string(), "http://h:1/a?b");
        assert_eq!(
            (request.headers().len(), &request.headers()["accept"]),
            (3, &"*/*".parse().unwrap())
        );
        assert_eq!(get(&[("content-length", "0")]).plain_get(), Some("/a?b"));
    }

    #[test]
    fn what_matters_needs_more_than_a_look() {
        for more in [("if-match", "*"), ("content-length", "1")] {
            let head = get(&[more]);
            assert_eq!(head.plain_get(), None);
            assert!(head.request().is_ok());
        }
    }

    #[test]
    fn malformed_fields_are_found() {
        for more in [
            ("Accept", "x"),
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("x", "a\nb"),
            ("x", " a"),
            ("x", "a\t"),
            ("", "a"),
            (":path", "/late"),
            (":status", "200"),
            (":protocol", "websocket"),
            ("content-length", "+1"),
            ("content-length", "99999999999999999999"),
        ] {
            let head = get(&[more]);
            assert_eq!(
                (head.plain_get(), head.request().unwrap_err()),
                (None, Malformed),
                "{more:?}"
            );
        }
        assert!(get(&[("te", "trailers"), ("x", "")]).plain_get().is_some());
        let twice = [("content-length", "1"), ("content-length", "2")];
        assert!(get(&twice).request().is_err());
        assert!(get(&[("accept", "x"), (":authority", "late")]).request().is_err());
    }

    #[test]
    fn pseudo_headers_are_whole_and_single() {
        let all = [(":method", "GET"), (":scheme", "http"), (":path", "/")];
        assert!(head(&all).request().is_ok());
        for missing in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(missing);
            assert!(head(&some).request().is_err() && head(&some).plain_get().is_none());
            let twice = [&all[..], &all[missing..=missing]].concat();
            assert!(head(&twice).request().is_err() && head(&twice).plain_get().is_none());
        }
        for path in ["", "a", "*", "/a b", "/a#b", "/\u{7f}"] {
            let head = head(&[(":method", "GET"), (":scheme", "http"), (":path", path)]);
            assert!(head.request().is_err() && head.plain_get().is_none(), "{path:?}");
        }
        let star = head(&[(":method", "OPTIONS"), (":scheme", "http"), (":path", "*")]);
        assert_eq!(star.request().unwrap().uri(), "*");
        assert!(get(&[]).request().is_ok());
        let user = [&all[..], &[(":authority", "user@h")]].concat();
        assert!(head(&user).request().is_err());
    }

    #[test]
    fn a_list_that_is_too_long_is_not_kept() {
        let long = "v".repeat(400);
        let head = get(&[("a", &long), ("b", &long), ("c", &long)]);
        assert!(head.is_too_large() && head.text.len() < 1_000);
        assert_eq!(head.plain_get(), None);
    }

    #[test]
    fn trailers_have_no_pseudo_headers() {
        assert!(head(&[("checksum", "1")]).are_trailers());
        assert!(!head(&[("checksum", "1"), (":path", "/")]).are_trailers());
        assert!(!head(&[("Checksum", "1")]).are_trailers());
    }

    #[test]
    fn a_connect_is_told_apart() {
        assert!(head(&[(":method", "CONNECT"), (":authority", "h:1")]).is_connect());
        assert!(!get(&[]).is_connect());
    }
}
