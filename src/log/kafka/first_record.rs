//! (pure) The first record of the partitions topic: how many partitions the namespace has, and how
//! a pk finds its own. Whoever writes it first decides for all.

use serde_json::{Map, Value};

use crate::settings::ClusterSettings;

/// The format of the log that this version reads and writes.
const FORMAT: u64 = 1;
/// What a record without a hash means.
const HASH_BY_DEFAULT: &str = "murmur2";

/// What the record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstRecord {
    /// Partitions of the namespace.
    pub partitions: u64,
    /// The hash's name.
    pub hash: String,
    /// The format of entries.
    pub format: u64,
}

impl FirstRecord {
    /// What this node would write.
    pub fn of(cluster: &ClusterSettings) -> Self {
        let partitions = u64::from(cluster.partitions);
        Self { partitions, hash: cluster.hash.to_string(), format: FORMAT }
    }

    /// The record's value.
    pub fn to_json(&self) -> String {
        let Self { partitions, hash, format } = self;
        format!(r#"{{"NumPartitions":{partitions},"Hash":"{hash}","Format":{format}}}"#)
    }

    /// Reads a record's value. Names come in any case, unknown ones are ignored; one without a hash
    /// or a format is of FireScroll.
    pub fn read(value: Option<&[u8]>) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(value?).ok()?;
        let field = |name: &str| {
            let mut found = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next_back().map(|(_, value)| value).filter(|value| !value.is_null())
        };
        let partitions = field("NumPartitions")?.as_u64()?;
        let hash = field("Hash").map_or(Some(HASH_BY_DEFAULT), Value::as_str)?.to_owned();
        let format = field("Format").map_or(Some(FORMAT), Value::as_u64)?;
        Some(Self { partitions, hash, format })
    }
}
