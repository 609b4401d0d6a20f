//! FireScroll's routes, as its clients know them: `POST /records/{operation}`, `/up`, `/ready`.
//! On the core that serves the request; its known bugs are not here, docs/MIGRATION.md says which.

pub mod fields;
mod gzip;
mod read;
mod split;
mod write;

use std::rc::Rc;

use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};

use super::answer::{self, Answer};
use super::context::Context;
use super::elsewhere::Outgoing;
use super::problem::Problem;
use super::receive;
use super::target::{self, Target};
use super::write::Wait;
use crate::net::body::Incoming;
use fields::bad;

/// Answers every request that speaks this dialect, faults included.
pub async fn serve(
    context: &Rc<Context>,
    request: Request<Incoming>,
    target: &Target<'_>,
) -> Answer {
    let headers = request.headers().clone();
    if request.method() == Method::OPTIONS {
        return shared(answer::empty(StatusCode::NO_CONTENT), &headers);
    }
    let answer = match route(context, request, target).await {
        Ok(answer) => gzip::when_asked(answer, &headers),
        Err(problem) => problem.on_firescroll(),
    };
    shared(answer, &headers)
}

async fn route(
    context: &Rc<Context>,
    request: Request<Incoming>,
    target: &Target<'_>,
) -> Result<Answer, Problem> {
    let get = request.method() == Method::GET || request.method() == Method::HEAD;
    match target {
        Target::Up | Target::Ready if !get => Err(Problem::method("GET, HEAD")),
        Target::Up => Ok(answer::text(StatusCode::OK, "ok")),
        Target::Ready if context.ready() => Ok(answer::text(StatusCode::OK, "ok")),
        Target::Ready => Ok(answer::text(StatusCode::INTERNAL_SERVER_ERROR, "no partitions")),
        Target::Fire(_) if request.method() != Method::POST => Err(Problem::method("POST")),
        Target::Fire(operation) => records(context, request, operation).await,
        _ => Err(Problem::not_found("Not Found")),
    }
}

async fn records(
    context: &Rc<Context>,
    request: Request<Incoming>,
    operation: &str,
) -> Result<Answer, Problem> {
    let mut wait = Wait::Log;
    for (name, value) in target::parameters(request.uri().query())? {
        if name == "wait" {
            wait = Wait::parse(&value)?;
        }
    }
    if !["put", "delete", "get", "list", "batch"].contains(&operation) {
        return Err(Problem::syntax(format!("unknown operation '{operation}'")));
    }
    let (uri, headers) = (request.uri().clone(), request.headers().clone());
    let body = receive::body(context, request).await?;
    let outgoing = || Outgoing::new(context, Method::POST, uri, &headers).with(body.clone());
    if !body.is_empty() && !says_json(&headers) {
        return Err(bad("code=415, message=Unsupported Media Type"));
    }
    match operation {
        "put" => write::change(context, write::Operation::Put, wait, &headers, &body).await,
        "delete" => write::change(context, write::Operation::Delete, wait, &headers, &body).await,
        "batch" => write::batch(context, wait, &headers, &body, outgoing).await,
        "get" => read::get(context, &headers, &body).await,
        _ => read::list(context, &headers, &body, outgoing).await,
    }
}

fn says_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// The headers that allow any page to call these routes, as FireScroll does.
fn shared(mut answer: Answer, request: &HeaderMap) -> Answer {
    let preflight = answer.status() == StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.append(VARY, HeaderValue::from(ORIGIN));
    headers.append(VARY, HeaderValue::from(ACCEPT_ENCODING));
    if request.contains_key(ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    if preflight {
        let methods = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        // A browser asks before it sends JSON, and sends it only if content-type is allowed.
        if let Some(wanted) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    answer
}
