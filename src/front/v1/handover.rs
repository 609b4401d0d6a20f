//! `GET /v1/partitions/{partition}/snapshot`: a whole partition, for a node that takes it over. On
//! the core that serves the request, which only passes the pieces on as they are taken; the walk is
//! the snapshots' thread's.

use http::{Method, Request};
use pumice_model::ids::Partition;

use crate::front::answer::{self, Answer};
use crate::front::body::Body;
use crate::front::context::Context;
use crate::front::problem::Problem;
use crate::mesh::handover::{Piece, Refused};
use crate::net::body::Incoming;

/// Answers once the walk is over, with a stream whose length is known.
pub async fn serve(
    context: &Context,
    request: &Request<Incoming>,
    partition: &str,
) -> Result<Answer, Problem> {
    if *request.method() != Method::GET {
        return Err(Problem::method("GET"));
    }
    let partition = partition.parse().ok().filter(|p| *p < context.cluster.partitions);
    let partition = partition.map(Partition);
    let partition = partition.ok_or_else(|| Problem::not_found("there is no such partition"))?;
    let Some(asking) = &context.handover else {
        return Err(Problem::not_found("no handover: the node was started without --gossip"));
    };
    context.has_state(partition)?;
    let busy = || Problem::gives_enough(partition);
    let mut taking = asking.ask(partition).ok_or_else(busy)?;
    match taking.next().await {
        Some(Piece::Begins(left)) => {
            Ok(answer::bytes(Body::Handover { taking: Box::new(taking), left }))
        }
        Some(Piece::Refused(Refused::Busy)) => Err(busy()),
        Some(Piece::Refused(Refused::Nothing)) => Err(Problem::no_state(partition)),
        Some(Piece::Refused(Refused::Failed(why)) | Piece::Broken(why)) => {
            Err(Problem::unavailable(why))
        }
        Some(Piece::Bytes(_)) | None => Err(Problem::unavailable("this node stops")),
    }
}
