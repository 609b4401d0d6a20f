//! Many rows of one view at once: their pages are brought towards the CPU side by side before LMDB
//! looks for each, since a lookup on its own waits for memory four or five times in a row. On the
//! reading thread; whatever this walk finds is a hint and never an answer.
//!
//! The walk reads LMDB's pages in place (`mdb.c`: `MDB_page`, `MDB_node`, `MDB_db`). Every number
//! read there is checked against the page and the map before it leads anywhere, so that a page of
//! another shape costs the hint and nothing else.

use heed::RoTxn;
use pumice_model::ids::{Generation, Partition};
use pumice_model::key::KeyBuf;
use pumice_model::row::Row;

use crate::fault::Fault;
use crate::reader::View;
use crate::tables::Tables;

/// Buffers for [`View::rows`], meant to be kept and used again.
#[derive(Debug, Default)]
pub struct Rows {
    key: KeyBuf,
    /// The keys, one behind the other.
    keys: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
    walks: Vec<Walk>,
}

/// Partitions whose generation is remembered while rows are looked up.
const REMEMBERED: usize = 64;
/// Below this many rows there is nothing to overlap.
const WORTH_IT: usize = 4;
/// Cache lines of a value that are asked for: 512 bytes.
const VALUE_LINES: usize = 8;
const LINE: usize = 64;

impl View<'_> {
    /// The stored rows of many keys, expired ones too, in the order of the keys; `each` is told the
    /// number of the key. The same as [`View::row`] for each, in less time.
    pub fn rows<'k>(
        &self,
        buffers: &mut Rows,
        wanted: impl Iterator<Item = (Partition, &'k str, &'k str)>,
        mut each: impl FnMut(usize, Result<Option<Row<'_>>, Fault>),
    ) -> Result<(), Fault> {
        let mut generations = [None; REMEMBERED];
        let Rows { key, keys, ends, walks } = buffers;
        keys.clear();
        ends.clear();
        for (partition, pk, sk) in wanted {
            let remembered = &mut generations[partition.0 as usize % REMEMBERED];
            let generation = match *remembered {
                Some((of, generation)) if of == partition => generation,
                _ => self.tables.record(&self.txn, partition)?.generation,
            };
            *remembered = Some::<(Partition, Generation)>((partition, generation));
            keys.extend_from_slice(key.row(partition, generation, pk, sk));
            ends.push(keys.len());
        }
        if ends.len() >= WORTH_IT {
            warm(self.tables, &self.txn, keys, ends, walks);
        }
        let mut start = 0;
        for (number, &end) in ends.iter().enumerate() {
            let bytes = self.tables.rows.get(&self.txn, &keys[start..end])?;
            let row = bytes.map(Row::decode).transpose();
            each(number, row.map_err(|fault| Fault::broken(fault.to_string())));
            start = end;
        }
        Ok(())
    }
}

/// How far the search for one key has come.
#[derive(Debug, Clone, Copy)]
struct Walk {
    key: (usize, usize),
    page: Page,
    depth: usize,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// The page's header is on its way.
    Header,
    /// The node in the middle of these is on its way.
    Between(usize, usize),
}

/// A page of the map, whole and inside it.
#[derive(Debug, Clone, Copy)]
struct Page(usize);

/// Pages from the root to a leaf, at most (`CURSOR_STACK`): a damaged file may lead in circles.
const DEPTH_MAX: usize = 32;
/// The size of the pages that are walked. Every system maps a file at a multiple of it, which is
/// how the map's beginning is found; LMDB makes larger ones where the system's are.
const PAGE_SIZE: usize = 4_096;
const PAGE_HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
/// `MDB_db`: its size, and where the root page's number stands in it.
const DB_SIZE: usize = 48;
const DB_ROOT: usize = 40;

/// The map of an environment.
struct Map {
    start: *const u8,
    pages: usize,
    page_size: usize,
}

fn warm(
    tables: &Tables,
    txn: &RoTxn<'_>,
    keys: &[u8],
    ends: &[usize],
    walks: &mut Vec<Walk>,
) -> Option<()> {
    let page_size = tables.page_size();
    let is_known = cfg!(all(target_endian = "little", target_pointer_width = "64"));
    if !is_known || page_size != PAGE_SIZE {
        return None;
    }
    let db = tables.main.get(txn, b"rows").ok()??;
    let root = db.get(DB_ROOT..DB_SIZE)?.try_into().ok().map(u64::from_le_bytes)?;
    let map = Map::around(db, page_size, tables.env.info().last_page_number + 1)?;
    let root = map.page(root)?;
    walks.clear();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    walks.extend(starts.zip(ends).map(|(start, &end)| Walk {
        key: (start, end),
        page: root,
        depth: 0,
        state: State::Header,
    }));
    // Each turn takes every walk one step, so that what one waits for comes while others go on.
    while !walks.is_empty() {
        walks.retain_mut(|walk| walk.step(&map, &keys[walk.key.0..walk.key.1]).is_some());
    }
    Some(())
}

