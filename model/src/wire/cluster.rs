//! (pure) Body of `GET /v1/cluster` on the admin port: the cluster as one node sees it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The answer to `GET /v1/cluster`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterBody {
    /// The name of the data set.
    pub namespace: String,
    /// Whose view it is: the id of the node that answers.
    pub node: String,
    /// Why the cluster keeps that node from being ready, when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unready: Option<String>,
    /// Whether that node is about to leave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
    /// Whether it is, and others serve all that it serves, as far as any could.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_leave: bool,
    /// Every member that is known, by id.
    pub members: Vec<ClusterMember>,
    /// Every partition of the namespace, by number.
    pub partitions: Vec<ClusterPartition>,
}

/// One node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterMember {
    /// Its name.
    pub id: String,
    /// Where it stands.
    pub region: String,
    /// Which copy of everything it is a part of.
    pub replica_group: String,
    /// `HOST:PORT` of its public port.
    pub http: String,
    /// `HOST:PORT` of its admin port.
    pub admin: String,
    /// When it started, Unix milliseconds by its own clock.
    pub incarnation: u64,
    /// Whether it is heard.
    pub alive: bool,
    /// For how long it has been heard, or not, milliseconds.
    pub since_ms: u64,
    /// Whether it is about to leave.
    pub draining: bool,
    /// Its clock less that of the node that answers, milliseconds.
    pub clock_off_ms: i64,
    /// Reads that it answers in a second.
    pub load: u64,
    /// Its partitions by what it does with them.
    pub partitions: HoldingCounts,
}

/// How many partitions a node holds in each way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldingCounts {
    /// Their rows are on their way in.
    pub restoring: u32,
    /// They have an older state than the log's head was when they began.
    pub catching_up: u32,
    /// They answer.
    pub serving: u32,
    /// They answer, and others have been told not to ask.
    pub draining: u32,
    /// They follow no more.
    pub broken: u32,
}

/// One partition and who has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterPartition {
    /// Its number.
    pub partition: u32,
    /// The furthest that is known of its log: the next offset.
    pub end: u64,
    /// The living members that have it, by id.
    pub holders: Vec<ClusterHolder>,
}

/// One node's hold of a partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterHolder {
    /// The id of the node.
    pub node: String,
    /// `restoring`, `catching-up`, `serving`, `draining` or `broken`.
    pub state: String,
    /// The next offset that it applies.
    pub next: u64,
    /// Entries that it lacks, as far as known; what it said is up to a second old.
    pub lag: u64,
}
