//! (pure) Bodies of `GET /v1/namespace` (public) and `GET /v1/status` (admin port). Small and rare,
//! so reading them copies.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/namespace`: what a client must know to place a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamespaceBody<'a> {
    /// The name of the data set.
    pub namespace: Cow<'a, str>,
    /// How many partitions it has.
    pub partitions: u32,
    /// The hash that places a pk: `murmur2` or `xxh64`.
    pub hash: Cow<'a, str>,
}

/// The answer to `GET /v1/status` on the admin port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusBody<'a> {
    /// The server's version.
    pub version: Cow<'a, str>,
    /// What runs the cores: `glommio` or `tokio`.
    pub runtime: Cow<'a, str>,
    /// The name of the data set.
    pub namespace: Cow<'a, str>,
    /// The hash that places a pk.
    pub hash: Cow<'a, str>,
    /// How many partitions the namespace has, on whatever nodes.
    pub partitions_total: u32,
    /// Whether `/ready` answers 200.
    pub ready: bool,
    /// The serving cores.
    pub cores: Vec<CoreStatus>,
    /// The shards of this node.
    pub shards: Vec<ShardStatus>,
    /// The partitions that this node holds.
    pub partitions: Vec<PartitionStatus<'a>>,
}

/// One serving core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoreStatus {
    /// Its number, from 0.
    pub core: u32,
    /// The CPU it is pinned to.
    pub cpu: u32,
}

/// One shard of this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShardStatus {
    /// Its number, from 0.
    pub shard: u32,
    /// Whether it takes writes.
    pub state: Serving,
    /// Why it is broken, when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Entries applied since the process started.
    pub entries: u64,
    /// Entries waiting to be applied.
    pub queue: u64,
    /// The size of its memory map, bytes.
    pub map_bytes: u64,
    /// Bytes of the map in use.
    pub used_bytes: u64,
}

/// One partition that this node holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PartitionStatus<'a> {
    /// Its number.
    pub partition: u32,
    /// The shard that holds it.
    pub shard: u32,
    /// What it can do: its shard's state, or broken when it lost its log.
    pub state: Serving,
    /// Why it is broken, when it alone is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Entries that the log has and the partition has not; absent with the embedded log, and
    /// before the log was heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// The last applied offset; null before the first entry.
    pub offset: Option<u64>,
    /// Log time: the highest timestamp the log gave to an applied entry, Unix milliseconds.
    pub log_time_ms: u64,
    /// Stored rows, expired and not yet reaped ones included.
    pub rows: u64,
    /// The state hash: 32 hex digits.
    pub hash: Cow<'a, str>,
}

/// What a shard can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Serving {
    /// Reads and writes.
    Serving,
    /// Reads; writes get 503 until there is room.
    Full,
    /// Reads of its last good state; it must be restored.
    Broken,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_status_reads_back() {
        let text = concat!(
            r#"{"version":"0.1.0","runtime":"tokio","namespace":"default","hash":"murmur2","#,
            r#""partitions_total":2,"#,
            r#""ready":true,"cores":[{"core":0,"cpu":1}],"shards":[{"shard":0,"state":"full","#,
            r#""entries":5,"queue":0,"map_bytes":1099511627776,"used_bytes":4096}],"#,
            r#""partitions":[{"partition":1,"shard":0,"state":"full","offset":null,"#,
            r#""log_time_ms":0,"rows":0,"hash":"00000000000000000000000000000000"}]}"#,
        );
        let status: StatusBody = serde_json::from_str(text).unwrap();
        assert_eq!(status.partitions[0].offset, None);
        assert_eq!(serde_json::to_string(&status).unwrap(), text);
    }
}
