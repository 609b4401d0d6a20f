//! HTTP/2 frames (RFC 9113, sections 4.1, 6 and 7): their heads read, and whole ones written behind
//! what a connection is to send (pure).

use std::ops::Range;

/// Bytes of a frame's head.
pub const HEAD: usize = 9;

/// The longest payload we take: SETTINGS_MAX_FRAME_SIZE as it is unless told otherwise.
pub const PAYLOAD_MAX: usize = 16_384;

/// The highest id of a stream.
pub const STREAM_MAX: u32 = 0x7fff_ffff;

/// Types of frames.
pub mod kind {
    pub const DATA: u8 = 0x0;
    pub const HEADERS: u8 = 0x1;
    pub const PRIORITY: u8 = 0x2;
    pub const RST_STREAM: u8 = 0x3;
    pub const SETTINGS: u8 = 0x4;
    pub const PUSH_PROMISE: u8 = 0x5;
    pub const PING: u8 = 0x6;
    pub const GOAWAY: u8 = 0x7;
    pub const WINDOW_UPDATE: u8 = 0x8;
    pub const CONTINUATION: u8 = 0x9;
}

/// Flags of frames.
pub mod flag {
    pub const END_STREAM: u8 = 0x1;
    pub const ACK: u8 = 0x1;
    pub const END_HEADERS: u8 = 0x4;
    pub const PADDED: u8 = 0x8;
    pub const PRIORITY: u8 = 0x20;
}

/// Why a stream or a connection ends (section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    No = 0x0,
    Protocol = 0x1,
    Internal = 0x2,
    FlowControl = 0x3,
    StreamClosed = 0x5,
    FrameSize = 0x6,
    RefusedStream = 0x7,
    Compression = 0x9,
    EnhanceYourCalm = 0xb,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Head {
    /// The head that `bytes` begin with, when it is whole.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Option<Head> {
        let head: &[u8; HEAD] = bytes.first_chunk()?;
        let [a, b, c, kind, flags, stream @ ..] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Head { length, kind, flags, stream: u32::from_be_bytes(stream) & STREAM_MAX })
    }

    /// Whether a flag is set.
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Writes it.
    #[inline]
    pub fn put(&self, out: &mut Vec<u8>) {
        let [_, a, b, c] = (self.length as u32).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        out.extend_from_slice(&[a, b, c, self.kind, self.flags, d, e, f, g]);
    }
}

/// Where the payload of a padded frame lies without its padding (section 6.1); `None` when there is
/// more padding than payload.
pub fn unpadded(head: &Head, payload: &[u8]) -> Option<Range<usize>> {
    if !head.has(flag::PADDED) {
        return Some(0..payload.len());
    }
    let padding = usize::from(*payload.first()?);
    let end = payload.len().checked_sub(padding)?;
    (end >= 1).then_some(1..end)
}

fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    Head { length: payload.len(), kind, flags, stream }.put(out);
    out.extend_from_slice(payload);
}

/// A DATA frame.
#[inline]
pub fn data(out: &mut Vec<u8>, stream: u32, bytes: &[u8], is_last: bool) {
    put(out, kind::DATA, u8::from(is_last) * flag::END_STREAM, stream, bytes);
}

/// A RST_STREAM frame.
pub fn reset(out: &mut Vec<u8>, stream: u32, reason: Reason) {
    put(out, kind::RST_STREAM, 0, stream, &(reason as u32).to_be_bytes());
}

/// A SETTINGS frame.
pub fn settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    Head { length: 6 * settings.len(), kind: kind::SETTINGS, flags: 0, stream: 0 }.put(out);
    for (id, value) in settings {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// The answer to SETTINGS.
pub fn settings_ack(out: &mut Vec<u8>) {
    put(out, kind::SETTINGS, flag::ACK, 0, &[]);
}

/// A PING frame, or the answer to one.
pub fn ping(out: &mut Vec<u8>, flags: u8, opaque: &[u8; 8]) {
    put(out, kind::PING, flags, 0, opaque);
}

/// A GOAWAY frame; `text` is for whoever looks at the wire.
pub fn goaway(out: &mut Vec<u8>, last: u32, reason: Reason, text: &str) {
    Head { length: 8 + text.len(), kind: kind::GOAWAY, flags: 0, stream: 0 }.put(out);
    out.extend_from_slice(&last.to_be_bytes());
    out.extend_from_slice(&(reason as u32).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// A WINDOW_UPDATE frame.
pub fn window_update(out: &mut Vec<u8>, stream: u32, more: u32) {
    put(out, kind::WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
}

/// Leaves room for the head of a HEADERS frame, whose header block is written next; where it is.
#[inline]
pub fn begin_headers(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD]);
    start
}

/// Writes the head of the HEADERS frame that was begun at `start`. A block that is longer than
/// `most` is cut into CONTINUATIONs.
#[inline]
pub fn end_headers(out: &mut Vec<u8>, start: usize, stream: u32, is_last: bool, most: usize) {
    let length = out.len() - start - HEAD;
    if length > most {
        return cut_headers(out, start, stream, is_last, most);
    }
    let flags = flag::END_HEADERS | (u8::from(is_last) * flag::END_STREAM);
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    out[start..start + HEAD].copy_from_slice(&[a, b, c, kind::HEADERS, flags, d, e, f, g]);
}

#[cold]
fn cut_headers(out: &mut Vec<u8>, start: usize, stream: u32, is_last: bool, most: usize) {
    let block = out.split_off(start + HEAD);
    out.truncate(start);
    let parts = block.len().div_ceil(most);
    for (number, part) in block.chunks(most).enumerate() {
        let ends = if number + 1 == parts { flag::END_HEADERS } else { 0 };
        match number {
            0 => put(out, kind::HEADERS, ends | u8::from(is_last), stream, part),
            _ => put(out, kind::CONTINUATION, ends, stream, part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_survives_its_bytes() {
        let head = Head { length: 0x01_02_03, kind: 7, flags: 0x25, stream: STREAM_MAX };
        let mut out = Vec::new();
        head.put(&mut out);
        assert_eq!(Head::parse(&out), Some(head));
        assert_eq!(Head::parse(&out[..8]), None);
        // The reserved bit is ignored when received.
        out[5] |= 0x80;
        assert_eq!(Head::parse(&out), Some(head));
    }

    #[test]
    fn padding_is_taken_off_and_never_past_the_payload() {
        let head = |flags| Head { length: 0, kind: kind::DATA, flags, stream: 1 };
        let padded = head(flag::PADDED);
        assert_eq!(unpadded(&head(0), &[9, 9]), Some(0..2));
        assert_eq!(unpadded(&padded, &[1, 5, 0]), Some(1..2));
        assert_eq!(unpadded(&padded, &[2, 0, 0]), Some(1..1));
        assert_eq!(unpadded(&padded, &[3, 0, 0]), None);
        assert_eq!(unpadded(&padded, &[]), None);
    }

    #[test]
    fn a_long_header_block_is_cut() {
        let mut out = Vec::new();
        let start = begin_headers(&mut out);
        out.extend_from_slice(&[7; 25]);
        end_headers(&mut out, start, 5, true, 10);
        let mut heads = Vec::new();
        let mut rest = &out[..];
        while let Some(head) = Head::parse(rest) {
            heads.push((head.kind, head.flags, head.length));
            rest = &rest[HEAD + head.length..];
        }
        assert_eq!(heads, [(1, 1, 10), (9, 0, 10), (9, 4, 5)]);
        assert!(rest.is_empty());
    }
}
