//! Any bytes as an entry of the log: an answer, and what is accepted is what the encoder writes.
//! Each input is tried as it is and with the right checksum, which no fuzzer would guess.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_model::entry::Entry;
use xxhash_rust::xxh3::xxh3_64;

fuzz_target!(|bytes: &[u8]| {
    let sealed = [bytes, &xxh3_64(bytes).to_le_bytes()].concat();
    for bytes in [bytes, &sealed] {
        if let Ok(entry) = Entry::decode(bytes) {
            assert_eq!(entry.encode(), bytes);
            assert_eq!(entry.encoded_len(), bytes.len());
        }
    }
});
