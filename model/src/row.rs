//! (pure) A stored row: one format byte, then an rkyv archive that is read in place.
//! LMDB aligns values to two bytes only, so rkyv is built `unaligned` (set in the workspace).

use rkyv::rancor;
use rkyv::util::AlignedVec;
use rkyv::with::InlineAsBox;

use crate::ids::Offset;
use crate::time::Millis;

/// The first byte of a stored row.
pub const FORMAT: u8 = 1;
/// `expires_at` of a row that never expires.
pub const NEVER: Millis = Millis::MAX;

/// A row as it is stored. Times are milliseconds since the epoch, made by entries, not clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize)]
pub struct Row<'a> {
    /// Time of the entry that made the row.
    pub created_at: Millis,
    /// Time of the entry that wrote it last.
    pub updated_at: Millis,
    /// The row is gone from this time on; [`NEVER`] for one that stays.
    pub expires_at: Millis,
    /// Offset of the entry that wrote it last.
    pub offset: u64,
    /// Compact JSON text.
    #[rkyv(with = InlineAsBox)]
    pub data: &'a str,
}

/// The bytes are not a row of a format this version knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are not a row: first byte {first:?}, {len} bytes")]
pub struct NotARow {
    first: Option<u8>,
    len: usize,
}

impl<'a> Row<'a> {
    /// Writes the row's stored bytes over `buffer`.
    pub fn encode(&self, buffer: &mut RowBuf) {
        let mut bytes = std::mem::take(&mut buffer.0);
        bytes.clear();
        bytes.push(FORMAT);
        let done = rkyv::api::high::to_bytes_in::<_, rancor::Panic>(self, bytes);
        let Ok(bytes) = done;
        buffer.0 = bytes;
    }

    /// Reads a row where it lies. Every access is checked, so that no byte of a damaged file
    /// can lead out of it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NotARow> {
        let fault = NotARow { first: bytes.first().copied(), len: bytes.len() };
        let (&FORMAT, archive) = bytes.split_first().ok_or(fault)? else {
            return Err(fault);
        };
        let row = rkyv::access::<ArchivedRow<'a>, rancor::Failure>(archive).map_err(|_| fault)?;
        Ok(Self {
            created_at: row.created_at.to_native(),
            updated_at: row.updated_at.to_native(),
            expires_at: row.expires_at.to_native(),
            offset: row.offset.to_native(),
            data: &row.data,
        })
    }

    /// Whether a reader at `now` sees the row.
    pub fn visible(&self, now: Millis) -> bool {
        self.expires_at > now
    }

    /// The offset of the entry that wrote the row last.
    pub fn written_by(&self) -> Offset {
        Offset(self.offset)
    }
}

/// A buffer for stored rows, meant to be kept and used again.
#[derive(Debug, Default)]
pub struct RowBuf(AlignedVec);

impl RowBuf {
    /// What was encoded last.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_row_survives_at_any_alignment() {
        let mut buffer = RowBuf::default();
        for data in ["null", "{\"a\":1}", "\"\u{1F980}\""] {
            let row = Row { created_at: -5, updated_at: 7, expires_at: NEVER, offset: 9, data };
            row.encode(&mut buffer);
            let stored = buffer.bytes();
            for shift in 0..16 {
                let mut moved = vec![0; shift];
                moved.extend_from_slice(stored);
                assert_eq!(Row::decode(&moved[shift..]).unwrap(), row);
            }
        }
    }

    #[test]
    fn damaged_bytes_are_told_not_followed() {
        let mut buffer = RowBuf::default();
        let data = "{\"a\":\"bcdefghijklmnop\"}";
        Row { created_at: 1, updated_at: 2, expires_at: 3, offset: 4, data }.encode(&mut buffer);
        let good = buffer.bytes().to_vec();
        for cut in 0..good.len() {
            let _ = Row::decode(&good[..cut]);
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                if let Ok(row) = Row::decode(&bad) {
                    assert!(row.data.len() <= bad.len());
                }
            }
        }
        assert!(Row::decode(&[]).is_err());
        assert!(Row::decode(&[9, 9, 9]).is_err());
    }
}
