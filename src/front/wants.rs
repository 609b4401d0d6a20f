//! What a read asks of the state that it is answered from: offsets that must be applied, how old
//! it may be, how long that may take, and whether a node has sent it on. On the core that serves
//! the request; holds no transaction while it waits.

use std::time::{Duration, Instant};

use http::HeaderMap;
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::limits::{WAIT_DEFAULT_MS, WAIT_MAX_MS};
use pumice_model::wire;

use super::context::Context;
use super::problem::Problem;
use super::read::all_values;
use crate::rt;
use crate::stats::progress::Lag;

/// How often a waiting read looks again. A commit takes about a millisecond.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long a read may take that another node answers, unless its client says otherwise.
const ELSEWHERE: Duration = Duration::from_secs(5);
/// And at least, for a client that would not wait: a round trip within one region.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// What one read asks.
#[derive(Clone, Debug)]
pub struct Wants {
    at_least: Vec<Token>,
    max_lag: Option<u64>,
    /// Until when the offsets are waited for.
    patience: Instant,
    /// Until when other nodes are asked.
    pub deadline: Instant,
    /// Whether it was sent on by another node.
    pub is_forwarded: bool,
}

impl Wants {
    /// What the fields of a read say.
    pub fn of(context: &Context, headers: &HeaderMap) -> Result<Self, Problem> {
        let at_least = match all_values(headers, wire::MIN_OFFSETS) {
            Some(text) => wire::parse_offsets(&text)
                .map_err(|fault| Problem::syntax(format!("{}: {fault}", wire::MIN_OFFSETS)))?,
            None => Vec::new(),
        };
        let count = context.cluster.partitions;
        if let Some(token) = at_least.iter().find(|token| token.partition.0 >= count) {
            let partition = token.partition;
            let message = format!("there is no partition {partition}, the namespace has {count}");
            return Err(Problem::syntax(message));
        }
        let timeout = number(headers, wire::TIMEOUT_MS, WAIT_MAX_MS)?.map(Duration::from_millis);
        let max_lag = number(headers, wire::MAX_LAG_MS, u64::MAX)?;
        let (now, default) = (Instant::now(), Duration::from_millis(WAIT_DEFAULT_MS));
        Ok(Self {
            at_least,
            max_lag,
            patience: now + timeout.unwrap_or(default),
            deadline: now + timeout.map_or(ELSEWHERE, |timeout| timeout.max(ROUND_TRIP)),
            is_forwarded: headers.contains_key(wire::FORWARDED),
        })
    }

    /// Any state that is answered, until `deadline`.
    pub fn nothing(deadline: Instant) -> Self {
        Self {
            at_least: Vec::new(),
            max_lag: None,
            patience: deadline,
            deadline,
            is_forwarded: false,
        }
    }

    /// The same, with another deadline.
    pub fn until(self, deadline: Instant) -> Self {
        Self { deadline, ..self }
    }

    /// Whether what is here of `partition` will do now.
    pub fn are_met(&self, context: &Context, partition: Partition) -> bool {
        let next = context.positions.next(partition).unwrap_or(Offset(0));
        self.reached(partition, next) && self.fresh(context, partition).is_ok()
    }

    /// Whether a state up to `next` has what is asked of `partition`.
    pub fn reached(&self, partition: Partition, next: Offset) -> bool {
        self.of_partition(partition).all(|token| next > token.offset)
    }

    /// Waits until what is here of `partitions` will do; where the node is alone, until all that
    /// was asked for is applied.
    ///
    /// # Errors
    /// 503 with code `behind` when the time is over first, or the state is too old.
    pub async fn wait(&self, context: &Context, partitions: &[Partition]) -> Result<(), Problem> {
        let alone = context.is_alone();
        for token in &self.at_least {
            if !alone && !partitions.contains(&token.partition) {
                continue;
            }
            loop {
                let next = context.positions.next(token.partition).unwrap_or(Offset(0));
                if next > token.offset {
                    break;
                }
                if Instant::now() >= self.patience {
                    return Err(Problem::behind(*token, next.0.checked_sub(1).map(Offset)));
                }
                rt::sleep(LOOK_AGAIN).await;
            }
        }
        partitions.iter().try_for_each(|partition| self.fresh(context, *partition))
    }

    /// The problem of a read that nobody could answer as wanted, with the best that is known;
    /// `None` when nothing was asked that a holder may lack.
    pub fn unmet(&self, partition: Partition, next: Offset, lag: Lag) -> Option<Problem> {
        if let Some(token) = self.of_partition(partition).find(|token| next <= token.offset) {
            return Some(Problem::behind(*token, next.0.checked_sub(1).map(Offset)));
        }
        let max = self.max_lag.filter(|max| lag > Lag::Ms(*max))?;
        Some(Problem::too_old(partition, lag, max))
    }

    /// What is left of the time to wait for offsets, for a node that is asked: three quarters, so
    /// that it answers before it is given up. `None` when nothing is to be waited for.
    pub fn time_to_wait(&self) -> Option<Duration> {
        let until = self.patience.min(self.deadline);
        let left = until.saturating_duration_since(Instant::now());
        (!self.at_least.is_empty()).then_some(left * 3 / 4)
    }

    fn fresh(&self, context: &Context, partition: Partition) -> Result<(), Problem> {
        let Some(max) = self.max_lag else { return Ok(()) };
        match context.lag(partition) {
            lag if lag > Lag::Ms(max) => Err(Problem::too_old(partition, lag, max)),
            _ => Ok(()),
        }
    }

    fn of_partition(&self, partition: Partition) -> impl Iterator<Item = &Token> {
        self.at_least.iter().filter(move |token| token.partition == partition)
    }
}

fn number(headers: &HeaderMap, name: &str, most: u64) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    let number = number.filter(|number| *number <= most);
    number.map(Some).ok_or_else(|| Problem::syntax(format!("{name} must be 0 to {most}")))
}
