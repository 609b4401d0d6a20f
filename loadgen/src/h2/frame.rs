//! (pure) HTTP/2 frames as bytes (RFC 9113 sections 4 and 6): the numbers, heads in and out, and
//! payloads without their padding.

/// What a client sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head.
pub const HEAD: usize = 9;
/// The largest payload that is taken: HTTP/2's default.
pub const PAYLOAD_MAX: usize = 16_384;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 0x1;
pub const ACK: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;

pub const SETTING_TABLE_SIZE: u16 = 1;
pub const SETTING_ENABLE_PUSH: u16 = 2;
pub const SETTING_STREAMS_MAX: u16 = 3;
pub const SETTING_WINDOW: u16 = 4;
pub const SETTING_FRAME_MAX: u16 = 5;

pub const CANCEL: u32 = 8;

/// One frame of the input.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'i> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'i [u8],
}

impl<'i> Frame<'i> {
    /// The first frame of the input: `Ok(None)` until it is whole, `Err` when it is too large.
    #[inline]
    pub fn parse(input: &'i [u8]) -> Result<Option<Self>, ()> {
        let Some(head) = input.first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        if length > PAYLOAD_MAX {
            return Err(());
        }
        let Some(payload) = input.get(HEAD..HEAD + length) else {
            return Ok(None);
        };
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Ok(Some(Self { kind: head[3], flags: head[4], stream, payload }))
    }

    /// The payload of DATA or HEADERS without padding and priority; `None` when they do not fit.
    #[inline]
    pub fn content(&self) -> Option<&'i [u8]> {
        let mut content = self.payload;
        if self.flags & PADDED != 0 {
            let (&padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(usize::from(padding))?)?;
        }
        if self.kind == HEADERS && self.flags & PRIORITY != 0 {
            content = content.get(5..)?;
        }
        Some(content)
    }

    /// Four bytes of the payload as a number.
    pub fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.payload.get(at..)?.first_chunk()?;
        Some(u32::from_be_bytes(*bytes))
    }
}

/// Appends the head of a frame.
#[inline]
pub fn push_head(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, a, b, c] = (length as u32).to_be_bytes();
    let [d, e, f, g] = stream.to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags, d, e, f, g]);
}

/// Appends WINDOW_UPDATE; stream 0 is the connection.
pub fn push_window_update(out: &mut Vec<u8>, stream: u32, by: u32) {
    push_head(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&by.to_be_bytes());
}

/// Appends SETTINGS.
pub fn push_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    push_head(out, 6 * settings.len(), SETTINGS, 0, 0);
    for (name, value) in settings {
        out.extend_from_slice(&name.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}
