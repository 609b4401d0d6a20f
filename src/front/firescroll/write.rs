//! `POST /records/put|delete|batch`: each record of a put or delete is an entry of its own, a batch
//! is one entry. On the core that serves the request.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pumice_model::limits::ENTRY_CONDITIONS_MAX;
use pumice_model::mutation::{Change, Expect, Malformed, Mutation};
use pumice_model::outcome::Outcome;
use pumice_model::wire::{FireOutcome, FireOutcomeKind, FireOutcomes};

use super::fields::{Fields, bad};
use super::split::append_anywhere;
use crate::front::answer::{self, Answer};
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing};
use crate::front::problem::Problem;
use crate::front::write::{self, Draft, DraftFault, Wait, Written, append};
use crate::rt;

/// Records checked before the requests of others get a turn: the pattern of a condition may take
/// a hundred microseconds and more to read.
const RECORDS_A_TURN: usize = 256;

/// What the URL says is done with each record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Replace it.
    Put,
    /// Remove it.
    Delete,
}

/// Answers a put or a delete.
pub async fn change(
    context: &Context,
    operation: Operation,
    wait: Wait,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Answer, Problem> {
    let records = records(body, "MutationReq")?;
    let conditions = records.iter().filter(|record| record.has("if")).count();
    if conditions > ENTRY_CONDITIONS_MAX {
        return Err(bad(format_args!(
            "a request has at most {ENTRY_CONDITIONS_MAX} conditions, this one has {conditions}"
        )));
    }
    let write_id = write::write_id(headers)?;
    if write_id.is_some() && records.len() > 1 {
        return Err(bad("pumice-write-id names one write, this request has several records"));
    }
    let mut drafts = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        if index % RECORDS_A_TURN == RECORDS_A_TURN - 1 {
            rt::yield_now().await;
        }
        let mutation = mutation(record, operation)?;
        drafts.push(draft(context, vec![mutation], Some(index))?);
    }
    let written = match wait {
        Wait::Log => append(context, drafts, write_id, wait).await?,
        Wait::Applied => append_anywhere(context, operation, drafts, headers, write_id).await?,
    };
    told(&written, wait)
}

/// Answers a batch: `{"Operations":[{"Put":{..}},{"Delete":{..}}]}`.
pub async fn batch(
    context: &Context,
    wait: Wait,
    headers: &HeaderMap,
    body: &Bytes,
    outgoing: impl FnOnce() -> Outgoing,
) -> Result<Answer, Problem> {
    let operations = Fields::read(body)?.objects("Operations")?;
    check_count(operations.len(), "BatchReq.Operations", "Operations")?;
    let write_id = write::write_id(headers)?;
    let mut mutations = Vec::with_capacity(operations.len());
    for (index, operation) in operations.iter().enumerate() {
        let only = operation.names().count() == 1;
        let made = match (only, operation.inner("Put")?, operation.inner("Delete")?) {
            (true, Some(put), None) => mutation(&put, Operation::Put)?,
            (true, None, Some(delete)) => mutation(&delete, Operation::Delete)?,
            _ => return Err(bad(format_args!("Operations[{index}] must be a Put or a Delete"))),
        };
        mutations.push(made);
    }
    let draft = draft(context, mutations, None)?;
    let partition = draft.partition;
    if write::is_away(context, partition, wait, headers)?
        && let Some(answer) = elsewhere::write(context, partition, &outgoing()).await?
    {
        return Ok(answer);
    }
    let written = append(context, vec![draft], write_id, wait).await?;
    told(&written, wait)
}

/// The `Records` of a request, at least one.
pub fn records<'b>(body: &'b [u8], of: &str) -> Result<Vec<Fields<'b>>, Problem> {
    let records = Fields::read(body)?.objects("Records")?;
    check_count(records.len(), &format!("{of}.Records"), "Records")?;
    Ok(records)
}

fn check_count(count: usize, key: &str, field: &str) -> Result<(), Problem> {
    if count == 0 {
        return Err(bad(format_args!(
            "Key: '{key}' Error:Field validation for '{field}' failed on the 'min' tag"
        )));
    }
    Ok(())
}

fn mutation(fields: &Fields<'_>, operation: Operation) -> Result<Mutation, Problem> {
    let change = match operation {
        Operation::Delete => Change::Delete,
        Operation::Put => {
            let data = fields.object_text("data")?.to_owned();
            let ttl = fields.integer("ttl")?;
            let ttl_ms = ttl.map(u64::try_from).transpose();
            Change::Put { data, ttl_ms: ttl_ms.map_err(|_| bad("ttl is below 1 ms"))? }
        }
    };
    Ok(Mutation {
        pk: fields.text("pk")?.unwrap_or_default(),
        sk: fields.text("sk")?.unwrap_or_default(),
        change,
        condition: fields.text("if")?,
        expect: Expect::Any,
    })
}

/// A draft whose faults are told in FireScroll's words, naming the record.
fn draft(
    context: &Context,
    mutations: Vec<Mutation>,
    index: Option<usize>,
) -> Result<Draft, Problem> {
    let statements: Vec<Option<String>> =
        mutations.iter().map(|mutation| mutation.condition.clone()).collect();
    Draft::checked(context, mutations).map_err(|fault| match fault {
        DraftFault::Mutation(at, Malformed::Condition(fault)) => {
            let statement = statements[at].as_deref().unwrap_or_default();
            Problem::syntax(format!("error compiling `if` statement `{statement}`: {fault}"))
        }
        DraftFault::Mutation(at, malformed) => {
            let (at, problem) = (index.unwrap_or(at), Problem::from(malformed));
            let code = problem.status.as_u16();
            problem.worded(|text| format!("code={code}, message=record {at}: {text}"))
        }
        DraftFault::Batch(problem) => problem.worded(|text| format!("code=400, message={text}")),
    })
}

fn told(written: &[Written], wait: Wait) -> Result<Answer, Problem> {
    let answer = match wait {
        Wait::Log => answer::text(StatusCode::OK, "ok"),
        Wait::Applied => {
            let outcomes: Option<Vec<_>> = written.iter().map(outcome).collect();
            let outcomes = outcomes.ok_or_else(Problem::unknown)?;
            // Bodies of ours have string keys and whole numbers: writing them cannot fail.
            let mut body = serde_json::to_vec(&FireOutcomes { outcomes }).unwrap_or_default();
            body.push(b'\n');
            answer::fire_json(StatusCode::OK, body)
        }
    };
    Ok(write::with_offsets(answer, written))
}

fn outcome(written: &Written) -> Option<FireOutcome<'static>> {
    let (outcome, reason) = match written.outcome? {
        Outcome::Refused(refusal) => (FireOutcomeKind::Refused, Some(refusal.code().into())),
        Outcome::Applied { .. } | Outcome::Duplicate => (FireOutcomeKind::Applied, None),
    };
    let (partition, offset) = (written.token.partition.0, written.token.offset.0);
    Some(FireOutcome { outcome, reason, partition, offset })
}
