//! What a request's path and query name. On any core; reads text only, knows no store.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode;

use super::problem::Problem;
use crate::stats::route::Route;

/// A path that the public port knows.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'p> {
    /// `/up`.
    Up,
    /// `/ready`.
    Ready,
    /// `/records/{operation}`.
    Fire(&'p str),
    /// `/v1/records/{pk}/{sk}`.
    Record(Cow<'p, str>, Cow<'p, str>),
    /// `/v1/records/{pk}`.
    List(Cow<'p, str>),
    /// `/v1/records`.
    All,
    /// `/v1/records:get`.
    GetMany,
    /// `/v1/records:look`.
    Look,
    /// `/v1/batch`.
    Batch,
    /// `/v1/namespace`.
    Namespace,
    /// `/v1/routes`.
    Routes,
    /// `/v1/partitions/{partition}/snapshot`.
    Handover(&'p str),
    /// `/openapi.json`.
    OpenApi,
    /// Any other under `/v1`.
    Unknown,
    /// Any other.
    Foreign,
}

impl<'p> Target<'p> {
    /// Reads a path. Keys are percent-encoded and any byte is data, so long as the whole is UTF-8;
    /// everything after the slash behind the pk is the sk, further slashes too.
    pub fn of(path: &'p str) -> Result<Self, Problem> {
        if let Some(keys) = path.strip_prefix("/v1/records/") {
            return Ok(match keys.split_once('/') {
                Some((pk, sk)) => Self::Record(decode("pk", pk)?, decode("sk", sk)?),
                None => Self::List(decode("pk", keys)?),
            });
        }
        let partition = path.strip_prefix("/v1/partitions/");
        if let Some(partition) = partition.and_then(|rest| rest.strip_suffix("/snapshot")) {
            return Ok(Self::Handover(partition));
        }
        Ok(match path {
            "/up" => Self::Up,
            "/ready" => Self::Ready,
            "/v1/records" => Self::All,
            "/v1/records:get" => Self::GetMany,
            "/v1/records:look" => Self::Look,
            "/v1/batch" => Self::Batch,
            "/v1/namespace" => Self::Namespace,
            "/v1/routes" => Self::Routes,
            "/openapi.json" => Self::OpenApi,
            _ if path.starts_with("/v1/") || path == "/v1" => Self::Unknown,
            _ => path.strip_prefix("/records/").map_or(Self::Foreign, Self::Fire),
        })
    }

    /// The name under which the request is counted.
    pub fn route(&self, method: &Method) -> Route {
        match self {
            Self::Up | Self::Ready => Route::Probe,
            Self::Fire("put") => Route::FirePut,
            Self::Fire("delete") => Route::FireDelete,
            Self::Fire("get") => Route::FireGet,
            Self::Fire("list") => Route::FireList,
            Self::Fire("batch") => Route::FireBatch,
            Self::Record(..) if method == Method::PUT => Route::Put,
            Self::Record(..) if method == Method::DELETE => Route::Delete,
            Self::Record(..) => Route::Get,
            Self::List(_) | Self::All => Route::List,
            Self::GetMany => Route::GetMany,
            Self::Look => Route::Look,
            Self::Batch => Route::Batch,
            Self::Handover(_) => Route::Handover,
            Self::Namespace | Self::Routes | Self::OpenApi => Route::About,
            Self::Fire(_) | Self::Unknown | Self::Foreign => Route::Other,
        }
    }

    /// Whether FireScroll's dialect answers here: everywhere but under `/v1`.
    pub fn speaks_firescroll(&self) -> bool {
        matches!(self, Self::Up | Self::Ready | Self::Fire(_) | Self::Foreign)
    }
}

/// Percent-decodes one key of a path.
fn decode<'t>(what: &str, text: &'t str) -> Result<Cow<'t, str>, Problem> {
    let bytes = text.as_bytes();
    if !is_whole(bytes) {
        return Err(Problem::syntax(format!("{what} has a malformed percent-encoding")));
    }
    let decoded = percent_decode(bytes).decode_utf8();
    decoded.map_err(|_| Problem::syntax(format!("{what} is not UTF-8")))
}

/// Whether two digits follow each `%`.
fn is_whole(bytes: &[u8]) -> bool {
    let whole = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|pair| pair.iter().all(u8::is_ascii_hexdigit))
    };
    bytes.iter().enumerate().all(|(at, byte)| *byte != b'%' || whole(at))
}

/// Percent-decodes one key of a path to the end of `out`, by way of `decoded`; `None`, with
/// nothing added, when `text` holds what no path holds as it stands, or does not decode.
pub fn decode_onto(out: &mut String, decoded: &mut Vec<u8>, text: &str) -> Option<()> {
    let plain =
        |byte: u8| matches!(byte, b'!' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'z' | b'~');
    if text.bytes().all(|byte| plain(byte) && byte != b'%') {
        out.push_str(text);
    } else if text.bytes().all(plain) && is_whole(text.as_bytes()) {
        decoded.clear();
        decoded.extend(percent_decode(text.as_bytes()));
        out.push_str(std::str::from_utf8(decoded).ok()?);
    } else {
        return None;
    }
    Some(())
}

/// The parameters of a query, in order; `+` is a blank, as forms have it.
pub fn parameters(query: Option<&str>) -> Result<Vec<(&str, String)>, Problem> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = decode(name, &value.replace('+', " "))?.into_owned();
            Ok((name, value))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn keys_are_any_utf8_bytes() {
        fn record<'k>(pk: &'k str, sk: &'k str) -> Target<'k> {
            Target::Record(pk.into(), sk.into())
        }
        assert_eq!(Target::of("/v1/records/a/b").unwrap(), record("a", "b"));
        assert_eq!(Target::of("/v1/records/a/").unwrap(), record("a", ""));
        assert_eq!(Target::of("/v1/records/a%2Fb/c%00%2f/d").unwrap(), record("a/b", "c\0//d"));
        assert_eq!(Target::of("/v1/records/a+b/%2B").unwrap(), record("a+b", "+"));
        assert_eq!(Target::of("/v1/records/a").unwrap(), Target::List("a".into()));
        for bad in
            ["/v1/records/a%/b", "/v1/records/a/%4", "/v1/records/%zz/b", "/v1/records/%ff/b"]
        {
            assert!(Target::of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn queries_are_forms() {
        let got = parameters(Some("prefix=a+b%2B&limit=5&reverse&&if=data%20==%20null")).unwrap();
        let pairs: Vec<_> = got.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let wanted = [("prefix", "a b+"), ("limit", "5"), ("reverse", ""), ("if", "data == null")];
        assert_eq!(pairs, wanted);
        assert!(parameters(Some("a=%")).is_err());
    }
}
