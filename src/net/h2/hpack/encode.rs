//! Writes the header blocks of one connection's replies (pure). It keeps no text of its own table
//! but what it must compare: which of our fields the peer's table holds, and their sizes.

use super::shadow::{Insertion, Shadow};
use super::table::{entry_size, static_name};
use super::{DEFAULT_TABLE_SIZE, integer};

const INDEXED: (u8, u32) = (0x80, 7);
const WITH_INDEXING: (u8, u32) = (0x40, 6);
const WITHOUT_INDEXING: (u8, u32) = (0x00, 4);
const TABLE_SIZE: (u8, u32) = (0x20, 5);

/// The encoding side of a connection.
///
/// Strings are never Huffman-coded: nearly all fields of a reply are repeated, which then are a
/// byte each, and of the rest a code would save a few bytes at the price of a step a character.
pub struct Encoder {
    table: Shadow,
    constants: Vec<Constant>,
    changing: Vec<Changing>,
    statuses: Vec<(u16, Option<Insertion>)>,
    /// What the peer's table size now asks of us, and the least it was since the last block.
    wanted: usize,
    least: usize,
}

struct Constant {
    name: &'static str,
    value: &'static str,
    inserted: Option<Insertion>,
}

struct Changing {
    name: &'static str,
    value: Vec<u8>,
    inserted: Option<Insertion>,
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder::new()
    }
}

impl Encoder {
    /// An encoder for a peer that has told nothing yet: its table has 4,096 bytes.
    pub fn new() -> Self {
        Encoder {
            table: Shadow::new(DEFAULT_TABLE_SIZE),
            constants: Vec::new(),
            changing: Vec::new(),
            statuses: Vec::new(),
            wanted: DEFAULT_TABLE_SIZE,
            least: DEFAULT_TABLE_SIZE,
        }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE. The next block tells that we follow it (RFC 7541,
    /// section 4.2); we never use more than 4,096 bytes.
    pub fn peer_table_size(&mut self, size: u32) {
        self.wanted = DEFAULT_TABLE_SIZE.min(size as usize);
        self.least = self.least.min(self.wanted);
    }

    /// Begins a block: every one, before its first field.
    #[inline]
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if self.least != self.table.limit() || self.wanted != self.table.limit() {
            self.resize(out);
        }
    }

    #[cold]
    fn resize(&mut self, out: &mut Vec<u8>) {
        for size in [self.least, self.wanted] {
            if size != self.table.limit() {
                self.table.set_limit(size);
                write(out, TABLE_SIZE, size);
            }
        }
        self.least = self.wanted;
    }

    /// `:status`, of three digits.
    #[inline]
    pub fn status(&mut self, out: &mut Vec<u8>, status: u16) {
        let index = match status {
            200 => 8,
            204 => 9,
            206 => 10,
            304 => 11,
            400 => 12,
            404 => 13,
            500 => 14,
            _ => return self.other_status(out, status),
        };
        write(out, INDEXED, index);
    }

    fn other_status(&mut self, out: &mut Vec<u8>, status: u16) {
        let known = self.statuses.iter().position(|(known, _)| *known == status);
        let at = known.unwrap_or_else(|| {
            self.statuses.push((status, None));
            self.statuses.len() - 1
        });
        let digits = [status / 100, status / 10, status].map(|digit| b'0' + (digit % 10) as u8);
        field(&mut self.table, out, &mut self.statuses[at].1, b":status", &digits);
    }

    /// A field with one value for as long as the program runs. The peer's table holds it from its
    /// first use, and it is one byte or two afterwards. Strings are compared by where they lie
    /// before their bytes are.
    #[inline]
    pub fn constant(&mut self, out: &mut Vec<u8>, name: &'static str, value: &'static str) {
        let lies =
            |known: &Constant| std::ptr::eq(known.name, name) && std::ptr::eq(known.value, value);
        let at = match self.constants.iter().position(lies) {
            Some(at) => at,
            None => self.constant_by_text(name, value),
        };
        let Constant { inserted, .. } = &mut self.constants[at];
        field(&mut self.table, out, inserted, name.as_bytes(), value.as_bytes());
    }

    /// One text may lie in several places: each is remembered, with what is known of the others.
    #[cold]
    fn constant_by_text(&mut self, name: &'static str, value: &'static str) -> usize {
        let known = self.constants.iter().find(|known| known.name == name && known.value == value);
        let inserted = known.and_then(|known| known.inserted);
        self.constants.push(Constant { name, value, inserted });
        self.constants.len() - 1
    }

    /// A field whose value changes seldom beside how often it is sent, like `date`. Each new value
    /// takes room in the peer's table, so one that changes with every reply is a [`Self::literal`].
    #[inline]
    pub fn changing(&mut self, out: &mut Vec<u8>, name: &'static str, value: &[u8]) {
        let at = match self.changing.iter().position(|known| known.name == name) {
            Some(at) => at,
            None => {
                self.changing.push(Changing { name, value: Vec::new(), inserted: None });
                self.changing.len() - 1
            }
        };
        let known = &mut self.changing[at];
        if known.value != value {
            known.inserted = None;
            known.value.clear();
            known.value.extend_from_slice(value);
        }
        field(&mut self.table, out, &mut known.inserted, name.as_bytes(), value);
    }

    /// A field that leaves the peer's table as it is (RFC 7541, section 6.2.2).
    #[inline]
    pub fn literal(&mut self, out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
        literal(out, WITHOUT_INDEXING, name, value);
    }
}

/// A field as the peer's table holds it, put there if it does not and if it fits.
#[inline]
fn field(
    table: &mut Shadow,
    out: &mut Vec<u8>,
    inserted: &mut Option<Insertion>,
    name: &[u8],
    value: &[u8],
) {
    match inserted.and_then(|insertion| table.index(insertion)) {
        Some(index) => write(out, INDEXED, index),
        None => insert(table, out, inserted, name, value),
    }
}

#[cold]
fn insert(
    table: &mut Shadow,
    out: &mut Vec<u8>,
    inserted: &mut Option<Insertion>,
    name: &[u8],
    value: &[u8],
) {
    *inserted = table.insert(entry_size(name.len(), value.len()));
    literal(out, if inserted.is_some() { WITH_INDEXING } else { WITHOUT_INDEXING }, name, value);
}

#[inline]
fn literal(out: &mut Vec<u8>, kind: (u8, u32), name: &[u8], value: &[u8]) {
    match static_name(name) {
        Some(index) => write(out, kind, index),
        None => {
            write(out, kind, 0);
            string(out, name);
        }
    }
    string(out, value);
}

#[inline]
fn string(out: &mut Vec<u8>, text: &[u8]) {
    integer::encode(out, 0, 7, text.len());
    out.extend_from_slice(text);
}

#[inline]
fn write(out: &mut Vec<u8>, (pattern, prefix): (u8, u32), value: usize) {
    integer::encode(out, pattern, prefix, value);
}
