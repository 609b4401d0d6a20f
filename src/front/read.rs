//! What reads say of themselves: how old an answer may be; and the fields of a request that may
//! stand on several lines. On the core that serves the request.

use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};
use pumice_model::ids::Partition;
use pumice_model::wire;

use super::answer::{Answer, header_value};
use super::context::Context;
use crate::stats::progress::Lag;

/// Says with `pumice-lag-ms` how old the answer may be, when any of its partitions is behind.
pub fn with_lag(
    context: &Context,
    answer: Answer,
    partitions: impl IntoIterator<Item = Partition>,
) -> Answer {
    let worst = partitions.into_iter().map(|partition| context.lag(partition)).max();
    saying_lag(answer, worst.unwrap_or(Lag::None))
}

/// The same of an age that is known.
pub fn saying_lag(mut answer: Answer, lag: Lag) -> Answer {
    let value = match lag {
        Lag::None => return answer,
        Lag::Ms(ms) => header_value(ms.to_string()),
        Lag::Unknown => HeaderValue::from_static("unknown"),
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
