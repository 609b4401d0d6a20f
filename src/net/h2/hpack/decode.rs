//! Reads the header blocks of one connection's requests (pure). What a field means is looked up
//! when it enters a table; an indexed field costs a load of its entry and the call that takes it.

use super::table::{Dynamic, Name, STATIC};
use super::{CompressionError, DEFAULT_TABLE_SIZE, Known, huffman, integer};

/// Room for strings that are Huffman-coded. One for all connections of a core is enough.
#[derive(Default)]
pub struct Scratch {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// The decoding side of a connection: what the peer has put into the table so far.
pub struct Decoder {
    dynamic: Dynamic,
    /// Of the static table's entries, by index; the first is never asked for.
    known: [Known; STATIC.len() + 1],
    matters: &'static [&'static str],
    announced: usize,
}

impl Decoder {
    /// `table_size` is what we announce in SETTINGS_HEADER_TABLE_SIZE; `matters` are the lower-case
    /// names that [`Known::Matters`].
    ///
    /// A peer's table has 4,096 bytes until it has seen our settings, so a smaller one must not be
    /// announced to a peer that may begin before it has.
    pub fn new(table_size: usize, matters: &'static [&'static str]) -> Self {
        let mut known = [Known::Other; STATIC.len() + 1];
        for (known, (name, _)) in known[1..].iter_mut().zip(STATIC) {
            *known = Known::of(name.as_bytes(), matters);
        }
        let dynamic = Dynamic::new(table_size.min(DEFAULT_TABLE_SIZE));
        Decoder { dynamic, known, matters, announced: table_size }
    }

    /// Decodes one whole block, that is HEADERS with its CONTINUATIONs, and calls `take` with each
    /// field in order. A malformed request is the caller's to see: the rest of its block must be
    /// decoded all the same, or the tables no longer agree (RFC 9113, section 4.3).
    ///
    /// Names and values live until `take` returns. One octet can stand for a field as large as the
    /// table, so what is kept of them must be bounded there. `scratch` needs no clearing.
    pub fn decode(
        &mut self,
        block: &[u8],
        scratch: &mut Scratch,
        mut take: impl FnMut(Known, &[u8], &[u8]),
    ) -> Result<(), CompressionError> {
        let mut rest = block;
        let mut late = false;
        while let Some((&first, after)) = rest.split_first() {
            if first & 0x80 != 0 {
                let (index, after) = integer::decode(first, 7, after)?;
                let (known, name, value) = self.entry(index)?;
                take(known, name, value);
                rest = after;
            } else if first & 0x40 != 0 {
                rest = self.literal(first, 6, after, scratch, &mut take)?;
            } else if first & 0x20 == 0 {
                rest = self.literal(first, 4, after, scratch, &mut take)?;
            } else {
                rest = self.resize(first, after, late)?;
                continue;
            }
            late = true;
        }
        Ok(())
    }

    /// Name, value and meaning of an index (RFC 7541, section 2.3.3).
    #[inline]
    fn entry(&self, index: usize) -> Result<(Known, &[u8], &[u8]), CompressionError> {
        if let Some((name, value)) = STATIC.get(index.wrapping_sub(1)) {
            return Ok((self.known[index], name.as_bytes(), value.as_bytes()));
        }
        index
            .checked_sub(STATIC.len() + 1)
            .and_then(|index| self.dynamic.get(index))
            .ok_or(CompressionError::Index(index))
    }

    /// A literal field (section 6.2), with incremental indexing where the prefix has six bits.
    #[inline]
    fn literal<'b>(
        &mut self,
        first: u8,
        prefix: u32,
        rest: &'b [u8],
        scratch: &mut Scratch,
        take: &mut impl FnMut(Known, &[u8], &[u8]),
    ) -> Result<&'b [u8], CompressionError> {
        let (index, rest) = integer::decode(first, prefix, rest)?;
        let (text, rest) =
            if index == 0 { string(rest, &mut scratch.name)? } else { (&[][..], rest) };
        let (value, rest) = string(rest, &mut scratch.value)?;
        let (known, name) = if index == 0 {
            let known = Known::of(text, self.matters).with(value);
            take(known, text, value);
            (known, Name::Text(text))
        } else {
            let (known, name, _) = self.entry(index)?;
            let known = match known {
                // That was of the entry's own value.
                Known::BadValue => Known::of(name, self.matters),
                known => known,
            };
            let known = known.with(value);
            take(known, name, value);
            let name = match index.checked_sub(STATIC.len() + 1) {
                Some(index) => Name::Entry(index),
                None => Name::Text(STATIC[index - 1].0.as_bytes()),
            };
            (known, name)
        };
        if prefix == 6 {
            self.dynamic.insert(known, name, value);
        }
        Ok(rest)
    }

    /// A table size update (section 6.3).
    #[cold]
    fn resize<'b>(
        &mut self,
        first: u8,
        rest: &'b [u8],
        late: bool,
    ) -> Result<&'b [u8], CompressionError> {
        let (asked, rest) = integer::decode(first, 5, rest)?;
        if late {
            return Err(CompressionError::LateTableSize);
        }
        if asked > self.announced {
            return Err(CompressionError::TableSize { asked, announced: self.announced });
        }
        self.dynamic.set_limit(asked);
        Ok(rest)
    }

    #[cfg(test)]
    pub(super) fn table(&self) -> &Dynamic {
        &self.dynamic
    }
}

/// A string literal (section 5.2) and what follows it.
#[inline]
fn string<'b: 's, 's>(
    block: &'b [u8],
    scratch: &'s mut Vec<u8>,
) -> Result<(&'s [u8], &'b [u8]), CompressionError> {
    let (&first, rest) = block.split_first().ok_or(CompressionError::Truncated)?;
    let (length, rest) = integer::decode(first, 7, rest)?;
    let (octets, rest) = rest.split_at_checked(length).ok_or(CompressionError::Truncated)?;
    let text = if first & 0x80 != 0 { huffman::decode(octets, scratch)? } else { octets };
    Ok((text, rest))
}
