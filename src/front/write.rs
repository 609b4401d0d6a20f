//! The way of a write: mutations are checked, made into entries, submitted to the owners of their
//! shards, and their outcomes awaited. On the core that serves the request; never writes itself.

use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use pumice_model::condition::DIALECT;
use pumice_model::entry::Entry;
use pumice_model::ids::{Offset, Partition, Token, WriteId};
use pumice_model::limits::{BATCH_MAX, ENTRY_CONDITIONS_MAX, ENTRY_MAX, WRITE_WAIT_MS};
use pumice_model::mutation::{Malformed, Mutation};
use pumice_model::outcome::Verdict;
use pumice_model::wire;

use super::answer::{Answer, header_value};
use super::context::Context;
use super::problem::Problem;
use crate::clock;
use crate::mesh::inbox::Work;
use crate::mesh::ticket::Unmade;
use crate::rt;

/// Partitions that a `pumice-offsets` header names at most, so that it stays below the 8 KiB that
/// common proxies take; an answer that would name more goes without.
const OFFSETS_NAMED: usize = 256;

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
pub struct Draft {
    partition: Partition,
    mutations: Vec<Mutation>,
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

/// Appends each draft as an entry of its own, in order, and waits for their outcomes: one a draft,
/// in order. `write_id` may only stand with a single draft.
pub async fn append(
    context: &Context,
    drafts: Vec<Draft>,
    write_id: Option<WriteId>,
) -> Result<Vec<Verdict>, Problem> {
    let time = clock::now();
    let waiting = context.tickets.open(drafts.len());
    let mut by_shard: BTreeMap<usize, Vec<Work>> = BTreeMap::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        let Draft { partition, mutations } = draft;
        let entry = Entry { origin: None, time, write_id, dialect: DIALECT, mutations };
        if entry.encoded_len() > ENTRY_MAX {
            let size = entry.encoded_len();
            return Err(Problem::limit(format!(
                "the entry has {size} bytes, allowed are {ENTRY_MAX}"
            )));
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
    let answers = rt::timeout(Duration::from_millis(WRITE_WAIT_MS), waiting).await;
    context.stats.tickets.fall(1);
    judge(answers.ok_or_else(Problem::unknown)?)
}

/// One problem for the request when any entry has no outcome: "nothing was appended" only when
/// that is certain of all of them.
fn judge(answers: Vec<Result<Verdict, Unmade>>) -> Result<Vec<Verdict>, Problem> {
    let total = answers.len();
    let unmade: Vec<Unmade> = answers.iter().filter_map(|answer| answer.err()).collect();
    match unmade.as_slice() {
        [] => Ok(answers.into_iter().flatten().collect()),
        all if all.len() < total || all.contains(&Unmade::Unknown) => Err(Problem::unknown()),
        [Unmade::Broken, ..] => Err(crate::mesh::inbox::TurnedAway::Broken.into()),
        _ => Err(crate::mesh::inbox::TurnedAway::Full.into()),
    }
}

/// The client's name for this write, when it gave one.
pub fn write_id(headers: &HeaderMap) -> Result<Option<WriteId>, Problem> {
    let Some(value) = headers.get(wire::WRITE_ID) else { return Ok(None) };
    let id = value.to_str().ok().and_then(WriteId::parse);
    let wanted = || Problem::syntax(format!("{} must be 32 hexadecimal digits", wire::WRITE_ID));
    id.map(Some).ok_or_else(wanted)
}

/// Adds `pumice-offsets`: the highest offset written in each partition.
pub fn with_offsets(mut answer: Answer, verdicts: &[Verdict]) -> Answer {
    let mut highest: BTreeMap<Partition, Offset> = BTreeMap::new();
    for Verdict { token, .. } in verdicts {
        let offset = highest.entry(token.partition).or_insert(token.offset);
        *offset = token.offset.max(*offset);
    }
    if !highest.is_empty() && highest.len() <= OFFSETS_NAMED {
        let tokens = highest.into_iter().map(|(partition, offset)| Token { partition, offset });
        let value = header_value(wire::format_offsets(tokens));
        answer.headers_mut().insert(wire::OFFSETS, value);
    }
    answer
}
