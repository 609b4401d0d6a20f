//! (pure) Reads the one field of a response head that a load generator needs, `:status`, and keeps
//! the dynamic table right (RFC 7541) so that the server may index whatever it likes.

use std::collections::VecDeque;

use super::{huffman, integer};

/// The size of the table that is announced: HTTP/2's default.
const TABLE_SIZE: usize = 4_096;
/// What an entry costs beside its bytes (RFC 7541 section 4.1).
const ENTRY_OVERHEAD: usize = 32;
const STATIC_COUNT: usize = 61;
/// The fields of the static table that are `:status`.
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
const FIRST_STATUS: usize = 8;
const STATUS_NAME: &[u8] = b":status";

/// Lengths of the names of the static table, in its order (RFC 7541 appendix A).
#[rustfmt::skip]
const NAME_LENGTHS: [u8; STATIC_COUNT] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];

/// An entry as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Entry {
    name_len: usize,
    size: usize,
    /// Whether the name is `:status`, and the value if so.
    status: Option<u16>,
}

/// The decoder of one connection.
#[derive(Debug, Default)]
pub struct StatusDecoder {
    table: VecDeque<Entry>,
    size: usize,
    limit: Option<usize>,
}

impl StatusDecoder {
    /// The status of a head, 0 for a block without one (trailers); `None` when it is not HPACK.
    pub fn read(&mut self, mut block: &[u8]) -> Option<u16> {
        let mut status = 0;
        while let Some(&first) = block.first() {
            if first & 0x80 != 0 {
                let index = integer::take(&mut block, 7)?;
                status = self.indexed(index)?.unwrap_or(status);
            } else if first & 0xe0 == 0x20 {
                self.limit = Some(integer::take(&mut block, 5)?).filter(|&to| to <= TABLE_SIZE);
                self.limit?;
                self.evict(0);
            } else {
                let indexing = first & 0x40 != 0;
                let bits = if indexing { 6 } else { 4 };
                status = self.literal(&mut block, bits, indexing)?.unwrap_or(status);
            }
        }
        Some(status)
    }

    fn indexed(&self, index: usize) -> Option<Option<u16>> {
        match index {
            0 => None,
            1..=STATIC_COUNT => {
                Some(index.checked_sub(FIRST_STATUS).and_then(|at| STATUSES.get(at).copied()))
            }
            _ => Some(self.table.get(index - STATIC_COUNT - 1)?.status),
        }
    }

    fn literal(&mut self, block: &mut &[u8], bits: u32, indexing: bool) -> Option<Option<u16>> {
        let index = integer::take(block, bits)?;
        let (name_len, named_status) = match index {
            0 => {
                let name = Text::take(block)?;
                (name.len(indexing)?, name.is(STATUS_NAME))
            }
            1..=STATIC_COUNT => {
                let is = (FIRST_STATUS..FIRST_STATUS + STATUSES.len()).contains(&index);
                (usize::from(NAME_LENGTHS[index - 1]), is)
            }
            _ => {
                let entry = self.table.get(index - STATIC_COUNT - 1)?;
                (entry.name_len, entry.status.is_some())
            }
        };
        let value = Text::take(block)?;
        let status = if named_status { Some(value.status()?) } else { None };
        if indexing {
            let size = name_len + value.len(true)? + ENTRY_OVERHEAD;
            self.evict(size);
            if size <= self.limit.unwrap_or(TABLE_SIZE) {
                self.table.push_front(Entry { name_len, size, status });
                self.size += size;
            }
        }
        Some(status)
    }

    /// Makes room for an entry of this size.
    fn evict(&mut self, size: usize) {
        let limit = self.limit.unwrap_or(TABLE_SIZE);
        while self.size + size > limit {
            let Some(oldest) = self.table.pop_back() else {
                return;
            };
            self.size -= oldest.size;
        }
    }
}

/// A string of a block, in either code.
struct Text<'b> {
    coded: bool,
    bytes: &'b [u8],
}

impl<'b> Text<'b> {
    fn take(block: &mut &'b [u8]) -> Option<Self> {
        let coded = block.first()? & 0x80 != 0;
        let length = integer::take(block, 7)?;
        let bytes = block.get(..length)?;
        *block = &block[length..];
        Some(Self { coded, bytes })
    }

    /// Its length in clear; only decoded where `exact` wants it.
    fn len(&self, exact: bool) -> Option<usize> {
        if !self.coded || !exact {
            return Some(self.bytes.len());
        }
        let mut length = 0;
        huffman::decode(self.bytes, |_| length += 1).then_some(length)
    }

    fn is(&self, text: &[u8]) -> bool {
        if !self.coded {
            return self.bytes == text;
        }
        let (mut at, mut equal) = (0, true);
        let whole = huffman::decode(self.bytes, |byte| {
            equal &= text.get(at) == Some(&byte);
            at += 1;
        });
        whole && equal && at == text.len()
    }

    fn status(&self) -> Option<u16> {
        let (mut status, mut digits) = (0, 0);
        let mut digit = |byte: u8| {
            digits += if byte.is_ascii_digit() { 1 } else { 4 };
            if digits <= 3 {
                status = status * 10 + u16::from(byte - b'0');
            }
        };
        if self.coded {
            huffman::decode(self.bytes, digit).then_some(())?;
        } else {
            self.bytes.iter().for_each(|&byte| digit(byte));
        }
        (digits == 3 && status >= 100).then_some(status)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let hex: String = hex.split_whitespace().collect();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    }

    /// RFC 7541 appendix C.6: three responses on one connection, Huffman-coded. The RFC's table is
    /// 256 bytes there, which a size update says here.
    #[test]
    fn responses_of_the_rfc() {
        let mut decoder = StatusDecoder::default();
        assert_eq!(decoder.read(&bytes("3fe101")), Some(0), "a table of 256 bytes");
        let first =
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6
            2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3";
        assert_eq!(decoder.read(&bytes(first)), Some(302));
        assert_eq!(decoder.size, 222);
        assert_eq!(decoder.read(&bytes("4883 640e ffc1 c0bf")), Some(307));
        assert_eq!((decoder.size, decoder.table.len()), (222, 4));
        let third =
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab
            77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587
            3160 65c0 03ed 4ee5 b106 3d50 07";
        assert_eq!(decoder.read(&bytes(third)), Some(200));
        assert_eq!((decoder.size, decoder.table.len()), (215, 3));
    }

    #[test]
    fn broken_blocks_are_refused() {
        for block in ["80", "c0", "48", "4803", "0803 3a3a", "3fe2ff7f", "4881 64"] {
            assert_eq!(StatusDecoder::default().read(&bytes(block)), None, "{block}");
        }
        assert_eq!(StatusDecoder::default().read(&bytes("8d")), Some(404));
    }
}
