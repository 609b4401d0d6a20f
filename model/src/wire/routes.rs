//! (pure) The body of `GET /v1/routes`: where every partition is to be had. A client that knows it
//! asks a holder straight away.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::holding::Holding;
use crate::ids::Offset;

/// The answer to `GET /v1/routes`. A node that is alone names no node and no holder: it has every
/// partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoutesBody<'a> {
    /// Which picture of the cluster; higher is later, on one node. 0 of a node that is alone.
    pub version: u64,
    /// How many partitions the namespace has.
    pub partitions: u32,
    /// The hash that places a pk.
    #[serde(borrow)]
    pub hash: Cow<'a, str>,
    /// The place in `nodes` of the one that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub me: Option<usize>,
    /// Every member that can be asked.
    #[serde(borrow)]
    pub nodes: Vec<NodeBody<'a>>,
    /// Who has each partition, by its number.
    #[serde(borrow)]
    pub holders: Vec<Vec<HolderBody<'a>>>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeBody<'a> {
    /// Its name.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// `HOST:PORT` of its public port.
    #[serde(borrow)]
    pub http: Cow<'a, str>,
    /// Where it stands.
    #[serde(borrow)]
    pub region: Cow<'a, str>,
    /// Its replica group.
    #[serde(borrow)]
    pub group: Cow<'a, str>,
    /// Whether it is about to leave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draining: bool,
}

/// One holder of a partition, as `[node, state, next]`: its place in `nodes`, the word of its
/// [`Holding`], and the next offset that it applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HolderBody<'a>(pub usize, #[serde(borrow)] pub Cow<'a, str>, pub u64);

impl HolderBody<'_> {
    /// How it holds the partition; absent, when the word is of a later release.
    pub fn holding(&self) -> Holding {
        Holding::parse(&self.1).unwrap_or_default()
    }

    /// The next offset that it applies.
    pub fn next(&self) -> Offset {
        Offset(self.2)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn routes_are_compact_and_read_back() {
        let text = concat!(
            r#"{"version":3,"partitions":2,"hash":"murmur2","me":0,"nodes":["#,
            r#"{"id":"n1","http":"10.0.0.1:8190","region":"eu","group":"a"},"#,
            r#"{"id":"n2","http":"10.0.0.2:8190","region":"eu","group":"a","draining":true}],"#,
            r#""holders":[[[0,"serving",7],[1,"draining",5]],[[1,"later",0]]]}"#
        );
        let body: RoutesBody = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
        assert_eq!(body.holders[0][1].holding(), Holding::Draining);
        assert_eq!(body.holders[0][0].next(), Offset(7));
        assert_eq!(body.holders[1][0].holding(), Holding::Absent);
    }

    #[test]
    fn a_node_that_is_alone_names_nobody() {
        let text = r#"{"version":0,"partitions":64,"hash":"murmur2","nodes":[],"holders":[]}"#;
        let body: RoutesBody = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), text);
    }
}
