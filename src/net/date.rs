//! The `date` of replies, written once a second. One a core.

use pumice_model::time::{Millis, push_http_date};

use crate::clock;

/// The text of the running second.
#[derive(Default)]
pub(super) struct Date {
    second: u64,
    text: String,
}

impl Date {
    /// The date now (RFC 9110, section 6.6.1).
    pub(super) fn now(&mut self) -> &[u8] {
        self.at(clock::now())
    }

    /// The date of a moment that is nearly now, by a clock that was read for it already.
    pub(super) fn at(&mut self, now: Millis) -> &[u8] {
        let second = now as u64 / 1_000;
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text.clear();
            push_http_date(&mut self.text, now);
        }
        self.text.as_bytes()
    }
}
