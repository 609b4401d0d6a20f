//! `POST /records/get|list`: records by key in request order, and rows of a pk or a partition in
//! key order. On the core that serves the request.

use std::borrow::Cow;
use std::ops::Bound;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pumice_model::condition::{Condition, DIALECT};
use pumice_model::ids::Partition;
use pumice_model::key::RowKey;
use pumice_model::mutation::check_keys;
use pumice_model::row::Row;
use pumice_model::wire::{Timestamp, parse_next};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{Fields, bad};
use super::write::records;
use crate::front::answer::{self, Answer};
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing};
use crate::front::keys::{Found, KeyStyle, Keys};
use crate::front::pages::{Filter, Scope, Style, Walk};
use crate::front::problem::Problem;
use crate::front::read as waiting;
use crate::front::scatter::{self, Dialect, Got, Key};
use crate::front::wants::Wants;

/// Answers a get; keys that are not there are left out, as FireScroll does.
pub async fn get(
    context: &Rc<Context>,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<Answer, Problem> {
    let records = records(body, "GetReq")?;
    let mut keys = Keys::with_room(context, records.len(), 0);
    for (index, record) in records.iter().enumerate() {
        let pk = record.text("pk")?.unwrap_or_default();
        let sk = record.text("sk")?.unwrap_or_default();
        check_keys(&pk, &sk).map_err(|fault| bad(format_args!("record {index}: {fault}")))?;
        keys.push(&pk, &sk);
    }
    let partitions = keys.partitions();
    let wants = Wants::of(context, headers)?;
    if let Some(answer) = scatter::get(context, &wants, headers, &keys, &MANY).await? {
        return Ok(answer);
    }
    let body = keys.body(STYLE)?;
    Ok(waiting::with_lag(context, answer::fire_json(StatusCode::OK, body), partitions))
}

/// Answers a list.
pub async fn list(
    context: &Rc<Context>,
    headers: &HeaderMap,
    body: &Bytes,
    outgoing: impl FnOnce() -> Outgoing,
) -> Result<Answer, Problem> {
    let fields = Fields::read(body)?;
    let limit = fields.integer("limit")?.unwrap_or(0);
    let limit = usize::try_from(limit).map_err(|_| {
        bad("Key: 'ListReq.Limit' Error:Field validation for 'Limit' failed on the 'gte' tag")
    })?;
    let reverse = fields.flag("reverse")?;
    let (partition, scope) = scope(context, &fields)?;
    let filter = filter(&fields)?;
    let wants = Wants::of(context, headers)?;
    if let Some(answer) = elsewhere::read(context, partition, &wants, outgoing).await? {
        return Ok(answer);
    }
    let walk = Walk::new(context, partition, scope, limit).reversed(reverse).filtered(filter);
    let whole_partition = fields.integer("partition")?.is_some();
    let tail = if whole_partition { tail_of_partition } else { tail_of_pk };
    let body = walk.body(Style { head: HEAD, row: listed, tail })?;
    Ok(waiting::with_lag(context, answer::fire_json(StatusCode::OK, body), [partition]))
}

fn scope(context: &Context, fields: &Fields<'_>) -> Result<(Partition, Scope), Problem> {
    if let Some(number) = fields.integer("partition")? {
        let count = context.cluster.partitions;
        let known = u32::try_from(number).ok().filter(|number| *number < count);
        let number = known.ok_or_else(|| {
            bad(format_args!("partition is {number}, allowed are 0 to {}", count - 1))
        })?;
        let after = fields.text("continuation")?.filter(|token| !token.is_empty());
        let after = after.map(|token| {
            parse_next(&token).ok_or_else(|| bad("continuation is no token of a list"))
        });
        return Ok((Partition(number), Scope::Partition { after: after.transpose()? }));
    }
    let pk = fields.text("pk")?.unwrap_or_default();
    check_keys(&pk, "").map_err(bad)?;
    let prefix = fields.text("sk_prefix")?;
    let after = fields.text("starts_after")?;
    let before = fields.text("ends_before")?;
    let mut lower = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut upper = before.map_or(Bound::Unbounded, Bound::Excluded);
    let compared = fields.inner("sk")?;
    if let Some(sk) = &compared {
        narrow(sk, &mut lower, &mut upper)?;
    }
    // FireScroll leaves out the sk that is the prefix itself; a comparison of sk says exactly
    // which ones are wanted.
    let prefix = prefix.unwrap_or_default();
    let except = compared.is_none().then(|| prefix.clone());
    let partition = context.partition(&pk);
    Ok((partition, Scope::Pk { pk, prefix, lower, upper, except }))
}

/// Takes `sk: {eq, gt, gte, lt, lte}` into the bounds; of two bounds the tighter one counts.
fn narrow(
    sk: &Fields<'_>,
    lower: &mut Bound<String>,
    upper: &mut Bound<String>,
) -> Result<(), Problem> {
    let known = ["eq", "gt", "gte", "lt", "lte"];
    if let Some(name) = sk.names().find(|name| !known.contains(&name.to_lowercase().as_str())) {
        return Err(bad(format_args!(
            "sk has no comparison '{name}', allowed are eq, gt, gte, lt, lte"
        )));
    }
    let eq = sk.text("eq")?;
    let lowers = [
        sk.text("gt")?.map(Bound::Excluded),
        sk.text("gte")?.map(Bound::Included),
        eq.clone().map(Bound::Included),
    ];
    let uppers = [
        sk.text("lt")?.map(Bound::Excluded),
        sk.text("lte")?.map(Bound::Included),
        eq.map(Bound::Included),
    ];
    for bound in lowers.into_iter().flatten() {
        if rank(&bound, 1) > rank(lower, 1) {
            *lower = bound;
        }
    }
    for bound in uppers.into_iter().flatten() {
        let unbounded = matches!(upper, Bound::Unbounded);
        if unbounded || rank(&bound, -1) < rank(upper, -1) {
            *upper = bound;
        }
    }
    Ok(())
}

/// Orders bounds by tightness: an excluded one lies just beyond the included one of its key.
fn rank(bound: &Bound<String>, beyond: i8) -> Option<(&str, i8)> {
    match bound {
        Bound::Unbounded => None,
        Bound::Included(key) => Some((key, 0)),
        Bound::Excluded(key) => Some((key, beyond)),
    }
}

fn filter(fields: &Fields<'_>) -> Result<Option<Filter>, Problem> {
    let stop = fields.flag("if_stop")?;
    let Some(text) = fields.text("if")? else { return Ok(None) };
    let condition = Condition::parse(DIALECT, &text).map_err(|fault| {
        Problem::syntax(format!("error compiling `if` statement `{text}`: {fault}"))
    })?;
    Ok(Some(Filter { condition, stop }))
}

const HEAD: &str = "{\"Records\":[";
const STYLE: KeyStyle = KeyStyle { head: HEAD, each: found, tail: "]}\n" };
const MANY: Dialect = Dialect {
    path: "/records/get",
    head: HEAD,
    style: STYLE,
    read: gathered,
    unavailable: |_, _| false,
    answer: |body| answer::fire_json(StatusCode::OK, body),
};

#[derive(Deserialize)]
struct Gathered<'b> {
    #[serde(borrow, rename = "Records")]
    records: Vec<&'b RawValue>,
}

