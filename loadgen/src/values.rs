//! (pure) The values that `loadgen` writes: JSON of an exact size, made from the record's number, a
//! version and the seed, so that a reader can tell a wrong one without asking anybody.

use crate::random::mix;

const ID: &[u8] = b"{\"id\":\"";
const VERSION: &[u8] = b"\",\"v\":\"";
const PAD: &[u8] = b"\",\"pad\":\"";
const END: &[u8] = b"\"}";
const ID_DIGITS: usize = 16;
const VERSION_DIGITS: usize = 8;
const VERSION_AT: usize = ID.len() + ID_DIGITS + VERSION.len();

/// The smallest size of a value, bytes.
pub const VALUE_MIN: usize = VERSION_AT + VERSION_DIGITS + PAD.len() + END.len();

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Makes and judges values.
#[derive(Debug, Clone)]
pub struct Values {
    size: usize,
    seed: u64,
    wanted: Vec<u8>,
}

impl Values {
    /// Values of `size` bytes, which is at least [`VALUE_MIN`].
    pub fn new(size: usize, seed: u64) -> Self {
        Self { size: size.max(VALUE_MIN), seed, wanted: Vec::with_capacity(size) }
    }

    /// Appends the value of this record in this version.
    pub fn write(&self, out: &mut Vec<u8>, id: u64, version: u32) {
        out.extend_from_slice(ID);
        push_hex(out, id, ID_DIGITS);
        out.extend_from_slice(VERSION);
        push_hex(out, u64::from(version), VERSION_DIGITS);
        out.extend_from_slice(PAD);
        let mut state = mix(self.seed ^ mix(id ^ (u64::from(version) << 32)));
        let mut left = self.size - VALUE_MIN;
        while left > 0 {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let bits = mix(state);
            let take = left.min(10);
            for i in 0..take {
                out.push(ALPHABET[(bits >> (6 * i)) as usize & 63]);
            }
            left -= take;
        }
        out.extend_from_slice(END);
    }

    /// Whether these bytes are some version of this record's value, to the last byte.
    pub fn check(&mut self, id: u64, got: &[u8]) -> bool {
        let Some(version) = got.get(VERSION_AT..VERSION_AT + VERSION_DIGITS).and_then(hex) else {
            return false;
        };
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.clear();
        self.write(&mut wanted, id, version);
        let equal = wanted == got;
        self.wanted = wanted;
        equal
    }
}

/// Appends the low `digits` hexadecimal digits, lower case.
#[inline]
pub fn push_hex(out: &mut Vec<u8>, value: u64, digits: usize) {
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(value >> (4 * digit)) as usize & 15]);
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_size_and_are_told_apart() {
        for size in [VALUE_MIN, 54, 200, 1_000] {
            let mut values = Values::new(size, 1);
            let mut value = Vec::new();
            values.write(&mut value, 42, 7);
            assert_eq!(value.len(), size);
            serde_json::from_slice::<serde_json::Value>(&value).expect("a value is JSON");
            assert!(values.check(42, &value));
            assert!(!values.check(43, &value), "another record's");
            assert!(!values.check(42, &value[..size - 1]), "cut short");
            if size > VALUE_MIN {
                assert!(!Values::new(size, 2).check(42, &value), "of another seed");
                value[size - 3] ^= 1;
                assert!(!values.check(42, &value), "one bit off");
            }
        }
    }
}
