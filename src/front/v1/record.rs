//! `GET|HEAD|PUT|DELETE /v1/records/{pk}/{sk}`: one record, with entity tags as HTTP has them.
//! On the core that serves the request; a read is one transaction and copies the value once.

use bytes::Bytes;
use http::header::{ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, Method, Request, StatusCode};
use pumice_model::ids::{Offset, Partition, Token};
use pumice_model::mutation::{Change, Expect, Mutation, check_keys};
use pumice_model::outcome::Outcome;
use pumice_model::time::{Millis, http_date};
use pumice_model::wire::{self, OutcomeKind, WriteBody};

use crate::front::answer::{self, Answer, header_value};
use crate::front::body::Body;
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing};
use crate::front::problem::Problem;
use crate::front::target::{self, Target};
use crate::front::wants::Wants;
use crate::front::write::{self, Draft, Wait, Written, append};
use crate::front::{read, receive};
use crate::net::body::Incoming;

const METHODS: &str = "GET, HEAD, PUT, DELETE";

/// The answer to a read of one record that waits for nothing; `None` when the request is not such.
pub fn at_once(context: &Context, request: &Request<Incoming>) -> Option<Result<Answer, Problem>> {
    let headers = request.headers();
    let simple = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.uri().query().is_none()
        && !headers.contains_key(wire::MIN_OFFSETS)
        && !headers.contains_key(wire::MAX_LAG_MS);
    let Ok(Target::Record(pk, sk)) = Target::of(request.uri().path()) else { return None };
    let partition = context.partition(&pk);
    let here = simple && context.answers(partition);
    here.then(|| get(context, headers, partition, &pk, &sk))
}

/// Answers any method on one record.
pub async fn serve(
    context: &Context,
    request: Request<Incoming>,
    pk: &str,
    sk: &str,
) -> Result<Answer, Problem> {
    match *request.method() {
        Method::GET | Method::HEAD => {
            if let Some((name, _)) = target::parameters(request.uri().query())?.first() {
                let message = format!("a read of one record has no parameter '{name}'");
                return Err(Problem::syntax(message));
            }
            check_keys(pk, sk)?;
            let partition = context.partition(pk);
            let wants = Wants::of(context, request.headers())?;
            let outgoing = || Outgoing::of(context, &request);
            match elsewhere::read(context, partition, &wants, outgoing).await? {
                Some(answer) => Ok(answer),
                None => get(context, request.headers(), partition, pk, sk),
            }
        }
        Method::PUT | Method::DELETE => change(context, request, pk, sk).await,
        _ => Err(Problem::method(METHODS)),
    }
}

fn get(
    context: &Context,
    headers: &HeaderMap,
    partition: Partition,
    pk: &str,
    sk: &str,
) -> Result<Answer, Problem> {
    check_keys(pk, sk)?;
    // That a record is not there is as old as one that is.
    let answer = look_up(context, headers, partition, pk, sk).unwrap_or_else(|fault| fault.on_v1());
    Ok(read::with_lag(context, answer, [partition]))
}

fn look_up(
    context: &Context,
    headers: &HeaderMap,
    partition: Partition,
    pk: &str,
    sk: &str,
) -> Result<Answer, Problem> {
    let found = context.read(partition, |view, now| {
        let row = view.row(partition, pk, sk)?.filter(|row| row.visible(now));
        Ok(row.map(|row| Found {
            etag: wire::etag(Token { partition, offset: row.written_by() }),
            updated_at: row.updated_at,
            data: Bytes::copy_from_slice(row.data.as_bytes()),
        }))
    })?;
    let matching = read::all_values(headers, IF_MATCH);
    let Some(found) = found else {
        let missing = Problem::no_record();
        return Err(if matching.is_some() { Problem::no_match() } else { missing });
    };
    if matching.is_some_and(|wanted| !names(&wanted, &found.etag)) {
        return Err(Problem::no_match());
    }
    let unchanged = match read::all_values(headers, IF_NONE_MATCH) {
        // Compared weakly, as RFC 9110 section 13.1.2 has it.
        Some(known) => names(&known.replace("W/", ""), &found.etag),
        // Only our own date, to the letter: it is the one a client can have from us.
        None => read::all_values(headers, IF_MODIFIED_SINCE)
            .is_some_and(|known| known == http_date(found.updated_at)),
    };
    Ok(found.answer(unchanged))
}

struct Found {
    etag: String,
    updated_at: Millis,
    data: Bytes,
}

impl Found {
    fn answer(self, unchanged: bool) -> Answer {
        let mut answer = if unchanged {
            answer::empty(StatusCode::NOT_MODIFIED)
        } else {
            answer::raw_json(StatusCode::OK, Body::Whole(self.data))
        };
        let headers = answer.headers_mut();
        headers.insert(ETAG, header_value(self.etag));
        headers.insert(LAST_MODIFIED, header_value(http_date(self.updated_at)));
        answer
    }
}

/// Whether a list of entity tags, or `*`, names this one. A weak tag never does: ours are strong.
fn names(list: &str, etag: &str) -> bool {
    list.trim() == "*" || list.split(',').any(|one| one.trim() == etag)
}

