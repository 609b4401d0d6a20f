//! The rows of many partitions in key order, as far as they are here: a few keys of each at a
//! time, so that a page costs what it gives and little more. On the core that serves the request;
//! must let others have their turn, and holds no transaction between turns.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::mem;
use std::ops::Bound;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pumice_model::ids::Partition;
use pumice_model::limits::ROWS_PER_TRANSACTION;
use pumice_model::row::Row;
use pumice_shards::{Fault, Range, Span};

use super::context::Context;
use super::problem::Problem;
use crate::rt;

/// Keys that are read of one partition at a time.
const AHEAD: usize = 16;
/// What one page may keep its core from others.
const TURN: Duration = Duration::from_micros(500);
/// Bytes of elements in one page: a longer one ends early.
pub const PAGE_BYTES: usize = 8 << 20;

/// A pk and an sk.
pub type Key = (String, String);

/// Which rows, and how many.
#[derive(Clone, Debug)]
pub struct Pick {
    /// What every pk begins with.
    pub prefix: String,
    /// The key to begin behind.
    pub after: Option<Key>,
    /// Rows at most; at least 1.
    pub limit: usize,
}

impl Pick {
    /// Whether a page that somebody else has made can be of these rows.
    pub fn allows(&self, page: &Page) -> bool {
        let first = page.rows.first().map(|(key, _)| key);
        page.rows.len() <= self.limit && first.is_none_or(|key| self.after.as_ref() < Some(key))
    }
}

/// Rows in key order.
#[derive(Debug, Default)]
pub struct Page {
    /// Each with its element of the answer.
    pub rows: Vec<(Key, Bytes)>,
    /// Whether rows follow the last one.
    pub more: bool,
}

