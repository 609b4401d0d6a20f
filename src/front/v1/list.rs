//! `GET /v1/records/{pk}`: the records of one pk in order of sk, a page at a time.
//! On the core that serves the request.

use std::ops::Bound;
use std::rc::Rc;

use http::{Method, Request, StatusCode};
use pumice_model::ids::{Partition, Token};
use pumice_model::key::RowKey;
use pumice_model::limits::{PAGE_DEFAULT, PAGE_MAX};
use pumice_model::mutation::check_keys;
use pumice_model::row::{NEVER, Row};
use pumice_model::wire::{Timestamp, etag, parse_next};

use crate::front::answer::{self, Answer, put_string};
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing};
use crate::front::pages::{Scope, Style, Walk};
use crate::front::problem::Problem;
use crate::front::wants::Wants;
use crate::front::{read, target};
use crate::net::body::Incoming;

const PARAMETERS: &str = "after, before, limit, next, prefix, reverse";

/// Answers a page.
pub async fn serve(
    context: &Rc<Context>,
    request: Request<Incoming>,
    pk: String,
) -> Result<Answer, Problem> {
    if request.method() != Method::GET {
        return Err(Problem::method("GET"));
    }
    check_keys(&pk, "")?;
    let asked = Asked::of(&request, &pk)?;
    let partition = context.partition(&pk);
    let wants = Wants::of(context, request.headers())?;
    let outgoing = || Outgoing::of(context, &request);
    if let Some(answer) = elsewhere::read(context, partition, &wants, outgoing).await? {
        return Ok(answer);
    }
    let Asked { prefix, lower, upper, limit, reverse } = asked;
    let scope = Scope::Pk { pk, prefix, lower, upper, except: None };
    let walk = Walk::new(context, partition, scope, limit).reversed(reverse);
    let answer = answer::raw_json(StatusCode::OK, walk.body(STYLE)?);
    Ok(read::with_lag(context, answer, [partition]))
}

struct Asked {
    prefix: String,
    lower: Bound<String>,
    upper: Bound<String>,
    limit: usize,
    reverse: bool,
}

impl Asked {
    fn of(request: &Request<Incoming>, pk: &str) -> Result<Self, Problem> {
        let mut asked = Self {
            prefix: String::new(),
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
            limit: PAGE_DEFAULT,
            reverse: false,
        };
        let mut next = None;
        for (name, value) in target::parameters(request.uri().query())? {
            match name {
                "prefix" => asked.prefix = value,
                "after" => asked.lower = Bound::Excluded(value),
                "before" => asked.upper = Bound::Excluded(value),
                "next" => next = Some(value),
                "limit" => asked.limit = limit(&value)?,
                "reverse" => asked.reverse = reverse(&value)?,
                other => {
                    return Err(Problem::syntax(format!(
                        "unknown parameter '{other}', allowed are {PARAMETERS}"
                    )));
                }
            }
        }
        if let Some(token) = next {
            let named = parse_next(&token).filter(|(named, _)| named == pk);
            let (_, sk) =
                named.ok_or_else(|| Problem::syntax("next is no token of a page of this pk"))?;
            let end = if asked.reverse { &mut asked.upper } else { &mut asked.lower };
            *end = Bound::Excluded(sk);
        }
        Ok(asked)
    }
}

/// How many records a page has at most.
pub fn limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Problem::limit(format!("limit is '{text}', allowed are 1 to {PAGE_MAX}")))
}

fn reverse(text: &str) -> Result<bool, Problem> {
    match text {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(Problem::syntax(format!("reverse is '{other}', allowed are true, false"))),
    }
}

/// What a page begins with.
pub const HEAD: &str = "{\"records\":[";
const STYLE: Style = Style { head: HEAD, row: write_row, tail: write_tail };

fn write_row(out: &mut Vec<u8>, partition: Partition, key: &RowKey<'_>, row: &Row<'_>) {
    write_record(out, partition, &key.pk, key.sk, row);
}

/// Writes a record of a page.
pub fn write_record(out: &mut Vec<u8>, partition: Partition, pk: &str, sk: &str, row: &Row<'_>) {
    let times = [("created_at", row.created_at), ("updated_at", row.updated_at)];
    put_string(out, "{\"pk\":", pk);
    put_string(out, ",\"sk\":", sk);
    out.extend_from_slice(b",\"data\":");
    out.extend_from_slice(row.data.as_bytes());
    put_string(out, ",\"etag\":", &etag(Token { partition, offset: row.written_by() }));
    for (name, time) in times {
        put_string(out, &format!(",\"{name}\":"), &Timestamp(time).to_string());
    }
    if row.expires_at != NEVER {
        put_string(out, ",\"expires_at\":", &Timestamp(row.expires_at).to_string());
    }
    out.push(b'}');
}

/// Ends a page.
pub fn write_tail(out: &mut Vec<u8>, next: Option<String>) {
    out.push(b']');
    if let Some(next) = next {
        put_string(out, ",\"next\":", &next);
    }
    out.push(b'}');
}
