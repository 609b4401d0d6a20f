//! `POST /v1/records:look`: reads of one record that another node was asked for, a path on each
//! line, answered together from what is here. On the core that serves the request; never asks
//! others, and leaves out what it does not answer.

use http::{Method, Request};

use crate::front::answer::{self, Answer};
use crate::front::away::TOGETHER_MAX;
use crate::front::context::Context;
use crate::front::problem::Problem;
use crate::front::{receive, shorts};
use crate::net::body::Incoming;
use crate::stats::route::Route;

/// Reads that are answered in one request: as many as one connection of a client has open at once,
/// and as one transaction should have.
const MOST: u16 = 256;
/// Bytes of a path: those of a head.
const TARGET_MAX: usize = 16 << 10;

/// Answers what is here.
pub async fn serve(context: &Context, request: Request<Incoming>) -> Result<Answer, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::method("POST"));
    }
    let body = receive::body(context, request).await?;
    let targets = str::from_utf8(&body).map_err(|_| Problem::syntax("the body is not UTF-8"))?;
    let mut looks = context.looks.take();
    let noted: Vec<u16> = (0..MOST)
        .zip(targets.lines())
        .filter(|(_, target)| target.len() <= TARGET_MAX && looks.note(context, target))
        .map(|(number, _)| number)
        .collect();
    let (mut out, mut made) = (Vec::with_capacity(noted.len() * 256), 0);
    looks.answer(context, &mut |nth, short| {
        // Another may know what is not known here.
        if short.status < 500 && made + short.body.len() <= TOGETHER_MAX {
            made += short.body.len();
            if shorts::put(&mut out, noted[nth], short) {
                return;
            }
        }
        // It is asked for again, alone.
        context.stats.thrown_away(Route::Get, short.status);
    });
    context.looks.replace(looks);
    Ok(answer::bytes(out))
}