impl Walk {
    /// One step; `None` at the end.
    fn step(&mut self, map: &Map, key: &[u8]) -> Option<()> {
        match self.state {
            State::Header => {
                let count = map.count(self.page)?;
                // The first key of a branch stands for "less than all others".
                let first = usize::from(map.flags(self.page) & BRANCH != 0);
                self.look_between(map, first, count)
            }
            State::Between(low, high) => {
                let middle = low.midpoint(high);
                let (node, found) = map.node(self.page, middle)?;
                match key.cmp(found) {
                    std::cmp::Ordering::Less => self.look_between(map, low, middle),
                    std::cmp::Ordering::Equal if map.flags(self.page) & LEAF != 0 => {
                        map.fetch_value(self.page, node, found.len());
                        None
                    }
                    _ => self.look_between(map, middle + 1, high),
                }
            }
        }
    }

    /// Goes on between the nodes from `low` to before `high`; when there are none, down to the
    /// child whose keys begin at or below ours.
    fn look_between(&mut self, map: &Map, low: usize, high: usize) -> Option<()> {
        if low < high {
            let at = map.pointer(self.page, low.midpoint(high))?;
            map.fetch(self.page, at);
            self.state = State::Between(low, high);
            return Some(());
        }
        if map.flags(self.page) & BRANCH == 0 {
            return None;
        }
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let child = map.child(self.page, low.checked_sub(1)?)?;
        map.fetch(child, 0);
        map.fetch(child, LINE);
        (self.page, self.state) = (child, State::Header);
        Some(())
    }
}

impl Map {
    /// The map that a value of the main table lies in: its page says which page it is, and LMDB
    /// does not say where the map begins unless it was told.
    #[expect(unsafe_code, reason = "the page around a value of LMDB is read where it lies")]
    fn around(value: &[u8], page_size: usize, pages: usize) -> Option<Self> {
        let into_page = value.as_ptr().addr() % page_size;
        // SAFETY: a value this small, read in a read transaction, lies in a page of the tree, whole
        // and in the map (only a write transaction has pages elsewhere, and no view is of one), and
        // the map begins at a multiple of the page's size.
        let (page, number) = unsafe {
            let page = value.as_ptr().sub(into_page);
            (page, page.cast::<u64>().read_unaligned())
        };
        let number = usize::try_from(u64::from_le(number)).ok().filter(|&n| n < pages)?;
        let start = page.wrapping_sub(number * page_size);
        let map = Self { start, pages, page_size };
        (map.flags(Page(number * page_size)) & LEAF != 0).then_some(map)
    }

    /// The page of a number, if it lies in the map.
    fn page(&self, number: u64) -> Option<Page> {
        let number = usize::try_from(number).ok()?;
        (number < self.pages).then(|| Page(number * self.page_size))
    }

    fn u16(&self, page: Page, at: usize) -> Option<u16> {
        let bytes = self.bytes(page, at, 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    #[expect(unsafe_code, reason = "LMDB's pages are read where they lie")]
    fn bytes(&self, page: Page, at: usize, length: usize) -> Option<&[u8]> {
        if at + length > self.page_size {
            return None;
        }
        // SAFETY: the page lies in the map (`page`), the bytes in the page. The map is never
        // written through, and the transaction keeps its pages from being used again.
        Some(unsafe { std::slice::from_raw_parts(self.start.add(page.0 + at), length) })
    }

    fn flags(&self, page: Page) -> u16 {
        self.u16(page, 10).unwrap_or(0)
    }

    /// Nodes of a branch or a leaf.
    fn count(&self, page: Page) -> Option<usize> {
        let lower = usize::from(self.u16(page, 12)?);
        let is_tree = self.flags(page) & (BRANCH | LEAF) != 0;
        (is_tree && lower <= self.page_size).then(|| lower.saturating_sub(PAGE_HEADER) / 2)
    }

    /// Where a node lies in its page.
    fn pointer(&self, page: Page, number: usize) -> Option<usize> {
        self.u16(page, PAGE_HEADER + 2 * number).map(usize::from)
    }

    /// Where a node lies, and its key.
    fn node(&self, page: Page, number: usize) -> Option<(usize, &[u8])> {
        let at = self.pointer(page, number)?;
        let length = usize::from(self.u16(page, at + 6)?);
        Some((at, self.bytes(page, at + NODE_HEADER, length)?))
    }

    fn child(&self, page: Page, number: usize) -> Option<Page> {
        let at = self.pointer(page, number)?;
        let [low, high, top] = [0, 2, 4].map(|part| self.u16(page, at + part));
        self.page(u64::from(low?) | u64::from(high?) << 16 | u64::from(top?) << 32)
    }

    fn fetch_value(&self, page: Page, node: usize, key: usize) {
        let value = node + NODE_HEADER + key;
        (0..VALUE_LINES).for_each(|line| self.fetch(page, value + line * LINE));
    }

    /// Asks for a cache line, and does not wait for it.
    #[expect(unsafe_code, reason = "there is no safe call for a hint to the CPU")]
    fn fetch(&self, page: Page, at: usize) {
        if at >= self.page_size {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint reads nothing, and the address lies in the map.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.start.add(page.0 + at).cast());
        }
    }
}
