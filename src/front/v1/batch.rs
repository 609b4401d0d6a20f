//! `POST /v1/batch`: puts and deletes of one partition as one entry, all of it or none.
//! On the core that serves the request.

use http::{Method, Request};
use pumice_model::mutation::{Change, Mutation};
use pumice_model::wire::{BatchRequest, Operation};

use super::record::answer_to_write;
use crate::front::answer::Answer;
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing};
use crate::front::problem::Problem;
use crate::front::write::{self, Draft, Wait, append};
use crate::front::{receive, target};
use crate::net::body::Incoming;

/// Answers a batch.
pub async fn serve(context: &Context, request: Request<Incoming>) -> Result<Answer, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::method("POST"));
    }
    let mut wait = Wait::Applied;
    for (name, value) in target::parameters(request.uri().query())? {
        match name {
            "wait" => wait = Wait::parse(&value)?,
            other => {
                return Err(Problem::syntax(format!(
                    "unknown parameter '{other}', allowed is wait"
                )));
            }
        }
    }
    let write_id = write::write_id(request.headers())?;
    if !receive::says_json(request.headers()) {
        return Err(Problem::media_type());
    }
    let outgoing = (wait == Wait::Applied && !context.is_alone())
        .then(|| (Outgoing::of(context, &request), request.headers().clone()));
    let body = receive::body(context, request).await?;
    let batch: BatchRequest<'_> =
        serde_json::from_slice(&body).map_err(|fault| Problem::syntax(fault.to_string()))?;
    let conditional = wait == Wait::Log && batch.operations.iter().any(has_precondition);
    if conditional {
        return Err(Problem::syntax(
            "a precondition needs wait=applied: with wait=log its outcome is not told",
        ));
    }
    let mutations = batch.operations.into_iter().map(mutation).collect();
    let draft = Draft::new(context, mutations)?;
    let partition = draft.partition;
    if let Some((outgoing, headers)) = outgoing
        && write::is_away(context, partition, wait, &headers)?
        && let Some(answer) = elsewhere::write(context, partition, &outgoing.with(body)).await?
    {
        return Ok(answer);
    }
    let written = append(context, vec![draft], write_id, wait).await?;
    answer_to_write(&written, wait, false)
}

fn has_precondition(operation: &Operation<'_>) -> bool {
    match operation {
        Operation::Put(put) => put.expect.is_some(),
        Operation::Delete(delete) => delete.expect.is_some(),
    }
}

fn mutation(operation: Operation<'_>) -> Mutation {
    match operation {
        Operation::Put(put) => Mutation {
            pk: put.pk.into_owned(),
            sk: put.sk.into_owned(),
            change: Change::Put { data: put.data.get().to_owned(), ttl_ms: put.ttl },
            condition: put.condition.map(|text| text.into_owned()),
            expect: put.expect.map(Into::into).unwrap_or_default(),
        },
        Operation::Delete(delete) => Mutation {
            pk: delete.pk.into_owned(),
            sk: delete.sk.into_owned(),
            change: Change::Delete,
            condition: delete.condition.map(|text| text.into_owned()),
            expect: delete.expect.map(Into::into).unwrap_or_default(),
        },
    }
}
