//! Writes of many records that are not all judged here: each record goes to one holder of its
//! partition, one request a holder, and the outcomes come back in the order of the records. On the
//! core that serves the request; a record is never sent to a second node that may have it already.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::future::join_all;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use pumice_model::ids::{Offset, Partition, Token, WriteId};
use pumice_model::mutation::{Change, Mutation};
use pumice_model::outcome::{Outcome, Refusal};
use pumice_model::wire::{self, FireOutcome, FireOutcomeKind, FireOutcomes};

use super::write::Operation;
use crate::front::answer::put_string;
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing, Sent};
use crate::front::problem::Problem;
use crate::front::write::{Draft, Wait, Written, append};
use crate::mesh::routes::Routes;

/// Bytes of outcomes of one request: ten thousand records, a hundred bytes each, and room.
const OUTCOMES_MAX: usize = 4 << 20;

/// Where a record may be written: here, or at a node by its place in the routes.
type Place = Option<usize>;

/// Appends each draft where it is judged and waits for the outcomes: one a draft, in order.
pub async fn append_anywhere(
    context: &Context,
    operation: Operation,
    drafts: Vec<Draft>,
    headers: &HeaderMap,
    write_id: Option<WriteId>,
) -> Result<Vec<Written>, Problem> {
    let Some(routes) = context.routes() else {
        return append(context, drafts, write_id, Wait::Applied).await;
    };
    let all: BTreeSet<Partition> = drafts.iter().map(|draft| draft.partition).collect();
    if headers.contains_key(wire::FORWARDED) {
        all.iter().try_for_each(|partition| context.has_state(*partition))?;
    }
    if headers.contains_key(wire::FORWARDED) || all.iter().all(|one| context.answers(*one)) {
        return append(context, drafts, write_id, Wait::Applied).await;
    }
    let plan = |one: &Partition| (*one, plan(context, &routes, *one));
    let mut plans: BTreeMap<Partition, VecDeque<Place>> = all.iter().map(plan).collect();
    let mut written: Vec<Option<Written>> = vec![None; drafts.len()];
    let (mut nothing, mut problem) = (None, None);
    while problem.is_none() {
        let mut groups: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        for (index, draft) in drafts.iter().enumerate().filter(|(at, _)| written[*at].is_none()) {
            match plans[&draft.partition].front() {
                Some(place) => groups.entry(*place).or_default().push(index),
                None => nothing = nothing.or(Some(Problem::unreached(draft.partition, &[]))),
            }
        }
        if groups.is_empty() {
            break;
        }
        let parts = groups.iter().map(|(place, indexes)| {
            let drafts: Vec<&Draft> = indexes.iter().map(|index| &drafts[*index]).collect();
            part(context, &routes, *place, operation, drafts, headers, write_id)
        });
        let parts = join_all(parts).await;
        for (indexes, part) in groups.into_values().zip(parts) {
            match part {
                Ok(all) => {
                    indexes.iter().zip(all).for_each(|(index, one)| written[*index] = Some(one));
                }
                Err(fault) if fault.status == StatusCode::SERVICE_UNAVAILABLE => {
                    nothing = Some(fault);
                    let failed: BTreeSet<Partition> =
                        indexes.iter().map(|index| drafts[*index].partition).collect();
                    for partition in failed {
                        plans.get_mut(&partition).and_then(VecDeque::pop_front);
                    }
                }
                Err(fault) => problem = Some(fault),
            }
        }
    }
    let made = written.iter().any(Option::is_some);
    match (written.into_iter().collect::<Option<Vec<_>>>(), problem) {
        (Some(written), _) => Ok(written),
        // Only of a request that was one part is anything else known than that some of it is made.
        (None, Some(problem)) if all.len() == 1 => Err(problem),
        (None, None) if !made => Err(nothing.unwrap_or_else(Problem::unknown)),
        _ => Err(Problem::unknown()),
    }
}

/// Here where it is judged, else at the holders, and at the last here if there is a state to judge
/// it by.
fn plan(context: &Context, routes: &Routes, partition: Partition) -> VecDeque<Place> {
    if context.answers(partition) {
        return [None].into();
    }
    let others = elsewhere::holders(context, routes, partition).into_iter().map(Some);
    others.chain(context.has_state(partition).is_ok().then_some(None)).collect()
}

async fn part(
    context: &Context,
    routes: &Routes,
    place: Place,
    operation: Operation,
    drafts: Vec<&Draft>,
    headers: &HeaderMap,
    write_id: Option<WriteId>,
) -> Result<Vec<Written>, Problem> {
    let Some(node) = place else {
        let drafts = drafts.into_iter().cloned().collect();
        return append(context, drafts, write_id, Wait::Applied).await;
    };
    let mut body = b"{\"Records\":[".to_vec();
    for mutation in drafts.iter().flat_map(|draft| &draft.mutations) {
        if body.last() == Some(&b'}') {
            body.push(b',');
        }
        record(&mut body, mutation);
    }
    body.extend_from_slice(b"]}");
    let target = Uri::from_static(match operation {
        Operation::Put => "/records/put?wait=applied",
        Operation::Delete => "/records/delete?wait=applied",
    });
    let json = HeaderValue::from_static("application/json");
    let outgoing = Outgoing::new(context, Method::POST, target, headers)
        .without(&ACCEPT_ENCODING)
        .saying(CONTENT_TYPE, json)
        .with(body.into());
    let node = &routes.nodes[node];
    match elsewhere::write_at(context, node, &outgoing).await {
        Sent::Answered(answer) if answer.status() == StatusCode::OK => {
            let body = answer.into_body().whole(OUTCOMES_MAX).await;
            let body = body.map_err(|_| Problem::unknown())?;
            outcomes(&body, drafts.len()).ok_or_else(Problem::unknown)
        }
        Sent::Nothing(tried) => Err(tried.problem(drafts[0].partition)),
        Sent::Answered(_) | Sent::Unknown => Err(Problem::unknown()),
    }
}

/// A mutation as a record of a FireScroll request.
fn record(out: &mut Vec<u8>, mutation: &Mutation) {
    put_string(out, "{\"pk\":", &mutation.pk);
    put_string(out, ",\"sk\":", &mutation.sk);
    if let Change::Put { data, ttl_ms } = &mutation.change {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
        if let Some(ttl) = ttl_ms {
            out.extend_from_slice(format!(",\"ttl\":{ttl}").as_bytes());
        }
    }
    if let Some(condition) = &mutation.condition {
        put_string(out, ",\"if\":", condition);
    }
    out.push(b'}');
}

/// The outcomes that a holder tells, if there is one for each record.
fn outcomes(body: &[u8], count: usize) -> Option<Vec<Written>> {
    let FireOutcomes { outcomes } = serde_json::from_slice(body).ok()?;
    let all: Option<Vec<Written>> = outcomes.iter().map(written).collect();
    all.filter(|all| all.len() == count)
}

fn written(told: &FireOutcome<'_>) -> Option<Written> {
    let outcome = match told.outcome {
        FireOutcomeKind::Applied => Outcome::Applied { created: false },
        FireOutcomeKind::Refused => {
            let reason = told.reason.as_deref()?;
            Outcome::Refused(Refusal::all().find(|refusal| refusal.code() == reason)?)
        }
    };
    let token = Token { partition: Partition(told.partition), offset: Offset(told.offset) };
    Some(Written { token, outcome: Some(outcome) })
}