/// Writes the element of a row.
pub type WriteRow = fn(&mut Vec<u8>, Partition, &str, &str, &Row<'_>);

/// What is read ahead of one partition.
struct Cursor {
    partition: Partition,
    keys: VecDeque<Key>,
    /// Behind which key the next are read.
    after: Option<Key>,
    /// Whether there are no further ones.
    is_over: bool,
}

/// A page of what is here of `partitions`.
pub async fn page(
    context: &Context,
    partitions: &[Partition],
    pick: &Pick,
    write: WriteRow,
) -> Result<Page, Problem> {
    let mut cursors: Vec<Cursor> = partitions.iter().map(|one| Cursor::new(*one, pick)).collect();
    let (mut heads, mut began) = (BinaryHeap::with_capacity(cursors.len()), Instant::now());
    for (number, cursor) in cursors.iter_mut().enumerate() {
        let next = cursor.next(context, &pick.prefix, &mut began).await?;
        heads.extend(next.map(|key| Reverse((key, number))));
    }
    let (mut page, mut bytes) = (Page::default(), 0);
    while let Some(Reverse((key, number))) = heads.pop() {
        if page.rows.len() == pick.limit || bytes >= PAGE_BYTES {
            page.more = true;
            return Ok(page);
        }
        let cursor = &mut cursors[number];
        if let Some(element) = element(context, cursor.partition, &key, write)? {
            bytes += element.len();
            page.rows.push((key, element));
        }
        let next = cursor.next(context, &pick.prefix, &mut began).await?;
        heads.extend(next.map(|key| Reverse((key, number))));
    }
    Ok(page)
}

async fn rest(began: &mut Instant) {
    if began.elapsed() >= TURN {
        rt::yield_now().await;
        *began = Instant::now();
    }
}

/// A row's element; `None` when it is gone meanwhile.
fn element(
    context: &Context,
    partition: Partition,
    (pk, sk): &Key,
    write: WriteRow,
) -> Result<Option<Bytes>, Problem> {
    context.read(partition, |view, now| {
        let row = view.row(partition, pk, sk)?.filter(|row| row.visible(now));
        Ok(row.map(|row| {
            let mut out = Vec::new();
            write(&mut out, partition, pk, sk, &row);
            out.into()
        }))
    })
}

impl Cursor {
    fn new(partition: Partition, pick: &Pick) -> Self {
        Self { partition, keys: VecDeque::new(), after: pick.after.clone(), is_over: false }
    }

    /// The next key.
    async fn next(
        &mut self,
        context: &Context,
        prefix: &str,
        began: &mut Instant,
    ) -> Result<Option<Key>, Problem> {
        while self.keys.is_empty() && !self.is_over {
            self.fill(context, prefix)?;
            rest(began).await;
        }
        rest(began).await;
        Ok(self.keys.pop_front())
    }

    fn fill(&mut self, context: &Context, prefix: &str) -> Result<(), Problem> {
        let (partition, after) = (self.partition, mem::take(&mut self.after));
        let begin = Bound::Included((prefix, ""));
        let lower = match &after {
            Some((pk, sk)) if pk.as_str() >= prefix => Bound::Excluded((pk.as_str(), sk.as_str())),
            _ if prefix.is_empty() => Bound::Unbounded,
            _ => begin,
        };
        let (keys, last) = context.read(partition, |view, now| {
            let span = Span::Partition { lower, upper: Bound::Unbounded };
            let rows = view.scan(&Range { partition, span, reverse: false })?;
            let mut keys = VecDeque::with_capacity(AHEAD);
            // Rows that are over and not reaped yet can be many.
            for (before, item) in rows.enumerate() {
                let (key, row) = item?;
                if !key.pk.starts_with(prefix) {
                    return Ok((keys, None));
                }
                let key = (key.pk, key.sk.to_owned());
                if row.visible(now) {
                    keys.push_back(key.clone());
                }
                if keys.len() == AHEAD || before + 1 == ROWS_PER_TRANSACTION {
                    return Ok((keys, Some(key)));
                }
            }
            Ok::<_, Fault>((keys, None))
        })?;
        self.is_over = last.is_none();
        (self.keys, self.after) = (keys, last);
        Ok(())
    }
}

/// One page of many, as far as it is certain that no row is left out: what lies behind the last row
/// of a page that has more is for the next one.
pub fn merge(pages: Vec<Page>, limit: usize) -> Page {
    let with_more = pages.iter().filter(|page| page.more);
    let certain = with_more.filter_map(|page| page.rows.last().map(|(key, _)| key)).min().cloned();
    let more = pages.iter().any(|page| page.more);
    let mut rows: Vec<_> = pages.into_iter().flat_map(|page| page.rows).collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    let known = rows.len();
    let mut bytes = 0;
    let count = rows.iter().take(limit).take_while(|(key, element)| {
        let fits = bytes < PAGE_BYTES && certain.as_ref().is_none_or(|last| key <= last);
        bytes += element.len();
        fits
    });
    let count = count.count();
    rows.truncate(count);
    Page { more: more || count < known, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pks: &str, more: bool) -> Page {
        let row = |pk: char| ((pk.to_string(), String::new()), Bytes::from_static(b"{}"));
        Page { rows: pks.chars().map(row).collect(), more }
    }

    fn pks(page: &Page) -> (String, bool) {
        (page.rows.iter().map(|((pk, _), _)| pk.as_str()).collect(), page.more)
    }

    #[test]
    fn nothing_is_given_that_another_page_may_have_rows_before() {
        let merged = |pages, limit| pks(&merge(pages, limit));
        assert_eq!(
            merged(vec![page("adg", false), page("bcf", false)], 9),
            ("abcdfg".into(), false)
        );
        assert_eq!(merged(vec![page("adg", true), page("bcz", false)], 9), ("abcdg".into(), true));
        assert_eq!(merged(vec![page("adg", true), page("bc", true)], 9), ("abc".into(), true));
        assert_eq!(merged(vec![page("adg", true), page("bc", true)], 2), ("ab".into(), true));
        assert_eq!(merged(vec![page("ad", false), page("", false)], 2), ("ad".into(), false));
        assert_eq!(merged(vec![], 2), (String::new(), false));
    }

    #[test]
    fn large_rows_end_a_page() {
        let large = Bytes::from(vec![b'x'; PAGE_BYTES / 2]);
        let row = |pk: &str| ((pk.to_owned(), String::new()), large.clone());
        let full = Page { rows: ["a", "b", "c"].map(row).to_vec(), more: false };
        assert_eq!(pks(&merge(vec![full], 9)), ("ab".into(), true));
    }
}
