//! Every node of a cluster is restarted, one after the other, while clients read: with two replica
//! groups nobody notices.

use std::sync::Arc;

use crate::answers::Rows;
use crate::kafka::node::Node;
use crate::members::Cluster;
use crate::readers::Readers;
use crate::tell;

/// Replica group of each node.
const GROUPS: [&str; 3] = ["a", "b", "a"];

/// Restarts nodes 0, 1 and 2 as an upgrade would: SIGTERM, the new process once the old one is
/// gone, and the next node once that one is ready and everything is where the plan wants it.
pub fn restart(cluster: &Cluster, nodes: [Node; 3], rows: &Arc<Rows>) -> [Node; 3] {
    let urls: Vec<String> = nodes.iter().map(|node| node.server.url()).collect();
    let readers = Readers::start(&urls, rows);
    let mut nodes: Vec<Node> = nodes.into();
    for (number, group) in GROUPS.iter().enumerate() {
        nodes.remove(number).stop();
        nodes.insert(number, cluster.start(number, group).ready());
        for node in &nodes {
            cluster.on_plan(node, &[("a", &[0, 2]), ("b", &[1])]);
        }
    }
    let seen = readers.stop();
    assert!(
        seen.wrong.is_empty(),
        "{} of {} calls: {:#?}",
        seen.wrong.len(),
        seen.calls,
        seen.wrong
    );
    assert!(seen.right > rows.len(), "{seen:?}");
    tell(&format!(
        "cluster: three restarts, {} calls for {} keys without a failure, the longest took {:?}",
        seen.calls, seen.right, seen.longest
    ));
    nodes.try_into().unwrap_or_else(|_| unreachable!("as many as before"))
}
