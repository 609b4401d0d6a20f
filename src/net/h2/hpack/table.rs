//! The tables that indices point into (RFC 7541, section 2.3): the static one of appendix A, and a
//! decoder's dynamic one (pure). In the steady state neither inserting nor evicting allocates.

use std::collections::VecDeque;

use super::Known;

/// Names and values of appendix A. Index 1 is the first.
pub const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// What an entry costs beyond its name and value (section 4.1).
const OVERHEAD: usize = 32;

/// The size of an entry (section 4.1).
pub const fn entry_size(name: usize, value: usize) -> usize {
    name + value + OVERHEAD
}

/// The lowest static index with this name.
pub fn static_name(name: &[u8]) -> Option<usize> {
    let mut slot = slot(name);
    while SLOTS[slot] != 0 {
        let index = usize::from(SLOTS[slot]);
        if STATIC[index - 1].0.as_bytes() == name {
            return Some(index);
        }
        slot = (slot + 1) % SLOTS.len();
    }
    None
}

static SLOTS: [u8; 256] = slots();

/// Static indices by a hash of the name, the next free slot where two collide.
const fn slots() -> [u8; 256] {
    let mut slots = [0; 256];
    let mut index = STATIC.len();
    // From the end, so that of entries with one name the lowest comes last and is kept.
    while index > 0 {
        let name = STATIC[index - 1].0.as_bytes();
        let mut slot = slot(name);
        while slots[slot] != 0 && !same(STATIC[slots[slot] as usize - 1].0.as_bytes(), name) {
            slot = (slot + 1) % slots.len();
        }
        slots[slot] = index as u8;
        index -= 1;
    }
    slots
}

const fn slot(name: &[u8]) -> usize {
    match name {
        [first, .., last] => (name.len() * 29 + *first as usize * 5 + *last as usize) % 256,
        _ => 0,
    }
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

/// A decoder's dynamic table (section 2.3.2): the newest entry has index 0 here.
///
/// The text of its entries stands end to end in one buffer, oldest first. Eviction only moves where
/// it begins; when the buffer has twice the table's size, what still lives moves to the front, so a
/// byte is moved once on average.
pub struct Dynamic {
    entries: VecDeque<Entry>,
    text: Vec<u8>,
    /// Bytes that ever stood before `text`.
    dropped: usize,
    /// Sizes of all entries together, as section 4.1 counts them.
    size: usize,
    /// What `size` may be.
    limit: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Bytes that ever stood before this entry's.
    start: usize,
    name: u32,
    value: u32,
    known: Known,
}

/// Where the name of a new entry comes from.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    /// From outside the dynamic table.
    Text(&'a [u8]),
    /// From the dynamic table's own entry.
    Entry(usize),
}

impl Dynamic {
    /// An empty table that may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Dynamic { entries: VecDeque::new(), text: Vec::new(), dropped: 0, size: 0, limit }
    }

    /// The entry with this index: the newest has 0.
    #[inline]
    pub fn get(&self, index: usize) -> Option<(Known, &[u8], &[u8])> {
        let entry = self.entries.get(index)?;
        let start = entry.start - self.dropped;
        let text = &self.text[start..start + entry.name as usize + entry.value as usize];
        let (name, value) = text.split_at(entry.name as usize);
        Some((entry.known, name, value))
    }

    /// Evicts what is above the new limit (section 4.3).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.evict(limit);
    }

    /// Inserts an entry and evicts for it (section 4.4); one above the limit empties the table.
    pub fn insert(&mut self, known: Known, name: Name<'_>, value: &[u8]) {
        let name_len = match name {
            Name::Text(text) => text.len(),
            Name::Entry(index) => self.entries[index].name as usize,
        };
        let size = entry_size(name_len, value.len());
        if size > self.limit {
            self.evict(0);
            return;
        }
        if self.text.len() + name_len + value.len() > 2 * self.limit {
            self.compact();
        }
        let start = self.dropped + self.text.len();
        match name {
            Name::Text(text) => self.text.extend_from_slice(text),
            // Before evicting: it may be this very entry that goes.
            Name::Entry(index) => {
                let from = self.entries[index].start - self.dropped;
                self.text.extend_from_within(from..from + name_len);
            }
        }
        self.text.extend_from_slice(value);
        self.evict(self.limit - size);
        self.size += size;
        let (name, value) = (name_len as u32, value.len() as u32);
        self.entries.push_front(Entry { start, name, value, known });
    }

    fn evict(&mut self, limit: usize) {
        while self.size > limit
            && let Some(oldest) = self.entries.pop_back()
        {
            self.size -= entry_size(oldest.name as usize, oldest.value as usize);
        }
    }

    fn compact(&mut self) {
        let end = self.dropped + self.text.len();
        let start = self.entries.back().map_or(end, |oldest| oldest.start);
        self.text.drain(..start - self.dropped);
        self.dropped = start;
    }

    /// Bytes, as section 4.1 counts them.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Entries.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}
