//! What the peer has told of itself (RFC 9113, section 6.5), and what we tell of ourselves (pure).

use super::fault::Fault;
use super::frame::{self, Reason, STREAM_MAX};
use crate::net::limits::Limits;

const HEADER_TABLE_SIZE: u16 = 0x1;
const ENABLE_PUSH: u16 = 0x2;
const MAX_CONCURRENT_STREAMS: u16 = 0x3;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const MAX_HEADER_LIST_SIZE: u16 = 0x6;

/// What every window has before anybody says otherwise (section 6.9.2).
pub const WINDOW: u32 = 65_535;

/// Settings of the peer that a server heeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What its header table holds.
    pub header_table_size: u32,
    /// The window that a new stream has for our DATA.
    pub initial_window: u32,
    /// The longest payload it takes.
    pub max_frame: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { header_table_size: 4_096, initial_window: WINDOW, max_frame: frame::PAYLOAD_MAX }
    }
}

impl Settings {
    /// These with what a SETTINGS frame changes.
    ///
    /// # Errors
    /// As section 6.5.2 names them for each setting.
    pub fn with(mut self, payload: &[u8]) -> Result<Settings, Fault> {
        let (settings, rest) = payload.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Fault(Reason::FrameSize, "SETTINGS of a length that is no multiple of 6"));
        }
        for &[a, b, c, d, e, f] in settings {
            let value = u32::from_be_bytes([c, d, e, f]);
            match u16::from_be_bytes([a, b]) {
                HEADER_TABLE_SIZE => self.header_table_size = value,
                ENABLE_PUSH if value > 1 => {
                    return Err(Fault(Reason::Protocol, "SETTINGS_ENABLE_PUSH is neither 0 nor 1"));
                }
                INITIAL_WINDOW_SIZE if value > STREAM_MAX => {
                    return Err(Fault(
                        Reason::FlowControl,
                        "SETTINGS_INITIAL_WINDOW_SIZE is above 2147483647",
                    ));
                }
                INITIAL_WINDOW_SIZE => self.initial_window = value,
                MAX_FRAME_SIZE if !(16_384..=16_777_215).contains(&value) => {
                    return Err(Fault(
                        Reason::Protocol,
                        "SETTINGS_MAX_FRAME_SIZE is not within 16384 and 16777215",
                    ));
                }
                MAX_FRAME_SIZE => self.max_frame = value as usize,
                // The others bind clients, or nobody that we know.
                _ => {}
            }
        }
        Ok(self)
    }
}

/// Writes our settings, and the room for bodies that they cannot give.
pub fn announce(out: &mut Vec<u8>, limits: &Limits) {
    let settings = [
        (MAX_CONCURRENT_STREAMS, limits.h2_streams),
        (INITIAL_WINDOW_SIZE, limits.h2_stream_window),
        (MAX_HEADER_LIST_SIZE, u32::try_from(limits.head_size).unwrap_or(u32::MAX)),
    ];
    frame::settings(out, &settings);
    if limits.h2_connection_window > WINDOW {
        frame::window_update(out, 0, limits.h2_connection_window - WINDOW);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn told(settings: &[(u16, u32)]) -> Result<Settings, Reason> {
        let mut frame = Vec::new();
        frame::settings(&mut frame, settings);
        Settings::default().with(&frame[frame::HEAD..]).map_err(|fault| fault.0)
    }

    #[test]
    fn the_last_value_counts_and_the_unknown_is_ignored() {
        let told = told(&[(4, 7), (0x99, 1), (4, 9), (1, 0), (5, 16_385), (2, 0), (3, 1)]).unwrap();
        assert_eq!(told, Settings { header_table_size: 0, initial_window: 9, max_frame: 16_385 });
    }

    #[test]
    fn values_out_of_range_are_faults() {
        assert_eq!(told(&[(2, 2)]), Err(Reason::Protocol));
        assert_eq!(told(&[(4, 1 << 31)]), Err(Reason::FlowControl));
        assert_eq!(told(&[(5, 16_383)]), Err(Reason::Protocol));
        assert_eq!(told(&[(5, 16_777_216)]), Err(Reason::Protocol));
        assert_eq!(Settings::default().with(&[0; 5]).unwrap_err().0, Reason::FrameSize);
    }
}
