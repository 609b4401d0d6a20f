//! The way of a write: mutations are checked, made into entries, submitted to the owners of their
//! shards, and their outcomes awaited. On the core that serves the request; never writes itself.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use pumice_model::condition::DIALECT;
use pumice_model::entry::Entry;
use pumice_model::ids::{Partition, Token, WriteId};
use pumice_model::limits::{BATCH_MAX, ENTRY_CONDITIONS_MAX, ENTRY_MAX, ORIGIN_LEN, WRITE_WAIT_MS};
use pumice_model::mutation::{Malformed, Mutation};
use pumice_model::outcome::{Outcome, Verdict};
use pumice_model::wire;

use super::answer::{self, Answer};
use super::context::Context;
use super::problem::Problem;
use crate::clock;
use crate::mesh::inbox::{TurnedAway, Work};
use crate::mesh::ticket::{self, Unmade, Until};
use crate::rt;

/// When a write is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// As soon as it is durable.
    Log,
    /// When it is judged.
    Applied,
}

impl Wait {
    /// Reads `?wait=`.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "log" => Ok(Self::Log),
            "applied" => Ok(Self::Applied),
            other => Err(Problem::syntax(format!("wait is '{other}', allowed are log, applied"))),
        }
    }
}

/// One entry to be: a batch of mutations of one partition, checked.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Where it belongs.
    pub partition: Partition,
    /// What it does.
    pub mutations: Vec<Mutation>,
}

impl Draft {
    /// Checks a batch: its size, every mutation, and that one partition has them all.
    pub fn new(context: &Context, mutations: Vec<Mutation>) -> Result<Self, Problem> {
        Self::checked(context, mutations).map_err(|fault| match fault {
            DraftFault::Mutation(_, malformed) => malformed.into(),
            DraftFault::Batch(problem) => problem,
        })
    }

    /// [`Draft::new`] with a fault that says which mutation it is about.
    pub fn checked(context: &Context, mut mutations: Vec<Mutation>) -> Result<Self, DraftFault> {
        if mutations.is_empty() || mutations.len() > BATCH_MAX {
            let count = mutations.len();
            return Err(DraftFault::Batch(Problem::limit(format!(
                "a batch has 1 to {BATCH_MAX} operations, this one has {count}"
            ))));
        }
        let conditions = mutations.iter().filter(|mutation| mutation.condition.is_some()).count();
        if conditions > ENTRY_CONDITIONS_MAX {
            return Err(DraftFault::Batch(Problem::limit(format!(
                "a batch has at most {ENTRY_CONDITIONS_MAX} conditions, this one has {conditions}"
            ))));
        }
        for (index, mutation) in mutations.iter_mut().enumerate() {
            let checked = mutation.normalise(DIALECT);
            checked.map_err(|malformed| DraftFault::Mutation(index, malformed))?;
        }
        let mut partitions: Vec<Partition> =
            mutations.iter().map(|mutation| context.partition(&mutation.pk)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        let [partition] = partitions[..] else {
            let named: Vec<String> = partitions.iter().map(Partition::to_string).collect();
            return Err(DraftFault::Batch(Problem::partitions(format!(
                "a batch belongs to one partition, this one to {}",
                named.join(", ")
            ))));
        };
        Ok(Self { partition, mutations })
    }
}

/// Why mutations make no entry.
pub enum DraftFault {
    /// This one, by its index, can never be applied.
    Mutation(usize, Malformed),
    /// They do not go together.
    Batch(Problem),
}

/// An entry that the log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it stands. For a remembered write id, where the first write stands.
    pub token: Token,
    /// What it did; `None` when only the log was waited for and it is not known yet.
    pub outcome: Option<Outcome>,
}

