//! The pages of one of LMDB's trees, read where they lie in the map (`mdb.c`: `MDB_page`,
//! `MDB_node`, `MDB_db`). On the reading thread; must follow no number of a page before it was
//! compared with the page's size and the map's end, and must never meet a write transaction.

use std::marker::PhantomData;

use heed::RoTxn;

use crate::tables::Tables;

/// The size of the pages that are read here. Every system maps a file at a multiple of it, which is
/// how the map's beginning is found; LMDB makes larger ones where the system's are.
pub(crate) const PAGE_SIZE: usize = 4_096;
const PAGE_FLAGS: usize = 10;
const PAGE_LOWER: usize = 12;
const PAGE_HEADER: usize = 16;
const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;

/// A node: two halves of its value's size, flags, its key's size, the key, the value. In a branch
/// the first three are a page's number, lowest part first.
const NODE_HIGH: usize = 2;
const NODE_FLAGS: usize = 4;
const NODE_KEY_SIZE: usize = 6;
const NODE_HEADER: usize = 8;

/// `MDB_db`: its size, and where the root page's number stands in it.
const DB_SIZE: usize = 48;
const DB_ROOT: usize = 40;

/// The key of the rows' `MDB_db` in the main tree.
pub(crate) const ROWS: &[u8] = b"rows";

/// The bytes that keys are compared by at a time.
pub(crate) const WORD: usize = 8;

const LINE: usize = 64;
/// Cache lines of a value that are asked for: 512 bytes.
const VALUE_LINES: usize = 8;

/// Where the tree of the rows stands, in one state of one environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    map: *const u8,
    pages: usize,
    root: u64,
}

/// The tree, for as long as a transaction of that state.
pub(crate) struct Tree<'t> {
    place: Place,
    txn: PhantomData<&'t RoTxn<'t>>,
}

/// A page of the map, whole and inside it.
#[derive(Clone, Copy)]
pub(crate) struct Page<'t>(&'t [u8; PAGE_SIZE]);

impl Place {
    /// `None` where pages are of another shape, or before there is a row.
    pub fn of_rows(tables: &Tables, txn: &RoTxn<'_>) -> Option<Self> {
        let is_known = cfg!(all(target_endian = "little", target_pointer_width = "64"));
        if !is_known || tables.page_size() != PAGE_SIZE {
            return None;
        }
        let db = tables.main.get(txn, ROWS).ok()??;
        let root = db.get(DB_ROOT..DB_SIZE)?.try_into().ok().map(u64::from_le_bytes)?;
        // Of the newest state, which has no fewer pages than ours.
        let pages = tables.env.info().last_page_number + 1;
        let place = Self { map: map_around(db, pages)?, pages, root };
        (root < pages as u64).then_some(place)
    }

    /// The tree, to be read within `txn`.
    ///
    /// # Safety
    /// `txn` must be of the environment and of the state that the place was found in.
    #[expect(unsafe_code, reason = "a place does not know which transaction it is used with")]
    pub unsafe fn within<'t>(self, _txn: &'t RoTxn<'_>) -> Tree<'t> {
        Tree { place: self, txn: PhantomData }
    }
}

/// Where the map begins that a value of the main table lies in: its page says which page it is, and
/// LMDB does not say where the map begins unless it was told.
#[expect(unsafe_code, reason = "the page around a value of LMDB is read where it lies")]
fn map_around(value: &[u8], pages: usize) -> Option<*const u8> {
    let into_page = value.as_ptr().addr() % PAGE_SIZE;
    // SAFETY: a value this small, read in a read transaction, lies in a page of the tree, whole
    // and in the map (only a write transaction has pages elsewhere, and no view is of one), and
    // the map begins at a multiple of the page's size.
    let page = unsafe { Page(&*value.as_ptr().sub(into_page).cast()) };
    let number = page.0.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))?;
    let number = usize::try_from(number).ok().filter(|&number| number < pages)?;
    page.is_leaf().then(|| page.0.as_ptr().wrapping_sub(number * PAGE_SIZE))
}

impl<'t> Tree<'t> {
    /// The same tree in a copy of the map.
    #[cfg(test)]
    pub fn copied(place: Place, map: &'t [[u8; PAGE_SIZE]]) -> Self {
        let place = Place { map: map.as_ptr().cast(), pages: map.len(), ..place };
        Tree { place, txn: PhantomData }
    }

