//! Any text as a value: refused, or stored as JSON that says the same and has no blank to lose.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pumice_model::json::compact;

fuzz_target!(|text: &str| {
    if let Ok(stored) = compact(text) {
        assert_eq!(compact(&stored).as_deref(), Ok(&*stored));
        assert!(stored.len() <= text.len());
    }
});
