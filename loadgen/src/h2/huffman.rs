//! (pure) The Huffman code of HPACK (RFC 7541 appendix B). The code is canonical, so the table of
//! lengths says all: codes of one length count upward, and go on where the shorter ones ended.

/// Bits of each symbol's code; the last symbol is the end of the string.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const LENGTH_MAX: usize = 30;
const END: usize = 256;

/// Symbols ordered by code, and for each length the first code and where its symbols begin.
struct Code {
    codes: [u32; 257],
    symbols: [u16; 257],
    first: [u32; LENGTH_MAX + 2],
    start: [u16; LENGTH_MAX + 2],
}

static CODE: Code = build();

const fn build() -> Code {
    let mut code = Code {
        codes: [0; 257],
        symbols: [0; 257],
        first: [0; LENGTH_MAX + 2],
        start: [0; LENGTH_MAX + 2],
    };
    let (mut next, mut placed, mut length) = (0u32, 0usize, 1usize);
    while length <= LENGTH_MAX {
        next <<= 1;
        code.first[length] = next;
        code.start[length] = placed as u16;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                code.codes[symbol] = next;
                code.symbols[placed] = symbol as u16;
                next += 1;
                placed += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    code.start[LENGTH_MAX + 1] = placed as u16;
    code
}

/// Appends the code of this text, padded with ones.
#[inline]
pub fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0u64, 0u32);
    for &byte in text {
        let length = u32::from(LENGTHS[usize::from(byte)]);
        bits = bits << length | u64::from(CODE.codes[usize::from(byte)]);
        held += length;
        while held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    if held > 0 {
        out.push((bits << (8 - held)) as u8 | (0xff >> held));
    }
}

/// Hands each byte of the text to `each`. False when the code is not whole (RFC 7541 section 5.2:
/// the padding is at most 7 bits, all ones, and the end symbol does not occur).
pub fn decode(code: &[u8], mut each: impl FnMut(u8)) -> bool {
    let (mut prefix, mut length) = (0u32, 0usize);
    for &byte in code {
        for bit in (0..8).rev() {
            prefix = prefix << 1 | u32::from(byte >> bit & 1);
            length += 1;
            if length > LENGTH_MAX {
                return false;
            }
            let count = u32::from(CODE.start[length + 1] - CODE.start[length]);
            let at = prefix.wrapping_sub(CODE.first[length]);
            if at >= count {
                continue;
            }
            let symbol = usize::from(CODE.symbols[usize::from(CODE.start[length]) + at as usize]);
            if symbol == END {
                return false;
            }
            each(symbol as u8);
            (prefix, length) = (0, 0);
        }
    }
    length < 8 && prefix == (1 << length) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text, &mut out);
        out
    }

    #[test]
    fn examples_of_the_rfc() {
        // RFC 7541 appendix C.4.1 and C.6.1.
        let host = b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        assert_eq!(coded(b"www.example.com"), host);
        assert_eq!(coded(b"302"), b"\x64\x02");
        assert_eq!(coded(b"private"), b"\xae\xc3\x77\x1a\x4b");
    }

    #[test]
    fn every_byte_comes_back() {
        let text: Vec<u8> = (0..=255).collect();
        let mut back = Vec::new();
        assert!(decode(&coded(&text), |byte| back.push(byte)));
        assert_eq!(back, text);
    }

    #[test]
    fn broken_codes_are_refused() {
        assert!(!decode(b"\xff\xff\xff\xff", |_| ()), "the end symbol");
        assert!(!decode(b"\x64\x02\xff", |_| ()), "a whole byte of padding");
        assert!(!decode(b"\x00\x00", |_| ()), "padding of zeros");
    }
}
