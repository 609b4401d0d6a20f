//! Listings: rows in key order, a bounded number in each read transaction, written as JSON while
//! the client takes them. On the core that serves the request; a listing is not one snapshot, each
//! of its transactions sees the state of its own moment.

use std::ops::Bound;
use std::rc::Rc;

use bytes::Bytes;
use pumice_model::condition::{self, Condition};
use pumice_model::ids::Partition;
use pumice_model::key::RowKey;
use pumice_model::limits::{BYTES_PER_TRANSACTION, ROWS_PER_TRANSACTION};
use pumice_model::row::Row;
use pumice_model::time::Millis;
use pumice_model::wire;
use pumice_shards::{Fault, Range, Span};

use super::body::{Body, Cut};
use super::context::Context;
use super::problem::Problem;

/// Which rows a listing walks, in which order.
pub struct Walk {
    context: Rc<Context>,
    partition: Partition,
    scope: Scope,
    reverse: bool,
    filter: Option<Filter>,
    /// Rows given at most.
    limit: usize,
    given: usize,
    /// Where the last transaction stopped.
    at: Option<(String, String)>,
    /// The key of the last row given.
    last: Option<(String, String)>,
}

/// The rows that are looked at.
pub enum Scope {
    /// Those of one pk.
    Pk {
        /// The partition key.
        pk: String,
        /// What every sk begins with.
        prefix: String,
        /// The lowest sk.
        lower: Bound<String>,
        /// The highest sk.
        upper: Bound<String>,
        /// An sk that is passed over.
        except: Option<String>,
    },
    /// Those of a whole partition, behind a key.
    Partition {
        /// The (pk, sk) to begin behind.
        after: Option<(String, String)>,
    },
}

/// A condition that each row is judged by.
pub struct Filter {
    /// The condition.
    pub condition: Condition,
    /// Whether the listing ends at the first row that is judged false.
    pub stop: bool,
}

/// How a listing is written: what stands around its rows, and each row.
#[derive(Clone, Copy)]
pub struct Style {
    /// Before the first row.
    pub head: &'static str,
    /// One row.
    pub row: fn(&mut Vec<u8>, Partition, &RowKey<'_>, &Row<'_>),
    /// After the last row; with the `next` token when there are more rows.
    pub tail: fn(&mut Vec<u8>, Option<String>),
}

/// Whether a walk goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The transaction had its share.
    Rest,
    /// There are no more rows.
    End,
    /// The limit is reached, and there is at least one more row.
    Limit,
}

impl Walk {
    /// A walk that has not begun; `limit` 0 gives every row.
    pub fn new(context: &Rc<Context>, partition: Partition, scope: Scope, limit: usize) -> Self {
        let limit = if limit == 0 { usize::MAX } else { limit };
        let context = context.clone();
        Self {
            context,
            partition,
            scope,
            reverse: false,
            filter: None,
            limit,
            given: 0,
            at: None,
            last: None,
        }
    }

    /// The same walk from the highest key to the lowest.
    pub fn reversed(self, reverse: bool) -> Self {
        Self { reverse, ..self }
    }

    /// The same walk over the rows that a condition judges true.
    pub fn filtered(self, filter: Option<Filter>) -> Self {
        Self { filter, ..self }
    }

    /// The listing as a body: whole when one transaction sufficed, else made page by page.
    pub fn body(mut self, style: Style) -> Result<Body, Problem> {
        let mut out = style.head.as_bytes().to_vec();
        let mut step = self.step(&style, &mut out)?;
        if step != Step::Rest {
            (style.tail)(&mut out, self.token(step));
            return Ok(out.into());
        }
        let mut first = Some(Bytes::from(out));
        Ok(Body::pages(move || {
            if let Some(first) = first.take() {
                return Some(Ok(first));
            }
            if step != Step::Rest {
                return None;
            }
            let mut out = Vec::new();
            match self.step(&style, &mut out) {
                Ok(Step::Rest) => {}
                Ok(end) => {
                    step = end;
                    (style.tail)(&mut out, self.token(end));
                }
                Err(problem) => return Some(Err(Cut(problem.message.into_owned()))),
            }
            Some(Ok(out.into()))
        }))
    }

