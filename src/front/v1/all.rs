//! `GET /v1/records`: the records of all partitions, or of some, in order of (pk, sk), a page at a
//! time. On the core that serves the request; every holder is asked for its share at once, and a
//! page is whole or an error, never with less than there is.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use pumice_model::ids::Partition;
use pumice_model::limits::{PAGE_DEFAULT, PK_MAX};
use pumice_model::wire::{code, next_token, parse_next};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::list::{HEAD, limit, write_record, write_tail};
use crate::front::answer::{self, Answer};
use crate::front::context::Context;
use crate::front::elsewhere::{self, Outgoing, Tried};
use crate::front::merged::{self, PAGE_BYTES, Page, Pick};
use crate::front::problem::Problem;
use crate::front::scatter::{Place, plan};
use crate::front::wants::Wants;
use crate::front::{read, target};
use crate::mesh::routes::{Node, Routes};
use crate::net::body::Incoming;
use crate::rt;
use crate::stats::progress::Lag;

const PARAMETERS: &str = "limit, next, partitions, prefix";

/// Bytes of a holder's page: its records, and one that went over the limit.
const SHARE_MAX: usize = 2 * PAGE_BYTES;
/// Partitions that one request names at most: 6 KiB of a head that may have 16.
const NAMED_MAX: usize = 1_000;
/// Holders that are asked at a time: their pages are held together.
const AT_ONCE: usize = 8;

/// Lists that one core makes at a time: each may hold a few shares.
const LISTS: usize = 8;

/// Answers a page.
pub async fn serve(context: &Rc<Context>, request: Request<Incoming>) -> Result<Answer, Problem> {
    if request.method() != Method::GET {
        return Err(Problem::method("GET"));
    }
    let Asked { pick, partitions } = Asked::of(context, &request)?;
    let wants = Wants::of(context, request.headers())?;
    let _listing = Listing::begin(context, &wants)?;
    let gather = Gather { context, headers: request.headers(), wants: &wants, pick: &pick };
    let (page, lag) = gather.all(partitions).await?;
    let bytes: usize = page.rows.iter().map(|(_, element)| element.len() + 1).sum();
    let mut body = Vec::with_capacity(HEAD.len() + bytes + 128);
    body.extend_from_slice(HEAD.as_bytes());
    for (nth, (_, element)) in page.rows.iter().enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        body.extend_from_slice(element);
    }
    let last = page.rows.last().filter(|_| page.more);
    write_tail(&mut body, last.map(|((pk, sk), _)| next_token(pk, sk)));
    Ok(read::saying_lag(answer::raw_json(StatusCode::OK, body), lag))
}

/// A list that is being made.
struct Listing<'c>(Option<&'c Cell<usize>>);

impl<'c> Listing<'c> {
    /// A share that another node gathers is bounded there.
    fn begin(context: &'c Context, wants: &Wants) -> Result<Self, Problem> {
        if wants.is_forwarded {
            return Ok(Self(None));
        }
        let listing = &context.listing;
        if listing.get() == LISTS {
            return Err(Problem::unavailable(format!(
                "{LISTS} lists are being made on this core already: ask again"
            )));
        }
        listing.set(listing.get() + 1);
        Ok(Self(Some(listing)))
    }
}

impl Drop for Listing<'_> {
    fn drop(&mut self) {
        if let Some(listing) = self.0 {
            listing.set(listing.get() - 1);
        }
    }
}

struct Asked {
    pick: Pick,
    partitions: Vec<Partition>,
}

