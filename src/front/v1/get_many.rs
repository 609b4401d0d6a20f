//! `POST /v1/records:get`: many records by key, in request order. On the core that serves the
//! request; allocates nothing for a key alone.

use std::rc::Rc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use pumice_model::ids::Token;
use pumice_model::limits::BATCH_MAX;
use pumice_model::mutation::check_keys;
use pumice_model::wire::{GetKey, GetRequest};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::front::answer::{self, Answer};
use crate::front::context::Context;
use crate::front::keys::{Found, KeyStyle, Keys};
use crate::front::problem::Problem;
use crate::front::scatter::{self, Dialect, Got, Key};
use crate::front::wants::Wants;
use crate::front::{read, receive};
use crate::net::body::Incoming;

/// Answers the records of many keys.
pub async fn serve(context: &Rc<Context>, request: Request<Incoming>) -> Result<Answer, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::method("POST"));
    }
    if !receive::says_json(request.headers()) {
        return Err(Problem::media_type());
    }
    let (Parts { headers, .. }, body) = request.into_parts();
    let wants = Wants::of(context, &headers)?;
    let body = receive::body(context, Request::new(body)).await?;
    let asked = GetRequest::parse(&body).map_err(|fault| Problem::syntax(fault.to_string()))?;
    if asked.keys.len() > BATCH_MAX {
        let count = asked.keys.len();
        return Err(Problem::limit(format!("{count} keys, allowed are {BATCH_MAX}")));
    }
    let bytes = asked.keys.iter().map(|key| key.pk.len() + key.sk.len()).sum();
    let mut keys = Keys::with_room(context, asked.keys.len(), bytes);
    for GetKey { pk, sk } in &asked.keys {
        check_keys(pk, sk)?;
        keys.push(pk, sk);
    }
    let partitions = keys.partitions();
    if let Some(answer) = scatter::get(context, &wants, &headers, &keys, &MANY).await? {
        return Ok(answer);
    }
    let body = keys.body(STYLE)?;
    Ok(read::with_lag(context, answer::raw_json(StatusCode::OK, body), partitions))
}

const MANY: Dialect = Dialect {
    path: "/v1/records:get",
    head: "{\"keys\":[",
    style: STYLE,
    read: gathered,
    unavailable,
    answer: |body| answer::raw_json(StatusCode::OK, body),
};

#[derive(Deserialize)]
struct Gathered<'b> {
    #[serde(borrow)]
    records: Vec<&'b RawValue>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    found: bool,
}

/// The elements of an answer, which has one for each key.
fn gathered(body: &Bytes, keys: &[Key<'_>]) -> Option<Vec<Got>> {
    let all: Gathered<'_> = serde_json::from_slice(body).ok()?;
    let got = all.records.iter().map(|record| {
        let said: Said = serde_json::from_str(record.get()).ok()?;
        let element = body.slice_ref(record.get().as_bytes());
        Some(if said.found { Got::Found(element) } else { Got::Missing(element) })
    });
    let got: Option<Vec<Got>> = got.collect();
    got.filter(|got| got.len() == keys.len())
}

fn unavailable(out: &mut Vec<u8>, (pk, sk): Key<'_>) -> bool {
    answer::put_string(out, "{\"pk\":", pk);
    answer::put_string(out, ",\"sk\":", sk);
    out.extend_from_slice(b",\"unavailable\":true}");
    true
}

const STYLE: KeyStyle = KeyStyle { head: "{\"records\":[", each: write_one, tail: "]}" };

fn write_one(out: &mut Vec<u8>, pk: &str, sk: &str, found: Option<Found<'_>>) {
    answer::put_string(out, "{\"pk\":", pk);
    answer::put_string(out, ",\"sk\":", sk);
    match found {
        None => out.extend_from_slice(b",\"found\":false}"),
        Some(Found { partition, row }) => {
            out.extend_from_slice(b",\"found\":true,\"data\":");
            out.extend_from_slice(row.data.as_bytes());
            answer::put_etag(out, ",\"etag\":", Token { partition, offset: row.written_by() });
            out.push(b'}');
        }
    }
}