    fn token(&self, step: Step) -> Option<String> {
        let (pk, sk) = self.last.as_ref().filter(|_| step == Step::Limit)?;
        Some(wire::next_token(pk, sk))
    }

    /// One transaction.
    fn step(&mut self, style: &Style, out: &mut Vec<u8>) -> Result<Step, Problem> {
        let context = self.context.clone();
        let (at, scope) = (self.at.take(), std::mem::replace(&mut self.scope, Scope::NONE));
        let stepped = context.read(self.partition, |view, now| {
            let partition = self.partition;
            let span = scope.span(at.as_ref(), self.reverse);
            let rows = view.scan(&Range { partition, span, reverse: self.reverse })?;
            let mut bytes = 0;
            for (looked, item) in rows.enumerate() {
                let (key, row) = item?;
                if looked >= ROWS_PER_TRANSACTION || bytes >= BYTES_PER_TRANSACTION {
                    return Ok(Ok(Step::Rest));
                }
                bytes += row.data.len();
                match self.look(&scope, &key, &row, now) {
                    Ok(Look::Give) if self.given == self.limit => return Ok(Ok(Step::Limit)),
                    Ok(Look::Give) => {
                        if self.given > 0 {
                            out.push(b',');
                        }
                        (style.row)(out, partition, &key, &row);
                        self.given += 1;
                        self.last = Some((key.pk.clone(), key.sk.to_owned()));
                    }
                    Ok(Look::Pass) => {}
                    Ok(Look::Stop) => return Ok(Ok(Step::End)),
                    Err(fault) => return Ok(Err(fault)),
                }
                self.at = Some((key.pk, key.sk.to_owned()));
            }
            Ok::<_, Fault>(Ok(Step::End))
        })?;
        self.scope = scope;
        stepped.map_err(Problem::not_judged)
    }

    fn look(
        &self,
        scope: &Scope,
        key: &RowKey<'_>,
        row: &Row<'_>,
        now: Millis,
    ) -> Result<Look, condition::JudgeError> {
        let passed_over = matches!(scope, Scope::Pk { except: Some(sk), .. } if sk == key.sk);
        if passed_over || !row.visible(now) {
            return Ok(Look::Pass);
        }
        let Some(filter) = &self.filter else { return Ok(Look::Give) };
        let judged = filter.condition.judge(Some(&condition::Row {
            pk: &key.pk,
            sk: key.sk,
            data: Some(row.data),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }))?;
        Ok(match (judged, filter.stop) {
            (true, _) => Look::Give,
            (false, false) => Look::Pass,
            (false, true) => Look::Stop,
        })
    }
}

enum Look {
    Give,
    Pass,
    Stop,
}

impl Scope {
    const NONE: Self = Self::Partition { after: None };

    /// The rows of the scope that are still to be walked after `at`.
    fn span<'s>(&'s self, at: Option<&'s (String, String)>, reverse: bool) -> Span<'s> {
        match self {
            Self::Pk { pk, prefix, lower, upper, .. } => {
                let (mut lower, mut upper) = (as_str(lower), as_str(upper));
                if let Some((_, sk)) = at {
                    let end = if reverse { &mut upper } else { &mut lower };
                    *end = Bound::Excluded(sk);
                }
                Span::Pk { pk, prefix, lower, upper }
            }
            Self::Partition { after } => {
                let key = at.or(after.as_ref());
                let bound = key.map_or(Bound::Unbounded, |(pk, sk)| {
                    Bound::Excluded((pk.as_str(), sk.as_str()))
                });
                let (lower, upper) =
                    if reverse { (Bound::Unbounded, bound) } else { (bound, Bound::Unbounded) };
                Span::Partition { lower, upper }
            }
        }
    }
}

fn as_str(bound: &Bound<String>) -> Bound<&str> {
    bound.as_ref().map(String::as_str)
}
