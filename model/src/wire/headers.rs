//! (pure) Header names and the tokens that travel in headers: `pumice-offsets` and `ETag`. Parsing
//! takes exactly what printing gives, and nothing more.

use crate::ids::{Offset, Partition, Token};

/// On writes: the highest offset written in each partition, `P:O,P:O`.
pub const OFFSETS: &str = "pumice-offsets";
/// On reads: offsets that must be applied before the read, `P:O,P:O`.
pub const MIN_OFFSETS: &str = "pumice-min-offsets";
/// How long a read may wait for `pumice-min-offsets`, and take where another node answers it;
/// milliseconds.
pub const TIMEOUT_MS: &str = "pumice-timeout-ms";
/// On writes: 16 bytes in hex; a repeat gets the first outcome.
pub const WRITE_ID: &str = "pumice-write-id";
/// On reads whose partition is behind its log: how old the answer may be in milliseconds, or
/// `unknown`.
pub const LAG_MS: &str = "pumice-lag-ms";
/// On reads: how old the answer may be, milliseconds; a node that is further behind asks another.
pub const MAX_LAG_MS: &str = "pumice-max-lag-ms";
/// On a get whose keys were not all at one node: how many of them are certain not to be there.
pub const MISSING: &str = "pumice-missing";
/// On a get: the request indexes that could not be read, see [`format_indexes`].
pub const UNAVAILABLE: &str = "pumice-unavailable";
/// On answers of a node in a cluster: the node whose state it is.
pub const NODE: &str = "pumice-node";
/// On requests that a node sends on for a client: the node. They are never sent on again.
pub const FORWARDED: &str = "pumice-forwarded";

/// A header or token that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must look like {shape}, got {got:?}")]
pub struct TokenError {
    what: &'static str,
    shape: &'static str,
    got: String,
}

/// The value of `ETag` for a row that the entry at `token` wrote: `"P-O"`, with the quotes.
pub fn etag(token: Token) -> String {
    let mut text = String::new();
    push_etag(&mut text, token);
    text
}

/// Writes [`etag`] at the end of `text`, without the machinery of formatting: one goes with every
/// read.
pub fn push_etag(text: &mut String, token: Token) {
    let mut digits = itoa::Buffer::new();
    text.push('"');
    text.push_str(digits.format(token.partition.0));
    text.push('-');
    text.push_str(digits.format(token.offset.0));
    text.push('"');
}

/// The token in one strong entity tag.
pub fn parse_etag(text: &str) -> Result<Token, TokenError> {
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .and_then(|inner| pair(inner, '-'))
        .ok_or_else(|| TokenError { what: "an entity tag", shape: "\"P-O\"", got: shown(text) })
}

/// The value of `pumice-offsets` and `pumice-min-offsets`.
pub fn format_offsets(tokens: impl IntoIterator<Item = Token>) -> String {
    let mut text = String::new();
    for token in tokens {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&format!("{}:{}", token.partition, token.offset));
    }
    text
}

/// The tokens of `pumice-offsets` and `pumice-min-offsets`; blanks around a comma are allowed, as
/// in every HTTP list.
pub fn parse_offsets(text: &str) -> Result<Vec<Token>, TokenError> {
    text.split(',')
        .map(|part| pair(part.trim_matches([' ', '\t']), ':'))
        .collect::<Option<_>>()
        .ok_or_else(|| TokenError { what: "offsets", shape: "P:O,P:O", got: shown(text) })
}

/// The value of `pumice-unavailable`: indexes in rising order, `I`, or `I-J` for all from I to J.
pub fn format_indexes(indexes: impl IntoIterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let run = |(first, last)| match first == last {
        true => format!("{first}"),
        false => format!("{first}-{last}"),
    };
    runs.into_iter().map(run).collect::<Vec<_>>().join(",")
}

/// The indexes of `pumice-unavailable`; `None` when it does not read, or names more than `most`.
pub fn parse_indexes(text: &str, most: usize) -> Option<Vec<usize>> {
    let mut indexes = Vec::new();
    for run in text.split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let (first, last) = (digits(first)?, digits(last)?);
        let (first, last) = (usize::try_from(first).ok()?, usize::try_from(last).ok()?);
        let count = last.checked_sub(first)?.checked_add(1)?;
        if count > most.checked_sub(indexes.len())? {
            return None;
        }
        indexes.extend(first..=last);
    }
    Some(indexes)
}

fn pair(text: &str, between: char) -> Option<Token> {
    let (partition, offset) = text.split_once(between)?;
    let partition = Partition(digits(partition)?.try_into().ok()?);
    Some(Token { partition, offset: Offset(digits(offset)?) })
}

// `str::parse` takes a leading plus sign; a token has one spelling only.
fn digits(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|b| b.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn token(partition: u32, offset: u64) -> Token {
        Token { partition: Partition(partition), offset: Offset(offset) }
    }

    #[test]
    fn etags_read_back() {
        for token in [token(0, 0), token(u32::MAX, u64::MAX), token(63, 171_075)] {
            assert_eq!(parse_etag(&etag(token)), Ok(token));
        }
        assert_eq!(etag(token(3, 7)), "\"3-7\"");
    }

    #[test]
    fn other_entity_tags_are_refused() {
        for bad in [
            "",
            "\"",
            "\"\"",
            "3-7",
            "\"3-7",
            "W/\"3-7\"",
            "\"3:7\"",
            "\"-3-7\"",
            "\"+3-7\"",
            "\"3- 7\"",
            "\"03-7\"",
            "\"4294967296-0\"",
            "\"0-18446744073709551616\"",
            "*",
        ] {
            assert!(parse_etag(bad).is_err(), "{bad}");
        }
        let text = parse_etag("3-7").unwrap_err().to_string();
        assert_eq!(text, r#"an entity tag must look like "P-O", got "3-7""#);
    }

    #[test]
    fn offsets_read_back() {
        for tokens in [vec![token(1, 2)], vec![token(0, 0), token(5, u64::MAX)]] {
            assert_eq!(parse_offsets(&format_offsets(tokens.clone())), Ok(tokens));
        }
        assert_eq!(parse_offsets("1:2, 3:4"), Ok(vec![token(1, 2), token(3, 4)]));
        assert_eq!(format_offsets([]), "");
    }

    #[test]
    fn indexes_read_back() {
        for (indexes, text) in
            [(vec![0], "0"), (vec![1, 2, 3], "1-3"), (vec![0, 2, 3, 9], "0,2-3,9")]
        {
            assert_eq!(format_indexes(indexes.clone()), text);
            assert_eq!(parse_indexes(text, indexes.len()), Some(indexes.clone()));
            assert_eq!(parse_indexes(text, indexes.len() - 1), None);
        }
        for bad in ["", ",", "1-", "-1", "3-1", "a", "0-99999999999999999999"] {
            assert_eq!(parse_indexes(bad, 10), None, "{bad}");
        }
        assert_eq!(parse_indexes(&format!("0-{}", usize::MAX), 10), None);
    }

    #[test]
    fn other_offsets_are_refused() {
        for bad in ["", ",", "1", "1:", ":1", "1:2,", "1-2", "a:1", "1:-1", "1:2;3:4", "1:2:3"] {
            assert!(parse_offsets(bad).is_err(), "{bad}");
        }
        let long = "9".repeat(10_000);
        assert!(parse_offsets(&long).unwrap_err().to_string().len() < 200);
    }
}
