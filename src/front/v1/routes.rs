//! `GET /v1/routes`: where every partition is to be had, as this node sees it. On the core that
//! serves the request.

use http::StatusCode;
use pumice_model::wire::{HolderBody, NodeBody, RoutesBody};

use crate::front::answer::{self, Answer};
use crate::front::context::Context;

/// The routes; of a node that is alone, none.
pub fn answer(context: &Context) -> Answer {
    let (partitions, hash) = (context.cluster.partitions, context.cluster.hash.to_string());
    let Some(routes) = context.routes() else {
        let (nodes, holders) = (Vec::new(), Vec::new());
        let hash = hash.into();
        let alone = RoutesBody { version: 0, partitions, hash, me: None, nodes, holders };
        return answer::json(StatusCode::OK, &alone);
    };
    let nodes = routes.nodes.iter().map(|node| NodeBody {
        id: node.id.as_str().into(),
        http: node.http.as_str().into(),
        region: node.region.as_str().into(),
        group: node.group.as_str().into(),
        draining: node.draining,
    });
    let holders = routes.holders.iter().map(|holders| {
        let holders = holders.iter();
        let holder =
            |h: &crate::mesh::routes::Holder| HolderBody(h.node, h.holding.word().into(), h.next.0);
        holders.map(holder).collect()
    });
    let body = RoutesBody {
        version: routes.version,
        partitions,
        hash: hash.into(),
        me: Some(routes.me),
        nodes: nodes.collect(),
        holders: holders.collect(),
    };
    answer::json(StatusCode::OK, &body)
}
