//! Reads of many keys: a page of them at a time, one read transaction a shard, answered in request
//! order while the client takes the pages. On the core that serves the request; holds no
//! transaction between two pages.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use pumice_model::ids::Partition;
use pumice_model::limits::{BYTES_PER_TRANSACTION, ROWS_PER_TRANSACTION};
use pumice_model::row::Row;
use pumice_model::time::Millis;
use pumice_shards::{Fault, Rows, View};

use super::body::{Body, Cut};
use super::context::Context;
use super::problem::Problem;

/// Rows of a transaction that are fetched side by side before the page's size is looked at: enough
/// to overlap the waiting for memory, few enough that long values cannot hold the core for long.
const ROWS_AT_ONCE: usize = 32;

/// Keys to read and how far that has come.
pub struct Keys {
    context: Rc<Context>,
    /// The keys' text, one behind the other.
    text: String,
    keys: Vec<Key>,
    /// The first key that is not answered.
    next: usize,
    /// Keys that the next page takes at most.
    share: usize,
    written: bool,
}

/// Where a key lies in the text, and where its record is.
#[derive(Clone, Copy)]
struct Key {
    shard: usize,
    partition: Partition,
    pk: u32,
    sk: u32,
    end: u32,
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
    /// One key with its row or none; writes nothing where it has no element.
    pub each: fn(&mut Vec<u8>, &str, &str, Option<Found<'_>>),
    /// After the last element.
    pub tail: &'static str,
}

/// The keys of a page, and how they are answered.
struct Page<'p> {
    keys: &'p [Key],
    text: &'p str,
    style: &'p KeyStyle,
}

/// What a page is read with. One a thread, kept and used again.
#[derive(Default)]
struct Desk {
    /// By shard.
    rows: Vec<Rows>,
    /// Which keys of the page are in the shard that is read.
    of_shard: Vec<usize>,
    /// The elements in the order in which they were read.
    elements: Vec<u8>,
    /// Where the element of each key of the page lies; `None` for a key that was not read.
    places: Vec<Option<Range<usize>>>,
}

thread_local! {
    static DESK: RefCell<Desk> = RefCell::default();
}

impl Keys {
    /// No key yet, and room for so many with so many bytes.
    pub fn with_room(context: &Rc<Context>, keys: usize, bytes: usize) -> Self {
        Self {
            context: context.clone(),
            text: String::with_capacity(bytes),
            keys: Vec::with_capacity(keys),
            next: 0,
            share: ROWS_PER_TRANSACTION,
            written: false,
        }
    }

    /// Adds a key of a length that a request can have.
    pub fn push(&mut self, pk: &str, sk: &str) {
        let partition = self.context.partition(pk);
        let shard = self.context.shard(partition);
        let start = self.text.len();
        self.text.push_str(pk);
        self.text.push_str(sk);
        let at = |at: usize| u32::try_from(at).expect("keys are shorter than the body they are of");
        let (pk, sk, end) = (at(start), at(start + pk.len()), at(self.text.len()));
        self.keys.push(Key { shard, partition, pk, sk, end });
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// One of them: its partition, pk and sk.
    pub fn key(&self, number: usize) -> (Partition, &str, &str) {
        wanted(&self.keys, &self.text, number)
    }

    /// Every partition that some key is in, once; none where no partition can be late.
    pub fn partitions(&self) -> Vec<Partition> {
        if self.context.progress.is_none() {
            return Vec::new();
        }
        let mut partitions: Vec<_> = self.keys.iter().map(|key| key.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    }

    /// The answer as a body: whole when it is short, else made page by page.
    pub fn body(mut self, style: KeyStyle) -> Result<Body, Problem> {
        let first = self.page(&style, style.head)?;
        if self.next == self.keys.len() {
            return Ok(first.into());
        }
        let mut first = Some(first);
        Ok(Body::pages(move || {
            if let Some(first) = first.take() {
                return Some(Ok(first.into()));
            }
            if self.next == self.keys.len() {
                return None;
            }
            let page = self.page(&style, "").map(Bytes::from);
            Some(page.map_err(|problem| Cut(problem.message.into_owned())))
        }))
    }

    /// The next page, behind `head`; the last one has the tail.
    fn page(&mut self, style: &KeyStyle, head: &str) -> Result<Vec<u8>, Problem> {
        let end = self.keys.len().min(self.next + self.share);
        DESK.with_borrow_mut(|desk| {
            let page = Page { keys: &self.keys[self.next..end], text: &self.text, style };
            desk.read(&self.context, &page)?;
            let elements = desk.elements.len().min(BYTES_PER_TRANSACTION);
            let commas = page.keys.len();
            let mut out = Vec::with_capacity(head.len() + elements + commas + style.tail.len());
            out.extend_from_slice(head.as_bytes());
            for place in desk.places.iter().map_while(Option::as_ref) {
                // What was read beyond is read again: few rows of many bytes, and only once, since
                // the next page asks for fewer.
                if out.len() >= BYTES_PER_TRANSACTION {
                    break;
                }
                self.next += 1;
                if place.is_empty() {
                    continue;
                }
                if self.written {
                    out.push(b',');
                }
                out.extend_from_slice(&desk.elements[place.clone()]);
                self.written = true;
            }
            if self.next == self.keys.len() {
                out.extend_from_slice(style.tail.as_bytes());
            }
            self.share = desk.clear();
            Ok(out)
        })
    }
}

fn wanted<'t>(keys: &[Key], text: &'t str, number: usize) -> (Partition, &'t str, &'t str) {
    let Key { partition, pk, sk, end, .. } = keys[number];
    let [pk, sk, end] = [pk, sk, end].map(|at| at as usize);
    (partition, &text[pk..sk], &text[sk..end])
}

impl<'p> Page<'p> {
    /// The key of a number, as a shard is asked for it.
    fn wanted(&self, number: usize) -> (Partition, &'p str, &'p str) {
        wanted(self.keys, self.text, number)
    }

