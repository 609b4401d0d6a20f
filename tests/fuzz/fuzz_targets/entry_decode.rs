//! Any bytes as an entry of the log: an answer, and what is accepted is what the encoder writes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_model::entry::Entry;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
        assert_eq!(entry.encoded_len(), bytes.len());
    }
});