/// What the query and the headers of a change say.
struct Asked {
    condition: Option<String>,
    ttl_ms: Option<u64>,
    wait: Wait,
    expect: Expect,
}

async fn change(
    context: &Context,
    request: Request<Incoming>,
    pk: &str,
    sk: &str,
) -> Result<Answer, Problem> {
    check_keys(pk, sk)?;
    let put = request.method() == Method::PUT;
    let partition = context.partition(pk);
    let asked = Asked::of(&request, partition, put)?;
    let write_id = write::write_id(request.headers())?;
    let away = write::is_away(context, partition, asked.wait, request.headers())?;
    let away = away.then(|| Outgoing::of(context, &request));
    let mut body = Bytes::new();
    let change = if put {
        if !receive::says_json(request.headers()) {
            return Err(Problem::media_type());
        }
        body = receive::body(context, request).await?;
        let data =
            std::str::from_utf8(&body).map_err(|_| Problem::syntax("the body is not UTF-8"))?;
        Change::Put { data: data.to_owned(), ttl_ms: asked.ttl_ms }
    } else {
        Change::Delete
    };
    let Asked { condition, expect, wait, .. } = asked;
    let (pk, sk) = (pk.to_owned(), sk.to_owned());
    let mutation = Mutation { pk, sk, change, condition, expect };
    let draft = Draft::new(context, vec![mutation])?;
    if let Some(outgoing) = away
        && let Some(answer) = elsewhere::write(context, partition, &outgoing.with(body)).await?
    {
        return Ok(answer);
    }
    let written = append(context, vec![draft], write_id, wait).await?;
    answer_to_write(&written, wait, put)
}

impl Asked {
    fn of(request: &Request<Incoming>, partition: Partition, put: bool) -> Result<Self, Problem> {
        let expect = expect(request.headers(), partition)?;
        let mut asked = Self { condition: None, ttl_ms: None, wait: Wait::Applied, expect };
        for (name, value) in target::parameters(request.uri().query())? {
            match name {
                "if" => asked.condition = Some(value),
                "wait" => asked.wait = Wait::parse(&value)?,
                "ttl" if put => {
                    let ttl = value.parse();
                    let ttl =
                        ttl.map_err(|_| Problem::syntax("ttl must be milliseconds, 1 or more"))?;
                    asked.ttl_ms = Some(ttl);
                }
                other => {
                    let allowed = if put { "if, ttl, wait" } else { "if, wait" };
                    return Err(Problem::syntax(format!(
                        "unknown parameter '{other}', allowed are {allowed}"
                    )));
                }
            }
        }
        if asked.wait == Wait::Log && asked.expect != Expect::Any {
            return Err(Problem::syntax(
                "a precondition needs wait=applied: with wait=log its outcome is not told",
            ));
        }
        Ok(asked)
    }
}

fn expect(headers: &HeaderMap, partition: Partition) -> Result<Expect, Problem> {
    let matching = read::all_values(headers, IF_MATCH);
    let none_matching = read::all_values(headers, IF_NONE_MATCH);
    match (matching.as_deref().map(str::trim), none_matching.as_deref().map(str::trim)) {
        (None, None) => Ok(Expect::Any),
        (Some("*"), None) => Ok(Expect::Exists),
        (None, Some("*")) => Ok(Expect::Absent),
        (Some(tag), None) => {
            let token = wire::parse_etag(tag)
                .map_err(|fault| Problem::syntax(format!("if-match: {fault}")))?;
            // A tag of another partition is no version of this record: no offset is that large.
            let offset = if token.partition == partition { token.offset } else { Offset(u64::MAX) };
            Ok(Expect::Offset(offset))
        }
        (None, Some(_)) => Err(Problem::syntax("if-none-match on a write must be *")),
        (Some(_), Some(_)) => Err(Problem::syntax("if-match and if-none-match exclude each other")),
    }
}

/// The answer to a write of one entry.
pub fn answer_to_write(written: &[Written], wait: Wait, made: bool) -> Result<Answer, Problem> {
    // One draft went in, so one answer came out.
    let Some(&Written { token, outcome }) = written.first() else { return Err(Problem::unknown()) };
    let (status, outcome) = match (wait, outcome) {
        (Wait::Applied, None) => return Err(Problem::unknown()),
        (Wait::Log, _) => (StatusCode::OK, OutcomeKind::Logged),
        (Wait::Applied, Some(Outcome::Refused(refusal))) => {
            return Ok(write::with_offsets(Problem::refused(refusal, token).on_v1(), written));
        }
        (Wait::Applied, Some(Outcome::Applied { created })) if made && created => {
            (StatusCode::CREATED, OutcomeKind::Applied)
        }
        (Wait::Applied, Some(_)) => (StatusCode::OK, OutcomeKind::Applied),
    };
    let (partition, offset) = (token.partition.0, token.offset.0);
    let body = WriteBody { outcome, partition, offset, reason: None };
    let mut answer = answer::json(status, &body);
    if outcome == OutcomeKind::Applied {
        answer.headers_mut().insert(ETAG, header_value(wire::etag(token)));
    }
    Ok(write::with_offsets(answer, written))
}
