//! What an encoder must know of its peer's dynamic table (RFC 7541, section 2.3.2): how large each
//! entry is, and so which of them are still there and at which index (pure).

use std::collections::VecDeque;

use super::table::STATIC;

/// The how-manyth entry of the table, counted from its beginning.
pub type Insertion = u64;

/// The peer's dynamic table without its text.
pub struct Shadow {
    /// Of its entries, oldest first.
    sizes: VecDeque<u32>,
    size: usize,
    limit: usize,
    inserted: u64,
}

impl Shadow {
    /// An empty table that may have `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Shadow { sizes: VecDeque::new(), size: 0, limit, inserted: 0 }
    }

    /// Where the entry stands now, unless it was evicted (RFC 7541, section 2.3.3).
    #[inline]
    pub fn index(&self, insertion: Insertion) -> Option<usize> {
        let younger = (self.inserted - insertion) as usize;
        (younger < self.sizes.len()).then_some(STATIC.len() + 1 + younger)
    }

    /// Inserts an entry unless it is above the limit, where it would only empty the table.
    pub fn insert(&mut self, size: usize) -> Option<Insertion> {
        if size > self.limit {
            return None;
        }
        self.evict(self.limit - size);
        self.size += size;
        self.sizes.push_back(size as u32);
        self.inserted += 1;
        Some(self.inserted)
    }

    /// Bytes the table may have.
    #[inline]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Evicts what is above the new limit (section 4.3).
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.evict(limit);
    }

    fn evict(&mut self, limit: usize) {
        while self.size > limit
            && let Some(oldest) = self.sizes.pop_front()
        {
            self.size -= oldest as usize;
        }
    }
}
