//! (pure) HPACK's integers (RFC 7541 section 5.1), bounded to what a header block of ours can need.

/// Appends `value` with a prefix of `bits` bits below the bits of `flags`.
#[inline]
pub fn push(out: &mut Vec<u8>, flags: u8, bits: u32, value: usize) {
    let full = (1usize << bits) - 1;
    if value < full {
        out.push(flags | value as u8);
        return;
    }
    out.push(flags | full as u8);
    let mut rest = value - full;
    while rest >= 128 {
        out.push(rest as u8 | 128);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Takes an integer with a prefix of `bits` bits off the front; `None` when it is cut short or
/// above 2^28.
#[inline]
pub fn take(block: &mut &[u8], bits: u32) -> Option<usize> {
    let full = (1usize << bits) - 1;
    let (&first, mut rest) = block.split_first()?;
    let mut value = usize::from(first) & full;
    if value == full {
        let mut shift = 0;
        loop {
            let (&byte, after) = rest.split_first()?;
            rest = after;
            value += (usize::from(byte) & 127) << shift;
            shift += 7;
            if byte < 128 {
                break;
            }
            if shift > 21 {
                return None;
            }
        }
    }
    *block = rest;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc_and_the_edges() {
        // RFC 7541 appendix C.1.
        for (value, bits, wanted) in
            [(10, 5, &b"\x0a"[..]), (1337, 5, b"\x1f\x9a\x0a"), (42, 8, b"\x2a")]
        {
            let mut out = Vec::new();
            push(&mut out, 0, bits, value);
            assert_eq!(out, wanted);
        }
        for value in [0, 126, 127, 128, 254, 255, 16_384, 1 << 27] {
            let mut out = Vec::new();
            push(&mut out, 0x80, 7, value);
            let mut block = out.as_slice();
            assert_eq!((take(&mut block, 7), block.len()), (Some(value), 0));
            assert_eq!(take(&mut &out[..out.len() - 1], 7).filter(|_| out.len() > 1), None);
        }
        assert_eq!(take(&mut &b"\xff\xff\xff\xff\xff\xff\x01"[..], 7), None);
    }
}
