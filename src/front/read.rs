//! What every read does before and after: it waits until the offsets that the client has seen are
//! applied, and it says how old its answer may be. On the core that serves the request; holds no
//! transaction while it waits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};
use pumice_model::ids::{Partition, Token};
use pumice_model::limits::{WAIT_DEFAULT_MS, WAIT_MAX_MS};
use pumice_model::wire;

use super::answer::{Answer, header_value};
use super::context::Context;
use super::problem::Problem;
use crate::rt;
use crate::stats::progress::Lag;

/// How often a waiting read looks again. A commit takes about a millisecond.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Waits for `pumice-min-offsets`, at most `pumice-timeout-ms`; then 503 with code `behind`.
pub async fn caught_up(context: &Context, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(wanted) = all_values(headers, wire::MIN_OFFSETS) else { return Ok(()) };
    let wanted = wire::parse_offsets(&wanted)
        .map_err(|fault| Problem::syntax(format!("{}: {fault}", wire::MIN_OFFSETS)))?;
    let deadline = Instant::now() + Duration::from_millis(timeout_ms(headers)?);
    for token in wanted {
        while !reached(context, token)? {
            if Instant::now() >= deadline {
                let next = context.positions.next(token.partition);
                let last = next.and_then(|next| next.0.checked_sub(1));
                return Err(Problem::behind(token, last.map(pumice_model::ids::Offset)));
            }
            rt::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

/// Every partition that some of `keys` are in, once.
pub fn partitions_of(context: &Context, keys: &[(String, String)]) -> BTreeSet<Partition> {
    if context.progress.is_none() {
        return BTreeSet::new();
    }
    keys.iter().map(|(pk, _)| context.partition(pk)).collect()
}

/// Says with `pumice-lag-ms` how old the answer may be, when any of its partitions is behind.
pub fn with_lag(
    context: &Context,
    mut answer: Answer,
    partitions: impl IntoIterator<Item = Partition>,
) -> Answer {
    let worst = partitions.into_iter().map(|partition| context.lag(partition)).max();
    let value = match worst {
        None | Some(Lag::None) => return answer,
        Some(Lag::Ms(ms)) => header_value(ms.to_string()),
        Some(Lag::Unknown) => HeaderValue::from_static("unknown"),
    };
    answer.headers_mut().insert(wire::LAG_MS, value);
    answer
}

/// The values of a header that may stand on several lines, as one list.
pub fn all_values(headers: &HeaderMap, name: impl AsHeaderName) -> Option<String> {
    let values = headers.get_all(name);
    let texts: Vec<&str> = values.iter().map(|value| value.to_str().unwrap_or_default()).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

fn reached(context: &Context, token: Token) -> Result<bool, Problem> {
    let next = context.positions.next(token.partition).ok_or_else(|| {
        let count = context.cluster.partitions;
        let partition = token.partition;
        Problem::syntax(format!("there is no partition {partition}, the namespace has {count}"))
    })?;
    Ok(next > token.offset)
}

fn timeout_ms(headers: &HeaderMap) -> Result<u64, Problem> {
    let Some(value) = headers.get(wire::TIMEOUT_MS) else { return Ok(WAIT_DEFAULT_MS) };
    let ms = value.to_str().ok().and_then(|text| text.parse().ok());
    ms.filter(|ms| *ms <= WAIT_MAX_MS)
        .ok_or_else(|| Problem::syntax(format!("{} must be 0 to {WAIT_MAX_MS}", wire::TIMEOUT_MS)))
}
