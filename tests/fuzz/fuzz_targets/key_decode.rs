//! Any bytes as a row key: no key, or one that is encoded to the same bytes again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_model::key::{KeyBuf, RowKey, after_prefix};

fuzz_target!(|bytes: &[u8]| {
    if let Some(key) = RowKey::decode(bytes) {
        let mut buffer = KeyBuf::new();
        assert_eq!(buffer.row(key.partition, key.generation, &key.pk, key.sk), bytes);
    }
    if let Some(after) = after_prefix(bytes) {
        assert!(after.as_slice() > bytes);
    }
});
