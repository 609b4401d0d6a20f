//! Integers with a prefix of RFC 7541, section 5.1 (pure). They are bounded far below what the
//! format allows, so that no sum of them overflows.

use super::CompressionError;

/// Continuation octets an integer may have: 28 bits count every byte of any block we take.
pub const MORE: u32 = 4;

/// The integer whose prefix is the low `prefix` bits of `first`, and what follows it in `rest`.
#[inline]
pub fn decode(first: u8, prefix: u32, rest: &[u8]) -> Result<(usize, &[u8]), CompressionError> {
    let mask = (1_u8 << prefix) - 1;
    let value = first & mask;
    if value < mask { Ok((value.into(), rest)) } else { continued(mask.into(), rest) }
}

fn continued(mut value: usize, mut rest: &[u8]) -> Result<(usize, &[u8]), CompressionError> {
    for octet in 0..MORE {
        let (&byte, after) = rest.split_first().ok_or(CompressionError::Truncated)?;
        value += usize::from(byte & 0x7f) << (7 * octet);
        rest = after;
        if byte < 0x80 {
            return Ok((value, rest));
        }
    }
    Err(CompressionError::Integer)
}

/// Appends `value`; `pattern` holds the bits above the prefix of `prefix` bits.
#[inline]
pub fn encode(out: &mut Vec<u8>, pattern: u8, prefix: u32, value: usize) {
    let mask = (1_usize << prefix) - 1;
    if value < mask {
        out.push(pattern | value as u8);
        return;
    }
    out.push(pattern | mask as u8);
    let mut left = value - mask;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}
