//! Reads of many keys: in request order, a bounded number in each read transaction, written as
//! JSON while the client takes them. On the core that serves the request; keys of one shard that
//! stand side by side share a transaction.

use std::rc::Rc;

use bytes::Bytes;
use pumice_model::ids::Partition;
use pumice_model::limits::{BYTES_PER_TRANSACTION, ROWS_PER_TRANSACTION};
use pumice_model::row::Row;

use super::body::{Body, Cut};
use super::context::Context;
use super::problem::Problem;

/// Keys to read and how far that has come.
pub struct Keys {
    context: Rc<Context>,
    keys: Vec<(String, String)>,
    next: usize,
    written: bool,
}

/// A row that a reader sees.
pub struct Found<'r> {
    /// Its partition.
    pub partition: Partition,
    /// The row.
    pub row: Row<'r>,
}

/// How the answer is written.
#[derive(Clone, Copy)]
pub struct KeyStyle {
    /// Before the first element.
    pub head: &'static str,
    /// One key with its row or none; tells whether it wrote an element.
    pub each: fn(&mut Vec<u8>, &str, &str, Option<Found<'_>>) -> bool,
    /// After the last element.
    pub tail: &'static str,
}

impl Keys {
    /// Keys in request order.
    pub fn new(context: &Rc<Context>, keys: Vec<(String, String)>) -> Self {
        let context = context.clone();
        Self { context, keys, next: 0, written: false }
    }

    /// No key yet, and room for so many with so many bytes.
    pub fn with_room(context: &Rc<Context>, keys: usize, _bytes: usize) -> Self {
        Self::new(context, Vec::with_capacity(keys))
    }

    /// Adds a key of a length that a request can have.
    pub fn push(&mut self, pk: &str, sk: &str) {
        self.keys.push((pk.to_owned(), sk.to_owned()));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// One of them: its partition, pk and sk.
    pub fn key(&self, number: usize) -> (Partition, &str, &str) {
        let (pk, sk) = &self.keys[number];
        (self.context.partition(pk), pk, sk)
    }

    /// The answer as a body: whole when it is short, else made page by page.
    pub fn body(mut self, style: KeyStyle) -> Result<Body, Problem> {
        let mut out = style.head.as_bytes().to_vec();
        self.page(&style, &mut out)?;
        if self.next == self.keys.len() {
            out.extend_from_slice(style.tail.as_bytes());
            return Ok(out.into());
        }
        let mut first = Some(Bytes::from(out));
        let mut done = false;
        Ok(Body::pages(move || {
            if let Some(first) = first.take() {
                return Some(Ok(first));
            }
            if done {
                return None;
            }
            let mut out = Vec::new();
            if let Err(problem) = self.page(&style, &mut out) {
                return Some(Err(Cut(problem.message.into_owned())));
            }
            if self.next == self.keys.len() {
                done = true;
                out.extend_from_slice(style.tail.as_bytes());
            }
            Some(Ok(out.into()))
        }))
    }

    /// Reads keys until the page has its share.
    fn page(&mut self, style: &KeyStyle, out: &mut Vec<u8>) -> Result<(), Problem> {
        let context = self.context.clone();
        let (first, begin) = (self.next, out.len());
        while self.next < self.keys.len() {
            let partition = context.partition(&self.keys[self.next].0);
            let shard = context.shard(partition);
            let full = context.read(partition, |view, now| {
                while let Some((pk, sk)) = self.keys.get(self.next) {
                    let many = self.next - first >= ROWS_PER_TRANSACTION;
                    if many || out.len() - begin >= BYTES_PER_TRANSACTION {
                        return Ok(true);
                    }
                    let partition = context.partition(pk);
                    if context.shard(partition) != shard {
                        return Ok(false);
                    }
                    let row = view.row(partition, pk, sk)?.filter(|row| row.visible(now));
                    let before = out.len();
                    if self.written {
                        out.push(b',');
                    }
                    let wrote = (style.each)(out, pk, sk, row.map(|row| Found { partition, row }));
                    if wrote {
                        self.written = true;
                    } else {
                        out.truncate(before);
                    }
                    self.next += 1;
                }
                Ok(false)
            })?;
            if full {
                break;
            }
        }
        // Where a partition was let go of meanwhile, nothing says that its keys are missing.
        let read = self.keys[first..self.next].iter();
        let mut partitions = read.map(|(pk, _)| context.partition(pk));
        partitions.try_for_each(|partition| context.has_state(partition))
    }
}