    fn write(&self, out: &mut Vec<u8>, number: usize, row: Option<Row<'_>>) {
        let (partition, pk, sk) = self.wanted(number);
        (self.style.each)(out, pk, sk, row.map(|row| Found { partition, row }));
    }
}

impl Desk {
    /// Reads keys until the page has its bytes: the first key in any case.
    fn read(&mut self, context: &Context, page: &Page<'_>) -> Result<(), Problem> {
        let keys = page.keys;
        keys.iter().try_for_each(|key| context.has_state(key.partition))?;
        self.elements.clear();
        self.places.clear();
        self.places.resize(keys.len(), None);
        let shards = context.readers.len().max(self.rows.len());
        self.rows.resize_with(shards, Rows::default);
        for first in 0..keys.len() {
            if self.places[first].is_some() {
                continue;
            }
            let shard = keys[first].shard;
            self.of_shard.clear();
            self.of_shard.extend((first..keys.len()).filter(|&number| keys[number].shard == shard));
            let whole = context
                .read_shard(shard, |view, now| self.read_shard(shard, view, now, page))??;
            if !whole {
                break;
            }
        }
        // Where a partition was let go of meanwhile, nothing says that its keys are missing.
        keys.iter().try_for_each(|key| context.has_state(key.partition))
    }

    /// Reads the keys of one shard; false when the page is full before it has all of them.
    fn read_shard(
        &mut self,
        shard: usize,
        view: &View<'_>,
        now: Millis,
        page: &Page<'_>,
    ) -> Result<bool, Fault> {
        let Self { rows, of_shard, elements, places } = self;
        for numbers in of_shard.chunks(ROWS_AT_ONCE) {
            if elements.len() >= BYTES_PER_TRANSACTION {
                return Ok(false);
            }
            let wanted = numbers.iter().map(|&number| page.wanted(number));
            let mut fault = None;
            view.rows(&mut rows[shard], wanted, |nth, row| match row {
                Ok(row) => {
                    let (number, start) = (numbers[nth], elements.len());
                    page.write(elements, number, row.filter(|row| row.visible(now)));
                    places[number] = Some(start..elements.len());
                }
                Err(broken) => fault = Some(broken),
            })?;
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        Ok(true)
    }

    /// Gives back what long values have taken, and tells how many keys make a page of such values.
    fn clear(&mut self) -> usize {
        let read = self.places.iter().flatten().count();
        let share = BYTES_PER_TRANSACTION * read / self.elements.len().max(1);
        if self.elements.capacity() > 2 * BYTES_PER_TRANSACTION {
            self.elements = Vec::new();
        }
        share.clamp(1, ROWS_PER_TRANSACTION)
    }
}
