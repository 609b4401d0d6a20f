//! The public port: takes a request to its route, counts it, and answers on the core that accepted
//! the connection. Reads never leave that core; writes go to the owner of their shard and come
//! home by ticket. Knows no LMDB and no socket.

mod answer;
mod away;
mod body;
pub mod context;
pub mod elsewhere;
mod firescroll;
mod keys;
mod looks;
mod merged;
pub mod openapi;
mod pace;
mod pages;
mod problem;
mod read;
mod receive;
mod scatter;
mod shorts;
mod target;
mod v1;
mod wants;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Instant;

use futures_util::future::{Either, Ready, ready};
use http::{Method, Request, StatusCode, Uri};
use pumice_model::wire::{self, NamespaceBody};

use answer::Answer;
use away::{Away, Told};
use body::Body;
use context::Context;
use looks::Looks;
use problem::Problem;
use target::Target;

use crate::net::body::Incoming;
use crate::net::{Asking, Service, Short};
use crate::stats::route::Route;

/// An answer that is there at once, or one that something is awaited for.
type Answering = Either<Ready<Answer>, Pin<Box<dyn Future<Output = Answer>>>>;

/// Answers the requests of one core.
pub struct Front(Rc<Context>);

impl Front {
    /// With what the core has.
    pub fn new(context: Context) -> Self {
        Self(Rc::new(context))
    }
}

impl Service for Front {
    type Body = Body;
    type Answering = Answering;
    type Noted = Looks;
    type Away = Away;
    type Told = Told;

    const MATTERS: &'static [&'static str] = &[
        "if-match",
        "if-none-match",
        "if-modified-since",
        wire::MIN_OFFSETS,
        wire::MAX_LAG_MS,
        wire::TIMEOUT_MS,
        wire::FORWARDED,
    ];

    fn answer(&self, request: Request<Incoming>) -> Answering {
        handle(&self.0, request)
    }

    fn note(&self, noted: &mut Looks, target: &str) -> bool {
        // A line of the access log has the method and more.
        !self.0.access_log && noted.note(&self.0, target)
    }

    fn look(&self, noted: &mut Looks, reply: &mut dyn FnMut(usize, &Short<'_>)) {
        noted.answer(&self.0, reply);
    }

    fn thrown_away(&self, status: u16) {
        self.0.stats.thrown_away(Route::Get, status);
    }

    fn note_away(&self, away: &mut Away, id: u32, target: &str) -> bool {
        !self.0.access_log && away.note(&self.0, id, target)
    }

    fn ask(&self, away: &mut Away) -> Vec<Asking<Told>> {
        away.ask(&self.0)
    }

    fn tell(&self, told: &Told, with: &mut dyn FnMut(u32, Result<&Short<'_>, &str>)) {
        told.tell(&self.0, with);
    }
}

/// Answers one request; every fault is an answer too. A read of one record, which is nearly every
/// request, awaits nothing: it is answered in place, without a future on the heap.
fn handle(context: &Rc<Context>, request: Request<Incoming>) -> Answering {
    let began = Instant::now();
    if let Some(answer) = v1::record::at_once(context, &request) {
        let answer = answer.unwrap_or_else(|fault| fault.on_v1());
        let (method, uri) = (request.method(), request.uri());
        return Either::Left(ready(finish(context, Route::Get, began, answer, method, uri)));
    }
    let context = context.clone();
    Either::Right(Box::pin(async move {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let (route, answer) = routed(&context, request, &uri).await;
        finish(&context, route, began, answer, &method, &uri)
    }))
}

async fn routed(context: &Rc<Context>, request: Request<Incoming>, uri: &Uri) -> (Route, Answer) {
    let target = match Target::of(uri.path()) {
        Ok(target) => target,
        Err(problem) => return (Route::Other, problem.on_v1()),
    };
    let route = target.route(request.method());
    let answer = if target.speaks_firescroll() {
        firescroll::serve(context, request, &target).await
    } else {
        v1(context, request, target).await.unwrap_or_else(|fault| fault.on_v1())
    };
    (route, answer)
}

/// Counts an answer, and takes its body away where HEAD asked for none.
fn finish(
    context: &Context,
    route: Route,
    began: Instant,
    answer: Answer,
    method: &Method,
    uri: &Uri,
) -> Answer {
    let mut answer = answer;
    if !answer.headers().contains_key(wire::NODE)
        && let Some(node) = context.node()
    {
        answer.headers_mut().insert(wire::NODE, node);
    }
    let (took, status) = (began.elapsed(), answer.status().as_u16());
    context.stats.answered(route, status, took);
    if context.access_log {
        let micros = took.as_micros();
        let route = route.name();
        tracing::info!(target: "access", "{method} {uri} {status} {micros} us {route}");
    }
    if method == Method::HEAD { answer::without_body(answer) } else { answer }
}

async fn v1(
    context: &Rc<Context>,
    request: Request<Incoming>,
    target: Target<'_>,
) -> Result<Answer, Problem> {
    match target {
        Target::Record(pk, sk) => v1::record::serve(context, request, &pk, &sk).await,
        Target::List(pk) => v1::list::serve(context, request, pk.into_owned()).await,
        Target::All => v1::all::serve(context, request).await,
        Target::GetMany => v1::get_many::serve(context, request).await,
        Target::Look => v1::look::serve(context, request).await,
        Target::Batch => v1::batch::serve(context, request).await,
        Target::Handover(partition) => v1::handover::serve(context, &request, partition).await,
        Target::Namespace => about(&request, namespace(context)),
        Target::Routes => about(&request, v1::routes::answer(context)),
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
