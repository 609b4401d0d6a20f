//! What a record is called: made from its number, or taken from a file. Read-only and shared by the
//! driver threads once a run has begun.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::random::mix;
use crate::request::decimal;
use crate::values::push_hex;

/// A number with this bit names a record that was never written.
pub const MISSING: u64 = 1 << 63;

const ROUTE: &[u8] = b"/v1/records/";
/// What RFC 3986 section 2.3 leaves as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The names of all records.
#[derive(Debug, Clone)]
pub enum Names {
    /// pk `u` and 16 hexadecimal digits that scatter the number, sk the place in its pk.
    Made {
        /// Records that share a pk.
        per_pk: u64,
    },
    /// One line each.
    Listed(Arc<Listed>),
}

/// Names out of a file.
#[derive(Debug, Default)]
pub struct Listed {
    paths: Texts,
    /// `{"pk":..,"sk":..}`; empty when the file holds paths.
    keys: Texts,
}

/// Texts in one piece of memory.
#[derive(Debug, Default)]
struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }
}

#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    pk: Cow<'l, str>,
    #[serde(borrow)]
    sk: Cow<'l, str>,
}

impl Listed {
    /// Reads a file of lines `{"pk","sk",..}` as `pumice import` takes them, or of paths.
    ///
    /// # Errors
    /// With the number of the line that does not read.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let file = File::open(path).map_err(|fault| format!("{shown}: {fault}"))?;
        let mut listed = Self::default();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|fault| format!("{shown}: {fault}"))?;
            let taken = listed.take(line.trim());
            taken.map_err(|fault| format!("{shown}: line {}: {fault}", number + 1))?;
        }
        match listed.paths.ends.len() {
            0 => Err(format!("{shown}: no keys in it")),
            _ => Ok(listed),
        }
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return Ok(());
        }
        if line.starts_with('/') {
            if line.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
                return Err("a path must be percent-encoded".into());
            }
            self.paths.push(line.as_bytes());
            return Ok(());
        }
        let key: Line<'_> = serde_json::from_str(line).map_err(|fault| fault.to_string())?;
        let [pk, sk] = [&key.pk, &key.sk].map(|text| utf8_percent_encode(text, PATH).to_string());
        self.paths.push(format!("/v1/records/{pk}/{sk}").as_bytes());
        self.keys.push(serde_json::json!({ "pk": key.pk, "sk": key.sk }).to_string().as_bytes());
        Ok(())
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.paths.ends.len() as u64
    }

    /// Whether every line has pk and sk, so that batch reads can name them.
    pub fn has_keys(&self) -> bool {
        self.keys.ends.len() == self.paths.ends.len()
    }
}

impl Names {
    /// Appends the path of a record.
    #[inline]
    pub fn push_path(&self, out: &mut Vec<u8>, id: u64) {
        match self {
            Self::Listed(listed) if id & MISSING == 0 => {
                out.extend_from_slice(listed.paths.get(id as usize));
            }
            _ => {
                out.extend_from_slice(ROUTE);
                self.push_pk(out, id);
                out.push(b'/');
                self.push_sk(out, id);
            }
        }
    }

    /// Appends the path that lists the records of its pk.
    pub fn push_list(&self, out: &mut Vec<u8>, id: u64, limit: u64) {
        out.extend_from_slice(ROUTE);
        self.push_pk(out, id);
        out.extend_from_slice(b"?limit=");
        out.extend_from_slice(decimal(limit, &mut [0; 20]));
    }

    /// Appends `{"pk":..,"sk":..}`.
    #[inline]
    pub fn push_key(&self, out: &mut Vec<u8>, id: u64) {
        match self {
            Self::Listed(listed) if id & MISSING == 0 => {
                out.extend_from_slice(listed.keys.get(id as usize));
            }
            _ => {
                out.extend_from_slice(b"{\"pk\":\"");
                self.push_pk(out, id);
                out.extend_from_slice(b"\",\"sk\":\"");
                self.push_sk(out, id);
                out.extend_from_slice(b"\"}");
            }
        }
    }

    /// Records that share a pk.
    pub fn per_pk(&self) -> u64 {
        if let Self::Made { per_pk } = self { *per_pk } else { 1 }
    }

    /// The first number of the pk that this one is in.
    pub fn first_of_pk(&self, id: u64) -> u64 {
        id - id % self.per_pk()
    }

    fn push_pk(&self, out: &mut Vec<u8>, id: u64) {
        out.push(if id & MISSING == 0 { b'u' } else { b'x' });
        push_hex(out, mix((id & !MISSING) / self.per_pk()), 16);
    }

    fn push_sk(&self, out: &mut Vec<u8>, id: u64) {
        out.extend_from_slice(decimal((id & !MISSING) % self.per_pk(), &mut [0; 20]));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::io::Write;

    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_of_a_pk_are_neighbours_and_missing_ones_are_elsewhere() {
        let names = Names::Made { per_pk: 10 };
        let [a, b, c] = [120, 129, 130].map(|id| text(|out| names.push_path(out, id)));
        assert!(a.starts_with("/v1/records/u") && a.ends_with("/0") && b.ends_with("/9"));
        assert_eq!(a[..a.len() - 2], b[..b.len() - 2]);
        assert_ne!(a, c);
        assert!(text(|out| names.push_path(out, 120 | MISSING)).starts_with("/v1/records/x"));
        assert!(text(|out| names.push_list(out, 125, 7)).ends_with("?limit=7"));
        let key: serde_json::Value =
            serde_json::from_str(&text(|out| names.push_key(out, 129))).unwrap();
        assert_eq!(key["sk"], "9");
    }

    #[test]
    fn names_out_of_a_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let lines =
            "{\"pk\":\"a/b\",\"sk\":\"é\\u0000\",\"data\":{}}\n\n{\"pk\":\"c\",\"sk\":\"\"}\n";
        file.write_all(lines.as_bytes()).unwrap();
        let listed = Listed::open(file.path()).unwrap();
        assert_eq!((listed.count(), listed.has_keys()), (2, true));
        let names = Names::Listed(listed.into());
        assert_eq!(text(|out| names.push_path(out, 0)), "/v1/records/a%2Fb/%C3%A9%00");
        assert_eq!(text(|out| names.push_path(out, 1)), "/v1/records/c/");
        assert_eq!(text(|out| names.push_key(out, 1)), r#"{"pk":"c","sk":""}"#);

        file.write_all(b"/plain?x=1\n").unwrap();
        assert!(!Listed::open(file.path()).unwrap().has_keys());
        file.write_all(b"{\"pk\":1}\n").unwrap();
        assert!(Listed::open(file.path()).unwrap_err().contains("line 5"));
    }
}
