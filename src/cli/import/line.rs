//! (pure) One line of an import: what it holds, and whether a server could take it.

use std::borrow::Cow;

use pumice_model::json::compact_valid;
use pumice_model::limits::VALUE_MAX;
use pumice_model::mutation::{Malformed, check_keys};
use serde::Deserialize;
use serde_json::value::RawValue;

/// One line of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<'l> {
    /// The partition key.
    #[serde(borrow)]
    pub pk: Cow<'l, str>,
    /// The sort key.
    #[serde(borrow)]
    pub sk: Cow<'l, str>,
    /// The value.
    #[serde(borrow)]
    pub data: &'l RawValue,
}

impl<'l> Line<'l> {
    /// One line, checked as far as that needs no server.
    pub fn parse(bytes: &'l [u8]) -> Result<Self, String> {
        let line: Self = serde_json::from_slice(bytes).map_err(|fault| fault.to_string())?;
        check_keys(&line.pk, &line.sk).map_err(|fault| fault.to_string())?;
        let size = compact_valid(line.data.get()).map_err(|fault| fault.to_string())?.len();
        if size > VALUE_MAX {
            return Err(Malformed::DataSize(size).to_string());
        }
        Ok(line)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Line::parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn deep_and_large_values_are_failed_here() {
        let deep =
            format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":{}}}", "[".repeat(65) + &"]".repeat(65));
        assert!(refused(&deep).contains("nested deeper"));
        let large = format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":\"{}\"}}", "x".repeat(VALUE_MAX));
        assert!(refused(&large).contains("allowed are"));
        let spaced = format!("{{\"pk\":\"a\",\"sk\":\"\",\"data\":[{}]}}", " ".repeat(VALUE_MAX));
        assert!(Line::parse(spaced.as_bytes()).is_ok());
    }
}
