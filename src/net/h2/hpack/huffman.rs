//! Strings in the Huffman code of RFC 7541, section 5.2 and appendix B (pure). A table made at
//! compile time turns twelve bits into one symbol or two, as bytes of a path mostly have five to
//! seven; codes longer than that are looked for by their length.

use super::CompressionError;

/// Bits of a code by symbol, from appendix B. Codes are canonical: among those of one length they
/// count up with the symbol, so the lengths say everything. The last symbol is EOS.
pub const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const EOS: usize = 256;
const LONGEST: usize = 30;
/// Bits one step looks at: two letters of six bits. Steps of 11 bits took a path of 32 bytes a
/// sixth longer.
const WINDOW: usize = 12;
/// Steps whose bits are all in one load of eight bytes at any bit: 57 bits at least.
const STEPS_A_LOAD: usize = 4;

/// What a window of bits begins with.
#[derive(Clone, Copy)]
struct Step {
    symbols: [u8; 2],
    /// Symbols that are whole in the window: 0 for the beginning of a longer code.
    count: u8,
    /// Bits of those symbols together.
    bits: u8,
}

/// Codes of one length.
#[derive(Clone, Copy)]
struct Row {
    /// The first of them.
    code: u32,
    /// Where its symbol stands in [`SORTED`].
    at: usize,
    /// The end of them, as the top of a 32-bit window.
    end: u64,
}

static STEPS: [Step; 1 << WINDOW] = steps();
static ROWS: [Row; LONGEST + 1] = rows();
static SORTED: [u16; 257] = sorted();

/// Decodes `input` to the beginning of `out`, which grows to what that takes and keeps its size.
///
/// No step asks where the string ends: behind it there seem to be ones without end, which are the
/// beginning of EOS and so of no symbol. That leaves one branch in four steps.
pub fn decode<'s>(input: &[u8], out: &'s mut Vec<u8>) -> Result<&'s [u8], CompressionError> {
    // No code is shorter than five bits; the last step may begin at the last bit, and writes two.
    let most = input.len() * 8 / 5 + 8;
    if out.len() < most {
        out.resize(most, 0);
    }
    let text = &mut out[..most];
    let end = input.len() * 8;
    let (mut bit, mut at) = (0, 0);
    while bit < end {
        let mut window = load(input, bit);
        let mut whole = true;
        for _ in 0..STEPS_A_LOAD {
            let step = STEPS[(window >> (64 - WINDOW)) as usize];
            text[at..at + 2].copy_from_slice(&step.symbols);
            at += usize::from(step.count);
            bit += usize::from(step.bits);
            window <<= step.bits;
            whole = step.count > 0;
        }
        if !whole && bit < end {
            let window = load(input, bit);
            if end - bit < 8 && window.leading_ones() as usize >= end - bit {
                return Ok(&text[..at]);
            }
            let (symbol, bits) = longer(window)?;
            text[at] = symbol;
            at += 1;
            bit += bits;
        }
    }
    // A code that the ones behind the string completed is none.
    if bit == end { Ok(&text[..at]) } else { Err(CompressionError::Huffman) }
}

/// The bits from `bit` on, which is one of `input`, first bit highest: 57 of them, and zeros.
#[inline]
fn load(input: &[u8], bit: usize) -> u64 {
    let rest = &input[bit / 8..];
    let bytes = match (rest.first_chunk(), input.last_chunk()) {
        (Some(next), _) => u64::from_be_bytes(*next),
        (None, Some(last)) => {
            let behind = 64 - 8 * rest.len();
            u64::from_be_bytes(*last) << behind | !(u64::MAX << behind)
        }
        (None, None) => {
            rest.iter().rev().fold(u64::MAX, |bytes, &byte| bytes >> 8 | u64::from(byte) << 56)
        }
    };
    bytes << (bit % 8)
}

/// The symbol that `window` begins with, whose code is longer than [`WINDOW`], and its bits.
fn longer(window: u64) -> Result<(u8, usize), CompressionError> {
    let top = window >> 32;
    let bits = (WINDOW + 1..=LONGEST)
        .find(|&bits| top < ROWS[bits].end)
        .ok_or(CompressionError::Huffman)?;
    let code = (top >> (32 - bits)) as usize;
    let symbol = SORTED[ROWS[bits].at + code - ROWS[bits].code as usize];
    Ok((u8::try_from(symbol).map_err(|_| CompressionError::Huffman)?, bits))
}

/// Symbols in the order of their codes.
const fn sorted() -> [u16; 257] {
    let mut symbols = [0; 257];
    let mut at = 0;
    let mut length = 0;
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol <= EOS {
            if LENGTHS[symbol] as usize == length {
                symbols[at] = symbol as u16;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

const fn rows() -> [Row; LONGEST + 1] {
    let mut rows = [Row { code: 0, at: 0, end: 0 }; LONGEST + 1];
    let (mut code, mut at, mut length) = (0_u64, 0, 1);
    while length <= LONGEST {
        code <<= 1;
        rows[length].code = code as u32;
        rows[length].at = at;
        let mut symbol = 0;
        while symbol <= EOS {
            if LENGTHS[symbol] as usize == length {
                code += 1;
                at += 1;
            }
            symbol += 1;
        }
        rows[length].end = code << (32 - length);
        length += 1;
    }
    rows
}

const fn steps() -> [Step; 1 << WINDOW] {
    let mut steps = [Step { symbols: [0; 2], count: 0, bits: 0 }; 1 << WINDOW];
    let (rows, sorted) = (rows(), sorted());
    // First each window's first symbol: canonical codes fill the windows in order.
    let (mut window, mut bits) = (0, 1);
    while bits <= WINDOW {
        while (window as u64) << (32 - WINDOW) < rows[bits].end {
            let nth = (window >> (WINDOW - bits)) - rows[bits].code as usize;
            let symbol = sorted[rows[bits].at + nth] as u8;
            steps[window] = Step { symbols: [symbol, 0], count: 1, bits: bits as u8 };
            window += 1;
        }
        bits += 1;
    }
    // Then the second, where it is whole.
    let singles = steps;
    window = 0;
    while window < 1 << WINDOW {
        let first = singles[window];
        let second = singles[(window << first.bits) % (1 << WINDOW)];
        let bits = first.bits + second.bits;
        if first.count > 0 && second.count > 0 && bits as usize <= WINDOW {
            let symbols = [first.symbols[0], second.symbols[0]];
            steps[window] = Step { symbols, count: 2, bits };
        }
        window += 1;
    }
    steps
}
