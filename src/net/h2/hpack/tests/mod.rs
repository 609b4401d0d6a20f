//! The codec against RFC 7541's own examples, against blocks no honest peer sends, and against
//! itself.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod appendix_c;
mod encoded;
mod malformed;
mod round_trip;

use super::{CompressionError, Decoder, Known, Scratch};

/// A field as `take` saw it, copied.
type Field = (Known, String, Vec<u8>);

fn fields(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<Field>, CompressionError> {
    let mut fields = Vec::new();
    decoder.decode(block, &mut Scratch::default(), |known, name, value| {
        fields.push((known, String::from_utf8_lossy(name).into_owned(), value.to_vec()));
    })?;
    Ok(fields)
}

/// Fields as `name: value` lines, pseudo-headers with their colons.
fn lines(decoder: &mut Decoder, block: &[u8]) -> Vec<String> {
    let line = |(_, name, value): Field| format!("{name}: {}", String::from_utf8_lossy(&value));
    fields(decoder, block).unwrap().into_iter().map(line).collect()
}

/// The dynamic table from the newest entry on, and its size.
fn table(decoder: &Decoder) -> (Vec<String>, usize) {
    let table = decoder.table();
    let line = |index| {
        let (_, name, value) = table.get(index).unwrap();
        format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
    };
    ((0..table.len()).map(line).collect(), table.size())
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}