impl Asked {
    fn of(context: &Context, request: &Request<Incoming>) -> Result<Self, Problem> {
        let all = 0..context.cluster.partitions;
        let mut pick = Pick { prefix: String::new(), after: None, limit: PAGE_DEFAULT };
        let mut partitions: Option<Vec<Partition>> = None;
        for (name, value) in target::parameters(request.uri().query())? {
            match name {
                "prefix" if value.len() <= PK_MAX => pick.prefix = value,
                "prefix" => return Err(Problem::syntax("prefix is longer than any pk")),
                "limit" => pick.limit = limit(&value)?,
                "next" => {
                    let named = parse_next(&value);
                    let named =
                        named.ok_or_else(|| Problem::syntax("next is no token of a page"))?;
                    pick.after = Some(named);
                }
                "partitions" => {
                    let numbers = value.split(',').map(|one| one.parse().ok());
                    let numbers = numbers.map(|one| one.filter(|one| all.contains(one)));
                    let numbers: Option<Vec<u32>> = numbers.collect();
                    let mut numbers = numbers.ok_or_else(|| {
                        let most = all.end - 1;
                        Problem::syntax(format!("partitions must be numbers from 0 to {most}"))
                    })?;
                    numbers.sort_unstable();
                    numbers.dedup();
                    partitions = Some(numbers.into_iter().map(Partition).collect());
                }
                other => {
                    return Err(Problem::syntax(format!(
                        "unknown parameter '{other}', allowed are {PARAMETERS}"
                    )));
                }
            }
        }
        let partitions = partitions.unwrap_or_else(|| all.map(Partition).collect());
        Ok(Self { pick, partitions })
    }

    /// The same for some partitions, as another node is asked.
    fn uri(pick: &Pick, partitions: &[Partition]) -> Result<Uri, http::uri::InvalidUri> {
        let mut text = format!("/v1/records?limit={}&partitions=", pick.limit);
        for (nth, partition) in partitions.iter().enumerate() {
            text.push_str(if nth == 0 { "" } else { "," });
            text.push_str(&partition.0.to_string());
        }
        if let Some((pk, sk)) = &pick.after {
            text.push_str("&next=");
            text.push_str(&next_token(pk, sk));
        }
        if !pick.prefix.is_empty() {
            text.push_str("&prefix=");
            text.extend(percent_encoding::utf8_percent_encode(
                &pick.prefix,
                percent_encoding::NON_ALPHANUMERIC,
            ));
        }
        Uri::try_from(text)
    }
}

/// One request's way to every holder.
struct Gather<'g> {
    context: &'g Rc<Context>,
    headers: &'g HeaderMap,
    wants: &'g Wants,
    pick: &'g Pick,
}

