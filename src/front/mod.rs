//! The public port: takes a request to its route, counts it, and answers on the core that accepted
//! the connection. Reads never leave that core; writes go to the owner of their shard and come
//! home by ticket. Knows no LMDB and no socket.

mod answer;
mod body;
pub mod context;
mod firescroll;
mod keys;
pub mod openapi;
mod pages;
mod problem;
mod read;
mod receive;
mod target;
mod v1;
mod write;

use std::rc::Rc;
use std::time::Instant;

use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use pumice_model::wire::NamespaceBody;

use answer::Answer;
use context::Context;
use problem::Problem;
use target::Target;

use crate::stats::route::Route;

/// Answers one request; every fault is an answer too.
pub async fn handle(context: Rc<Context>, request: Request<Incoming>) -> Answer {
    let began = Instant::now();
    let method = request.method().clone();
    let uri = request.uri().clone();
    let (route, answer) = match Target::of(uri.path()) {
        Ok(target) if target.speaks_firescroll() => {
            let fire = uri.path().strip_prefix("/v1").is_none();
            let route = target.route(&method);
            let answer = if fire {
                firescroll::serve(&context, request, &target).await
            } else {
                Problem::not_found("no such route: see /openapi.json").on_v1()
            };
            (route, answer)
        }
        Ok(target) => {
            let route = target.route(&method);
            (route, v1(&context, request, target).await.unwrap_or_else(|fault| fault.on_v1()))
        }
        Err(problem) => (Route::Other, problem.on_v1()),
    };
    let took = began.elapsed();
    context.stats.answered(route, answer.status().as_u16(), took);
    if context.access_log {
        tracing::info!(
            target: "access",
            "{method} {uri} {} {} us {}",
            answer.status().as_u16(),
            took.as_micros(),
            route.name()
        );
    }
    answer
}

async fn v1(
    context: &Rc<Context>,
    request: Request<Incoming>,
    target: Target<'_>,
) -> Result<Answer, Problem> {
    match target {
        Target::Record(pk, sk) => v1::record::serve(context, request, pk, sk).await,
        Target::List(pk) => v1::list::serve(context, request, pk).await,
        Target::GetMany => v1::get_many::serve(context, request).await,
        Target::Batch => v1::batch::serve(context, request).await,
        Target::Namespace => about(&request, namespace(context)),
        Target::OpenApi => about(&request, answer::json(StatusCode::OK, openapi::document())),
        _ => Err(Problem::not_found("no such route: see /openapi.json")),
    }
}

fn about(request: &Request<Incoming>, answer: Answer) -> Result<Answer, Problem> {
    match *request.method() {
        Method::GET => Ok(answer),
        _ => Err(Problem::method("GET")),
    }
}

fn namespace(context: &Context) -> Answer {
    let cluster = &context.cluster;
    let body = NamespaceBody {
        namespace: cluster.namespace.as_str().into(),
        partitions: cluster.partitions,
        hash: cluster.hash.to_string().into(),
    };
    answer::json(StatusCode::OK, &body)
}
