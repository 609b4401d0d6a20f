//! Takes a request's body in, within the limits of size and time. On the core that serves the
//! request; reads no JSON.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request};
use pumice_model::limits::BODY_MAX;

use super::context::Context;
use super::problem::Problem;
use crate::net::body::Incoming;
use crate::net::body::{BodyFault, collect};

/// How long a body may take: 16 MiB at half a megabyte a second.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The whole body.
pub async fn body(context: &Context, request: Request<Incoming>) -> Result<Bytes, Problem> {
    let body = collect(request.into_body(), BODY_MAX, BODY_TIME, &context.intake).await;
    body.map_err(|fault| match fault {
        BodyFault::TooLarge(limit) => Problem::too_large(limit),
        BodyFault::Busy => Problem::unavailable(fault.to_string()),
        BodyFault::TimedOut(_) | BodyFault::Broken => Problem::syntax(fault.to_string()),
    })
}

/// Whether the body may be read as JSON: it says so, or says nothing.
pub fn says_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let kind = value.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.ends_with("+json")
}