    pub fn root(&self) -> Page<'t> {
        self.page(self.place.root).unwrap_or(Page::NONE)
    }

    #[inline]
    #[expect(unsafe_code, reason = "LMDB's pages are read where they lie")]
    fn page(&self, number: u64) -> Option<Page<'t>> {
        let number = usize::try_from(number).ok().filter(|&number| number < self.place.pages)?;
        // SAFETY: the page lies in the map, which stays where it is while the environment is open,
        // and the transaction holds that open. The map is never written through; LMDB writes no
        // page to the file that a transaction of this state can reach.
        Some(Page(unsafe { &*self.place.map.add(number * PAGE_SIZE).cast() }))
    }

    /// The page below a node of a branch, on its way.
    #[inline]
    pub fn child(&self, branch: Page<'t>, number: u32) -> Option<Page<'t>> {
        let node = branch.node(number)?;
        let [low, high, top] = [0, NODE_HIGH, NODE_FLAGS].map(|part| branch.u16(node + part));
        let child = u64::from(low?) | u64::from(high?) << 16 | u64::from(top?) << 32;
        let child = self.page(child)?;
        child.fetch(0);
        child.fetch(LINE);
        Some(child)
    }
}

impl<'t> Page<'t> {
    /// A page that is neither branch nor leaf, without nodes.
    pub const NONE: Self = Page(&[0; PAGE_SIZE]);

    #[inline]
    fn bytes<const N: usize>(self, at: usize) -> Option<&'t [u8; N]> {
        self.0.get(at..at + N)?.first_chunk()
    }

    #[inline]
    fn u16(self, at: usize) -> Option<u16> {
        self.bytes(at).map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn has(self, flag: u16) -> bool {
        self.u16(PAGE_FLAGS).is_some_and(|flags| flags & flag != 0)
    }

    pub fn is_branch(self) -> bool {
        self.has(BRANCH)
    }

    pub fn is_leaf(self) -> bool {
        self.has(LEAF)
    }

    /// How many nodes it has; of a page of another kind whatever stands there.
    pub fn count(self) -> u32 {
        let lower = self.u16(PAGE_LOWER).map_or(0, u32::from);
        lower.saturating_sub(PAGE_HEADER as u32) / 2
    }

    /// Where a node lies.
    #[inline]
    fn node(self, number: u32) -> Option<usize> {
        self.u16(PAGE_HEADER + 2 * number as usize).map(usize::from)
    }

    pub fn key(self, number: u32) -> Option<&'t [u8]> {
        let node = self.node(number)?;
        let size = usize::from(self.u16(node + NODE_KEY_SIZE)?);
        self.0.get(node + NODE_HEADER..node + NODE_HEADER + size)
    }

    /// The word of a node's key at `at`, if it has as many bytes.
    #[inline]
    pub fn key_word(self, number: u32, at: u32) -> Option<u64> {
        let (node, at) = (self.node(number)?, at as usize);
        let word = self.bytes(node + NODE_HEADER + at)?;
        let size = usize::from(self.u16(node + NODE_KEY_SIZE)?);
        (at + WORD <= size).then(|| u64::from_be_bytes(*word))
    }

    /// The value of a leaf's node, on its way; `None` when it lies on pages of its own.
    pub fn value(self, number: u32) -> Option<&'t [u8]> {
        let node = self.node(number)?;
        let [low, high, flags, key] =
            [0, NODE_HIGH, NODE_FLAGS, NODE_KEY_SIZE].map(|at| self.u16(node + at));
        let start = node + NODE_HEADER + usize::from(key?);
        let end = start + (usize::from(low?) | usize::from(high?) << 16);
        let value = self.0.get(start..end)?;
        (start..end).step_by(LINE).take(VALUE_LINES).for_each(|at| self.fetch(at));
        self.fetch(end - 1);
        (flags? == 0).then_some(value)
    }

    /// Asks for a node, as far as a key of `key` bytes goes: it may lie in two lines.
    #[inline]
    pub fn fetch_node(self, number: u32, key: usize) {
        if let Some(node) = self.node(number) {
            self.fetch(node);
            self.fetch(node + NODE_HEADER + key - 1);
        }
    }

    /// Asks for a cache line, and does not wait for it.
    #[inline]
    #[expect(unsafe_code, reason = "there is no safe call for a hint to the CPU")]
    fn fetch(self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: a hint reads nothing, wherever it points.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.0.as_ptr().wrapping_add(at).cast());
        }
    }
}