#[derive(Deserialize)]
struct Named<'b> {
    #[serde(borrow, rename = "Pk")]
    pk: Cow<'b, str>,
    #[serde(borrow, rename = "Sk")]
    sk: Cow<'b, str>,
}

/// The records of an answer by their keys: those that are left out are missing.
fn gathered(body: &Bytes, keys: &[Key<'_>]) -> Option<Vec<Got>> {
    let all: Gathered<'_> = serde_json::from_slice(body).ok()?;
    let mut records = all.records.into_iter().peekable();
    let got = keys.iter().map(|(pk, sk)| {
        let Some(record) = records.peek() else { return Some(Got::Missing(Bytes::new())) };
        let named: Named<'_> = serde_json::from_str(record.get()).ok()?;
        if named.pk != *pk || named.sk != *sk {
            return Some(Got::Missing(Bytes::new()));
        }
        let record = records.next()?;
        Some(Got::Found(body.slice_ref(record.get().as_bytes())))
    });
    let got: Option<Vec<Got>> = got.collect();
    got.filter(|_| records.next().is_none())
}

fn found(out: &mut Vec<u8>, pk: &str, sk: &str, found: Option<Found<'_>>) {
    if let Some(Found { row, .. }) = found {
        write_record(out, pk, sk, &row);
    }
}

fn listed(out: &mut Vec<u8>, _: Partition, key: &RowKey<'_>, row: &Row<'_>) {
    write_record(out, &key.pk, key.sk, row);
}

fn write_record(out: &mut Vec<u8>, pk: &str, sk: &str, row: &Row<'_>) {
    answer::put_string(out, "{\"Pk\":", pk);
    answer::put_string(out, ",\"Sk\":", sk);
    out.extend_from_slice(b",\"Data\":");
    out.extend_from_slice(row.data.as_bytes());
    answer::put_string(out, ",\"CreatedAt\":", &Timestamp(row.created_at).trimmed());
    answer::put_string(out, ",\"UpdatedAt\":", &Timestamp(row.updated_at).trimmed());
    out.push(b'}');
}

/// FireScroll's list of a pk has no continuation: `starts_after` goes on behind the last sk.
fn tail_of_pk(out: &mut Vec<u8>, _: Option<String>) {
    out.extend_from_slice(b"]}\n");
}

fn tail_of_partition(out: &mut Vec<u8>, next: Option<String>) {
    out.push(b']');
    if let Some(next) = next {
        answer::put_string(out, ",\"Continuation\":", &next);
    }
    out.extend_from_slice(b"}\n");
}