impl Gather<'_> {
    /// Every partition's share, asked for wherever it is until it is there, and the oldest lag.
    async fn all(&self, partitions: Vec<Partition>) -> Result<(Page, Lag), Problem> {
        let Some(routes) = self.context.routes() else {
            self.wants.wait(self.context, &partitions).await?;
            let page = self.here(&partitions).await?;
            return Ok((page, self.lag(&partitions)));
        };
        let place = |one: &Partition| (*one, plan(self.context, &routes, self.wants, *one));
        let mut plans: BTreeMap<Partition, VecDeque<Place>> =
            partitions.iter().map(place).collect();
        let (mut page, mut worst, mut tried) = (Page::default(), Lag::None, Tried::default());
        while !plans.is_empty() {
            let mut groups: BTreeMap<Place, Vec<Partition>> = BTreeMap::new();
            for (partition, places) in &plans {
                let Some(place) = places.front() else { return Err(tried.problem(*partition)) };
                groups.entry(*place).or_default().push(*partition);
            }
            let chunks = |(place, partitions): (Place, Vec<Partition>)| {
                let chunks = partitions.chunks(NAMED_MAX).map(<[Partition]>::to_vec);
                chunks.map(|chunk| (place, chunk)).collect::<Vec<_>>()
            };
            let groups: Vec<_> = groups.into_iter().flat_map(chunks).collect();
            for asked in groups.chunks(AT_ONCE) {
                for ((place, partitions), share) in
                    asked.iter().zip(self.shares(&routes, asked, &plans).await)
                {
                    match share?.and_then(|share| self.read(share, &routes, *place)) {
                        Ok((share, lag)) => {
                            page = merged::merge(vec![page, share], self.pick.limit);
                            worst = worst.max(lag);
                            partitions.iter().for_each(|done| drop(plans.remove(done)));
                            rt::yield_now().await;
                        }
                        Err(failed) => {
                            tried.add(failed);
                            for partition in partitions {
                                plans.entry(*partition).and_modify(|places| {
                                    places.pop_front();
                                    if *place == Place::Here && !self.wants.is_forwarded {
                                        // Let go of a moment ago: whoever has it now is asked.
                                        let (context, wants) = (self.context, self.wants);
                                        let others =
                                            elsewhere::others(context, &routes, *partition, wants);
                                        places.extend(others.into_iter().map(Place::At));
                                    }
                                });
                            }
                        }
                    }
                }
            }
        }
        Ok((page, worst))
    }

    async fn shares(
        &self,
        routes: &Routes,
        asked: &[(Place, Vec<Partition>)],
        plans: &BTreeMap<Partition, VecDeque<Place>>,
    ) -> Vec<Result<Result<(Share, Lag), Tried>, Problem>> {
        let (now, tries) = (Instant::now(), plans.values().map(VecDeque::len).max().unwrap_or(1));
        let left = self.wants.deadline.saturating_duration_since(now);
        let until = now + left / tries.max(1) as u32;
        let shares = asked.iter().map(async |(place, partitions)| match place {
            Place::Here => self.waited(partitions).await,
            Place::At(node) => Ok(self.at(&routes.nodes[*node], partitions, until).await),
        });
        join_all(shares).await
    }

    async fn waited(
        &self,
        partitions: &[Partition],
    ) -> Result<Result<(Share, Lag), Tried>, Problem> {
        self.wants.wait(self.context, partitions).await?;
        match self.here(partitions).await {
            Ok(page) => Ok(Ok((Share::Read(page), self.lag(partitions)))),
            // Let go of a moment ago.
            Err(problem) if problem.code == code::MOVED => Ok(Err(Tried::here(&problem.message))),
            Err(problem) => Err(problem),
        }
    }

    async fn here(&self, partitions: &[Partition]) -> Result<Page, Problem> {
        merged::page(self.context, partitions, self.pick, write_record).await
    }

    fn lag(&self, partitions: &[Partition]) -> Lag {
        let lags = partitions.iter().map(|partition| self.context.lag(*partition));
        lags.max().unwrap_or(Lag::None)
    }

    async fn at(
        &self,
        node: &Node,
        partitions: &[Partition],
        until: Instant,
    ) -> Result<(Share, Lag), Tried> {
        let target = Asked::uri(self.pick, partitions).map_err(|why| Tried::failed(node, &why))?;
        let outgoing = Outgoing::new(self.context, Method::GET, target, self.headers);
        let outgoing = outgoing.without(&ACCEPT_ENCODING);
        let wants = self.wants.clone().until(until);
        let (headers, body) =
            elsewhere::whole(self.context, node, &outgoing, &wants, SHARE_MAX).await?;
        Ok((Share::Written(body), elsewhere::lag(&headers)))
    }

    /// Not where it came in: many may come at one moment, and reading one takes its time.
    fn read(
        &self,
        (share, lag): (Share, Lag),
        routes: &Routes,
        place: Place,
    ) -> Result<(Page, Lag), Tried> {
        let page = match share {
            Share::Read(page) => Some(page),
            Share::Written(body) => read_page(&body).filter(|page| self.pick.allows(page)),
        };
        let strange = || match place {
            Place::Here => Tried::default(),
            Place::At(node) => Tried::failed(&routes.nodes[node], &"its page does not read"),
        };
        Ok((page.ok_or_else(strange)?, lag))
    }
}

/// What one place gave.
enum Share {
    Read(Page),
    /// As another node wrote it.
    Written(Bytes),
}

#[derive(Deserialize)]
struct Written<'b> {
    #[serde(borrow)]
    records: Vec<&'b RawValue>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    pk: String,
    sk: String,
}

/// A page that another node has written; `None` when it is none, or its keys do not rise.
fn read_page(body: &Bytes) -> Option<Page> {
    let written: Written<'_> = serde_json::from_slice(body).ok()?;
    let rows = written.records.iter().map(|record| {
        let Named { pk, sk } = serde_json::from_str(record.get()).ok()?;
        // A slice would keep the whole body for as long as one of its rows is in the page.
        Some(((pk, sk), Bytes::copy_from_slice(record.get().as_bytes())))
    });
    let rows: Vec<_> = rows.collect::<Option<_>>()?;
    let rises = rows.is_sorted_by(|(one, _), (next, _)| one < next);
    let more = written.next.is_some();
    (rises && !(more && rows.is_empty())).then_some(Page { rows, more })
}