/// Appends each draft as an entry of its own, in order, and waits as `wait` says: one answer a
/// draft, in order. `write_id` may only stand with a single draft.
pub async fn append(
    context: &Context,
    drafts: Vec<Draft>,
    write_id: Option<WriteId>,
    wait: Wait,
) -> Result<Vec<Written>, Problem> {
    let time = clock::now();
    let until = match wait {
        Wait::Log => Until::Logged,
        Wait::Applied => Until::Judged,
    };
    let mut waiting = context.tickets.open(drafts.len(), until);
    let mut by_shard: BTreeMap<usize, Vec<Work>> = BTreeMap::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        let Draft { partition, mutations } = draft;
        context.can_follow(partition)?;
        let entry = Entry { origin: None, time, write_id, dialect: DIALECT, mutations };
        if entry.encoded_len() > ENTRY_MAX - ORIGIN_LEN {
            let size = entry.encoded_len();
            let most = ENTRY_MAX - ORIGIN_LEN;
            return Err(Problem::limit(format!("the entry has {size} bytes, allowed are {most}")));
        }
        let work = Work { partition, entry, home: waiting.ticket(index) };
        by_shard.entry(context.shard(partition)).or_default().push(work);
    }
    // All shards are asked before any is given something, so that a refusal means nothing was
    // appended, but for the moment between the two.
    for shard in by_shard.keys() {
        context.inboxes[*shard].admits()?;
    }
    let mut submitted = false;
    for (shard, works) in by_shard {
        if let Err(away) = context.inboxes[shard].submit(works) {
            return Err(if submitted { Problem::unknown() } else { away.into() });
        }
        submitted = true;
    }
    context.stats.tickets.rise(1);
    let answers = rt::timeout(Duration::from_millis(WRITE_WAIT_MS), &mut waiting).await;
    context.stats.tickets.fall(1);
    match answers {
        Some(answers) => judge(&answers),
        None => Err(late(&waiting.give_up())),
    }
}

/// One problem for the request when any entry did not come into the log: "nothing was appended"
/// only when that is certain of all of them.
fn judge(answers: &[ticket::Answer]) -> Result<Vec<Written>, Problem> {
    let mut written = Vec::with_capacity(answers.len());
    let mut unmade = Vec::new();
    for answer in answers {
        match *answer {
            ticket::Answer::Judged(Verdict { outcome, token }) => {
                written.push(Written { token, outcome: Some(outcome) });
            }
            ticket::Answer::Logged(token) => written.push(Written { token, outcome: None }),
            ticket::Answer::Unmade(why) => unmade.push(why),
        }
    }
    match unmade.as_slice() {
        [] => Ok(written),
        all if !written.is_empty() || all.contains(&Unmade::Unknown) => Err(Problem::unknown()),
        [Unmade::Broken, ..] => Err(TurnedAway::Broken.into()),
        [Unmade::Unsent, ..] => {
            Err(Problem::unavailable("the log could not be reached: nothing was appended"))
        }
        _ => Err(TurnedAway::Full.into()),
    }
}

/// The wait is over: durable but not judged when the log is known to have all of it, with the
/// tokens; else nobody knows.
fn late(answers: &[Option<ticket::Answer>]) -> Problem {
    let tokens = answers.iter().map(|answer| match answer {
        Some(ticket::Answer::Logged(token)) => Some(*token),
        Some(ticket::Answer::Judged(verdict)) => Some(verdict.token),
        Some(ticket::Answer::Unmade(_)) | None => None,
    });
    match tokens.collect::<Option<Vec<Token>>>() {
        Some(tokens) if !tokens.is_empty() => Problem::not_judged_yet(&tokens),
        _ => Problem::unknown(),
    }
}

/// Whether a write that waits as `wait` says is to be made at another node, since it would not be
/// judged here.
///
/// # Errors
/// When another node has sent it on, and took this one for a holder.
pub fn is_away(
    context: &Context,
    partition: Partition,
    wait: Wait,
    headers: &HeaderMap,
) -> Result<bool, Problem> {
    if wait == Wait::Log || context.answers(partition) {
        return Ok(false);
    }
    if headers.contains_key(wire::FORWARDED) {
        return context.has_state(partition).map(|()| false);
    }
    Ok(true)
}

/// The client's name for this write, when it gave one.
pub fn write_id(headers: &HeaderMap) -> Result<Option<WriteId>, Problem> {
    let Some(value) = headers.get(wire::WRITE_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(WriteId::parse);
    let wanted = || Problem::syntax(format!("{} must be 32 hexadecimal digits", wire::WRITE_ID));
    id.map(Some).ok_or_else(wanted)
}

/// Adds `pumice-offsets`: the highest offset written in each partition.
pub fn with_offsets(mut answer: Answer, written: &[Written]) -> Answer {
    if let Some(offsets) = answer::offsets(written.iter().map(|written| written.token)) {
        answer.headers_mut().insert(wire::OFFSETS, offsets);
    }
    answer
}
