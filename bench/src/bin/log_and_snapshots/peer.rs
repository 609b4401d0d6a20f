//! One HTTP/2 connection that only reads records: requests packed once, answers counted. As little
//! as RFC 9113 allows, so that one CPU can ask for more than a serving core answers.

use std::time::Instant;

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const WINDOW: u32 = (1 << 31) - 1;
const WINDOW_AT_FIRST: u32 = 65_535;
const FRAME_HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const INITIAL_WINDOW_SIZE: u16 = 4;
/// `:method: GET`, `:scheme: http` and `:status: 200` in HPACK's static table.
const GET: u8 = 0x82;
const HTTP: u8 = 0x86;
const STATUS_200: u8 = 0x88;
/// A literal that is not indexed, with the name `:authority` or `:path`.
const AUTHORITY: u8 = 0x01;
const PATH: u8 = 0x04;

/// One connection.
pub struct Peer {
    /// Bytes to send.
    pub out: Vec<u8>,
    received: Vec<u8>,
    next_stream: u32,
    flying: Vec<Flying>,
}

struct Flying {
    stream: u32,
    since: Instant,
    well: bool,
}

/// An answer.
pub struct Answered {
    /// When its request should have been sent.
    pub since: Instant,
    /// Whether it was a 200.
    pub well: bool,
}

/// A request's header block; the path is at most 126 bytes.
pub fn request(authority: &str, path: &str) -> Vec<u8> {
    let mut block = vec![GET, HTTP];
    for (name, value) in [(AUTHORITY, authority), (PATH, path)] {
        debug_assert!(value.len() < 127, "a longer one needs more bytes for its length");
        block.extend_from_slice(&[name, value.len() as u8]);
        block.extend_from_slice(value.as_bytes());
    }
    block
}

impl Peer {
    /// Begins a connection.
    pub fn new() -> Self {
        let (received, flying) = (Vec::new(), Vec::new());
        let mut peer = Self { out: PREFACE.to_vec(), received, next_stream: 1, flying };
        let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        settings.extend_from_slice(&WINDOW.to_be_bytes());
        peer.frame(SETTINGS, 0, 0, &settings);
        peer.frame(WINDOW_UPDATE, 0, 0, &(WINDOW - WINDOW_AT_FIRST).to_be_bytes());
        peer
    }

    /// Requests without an answer.
    pub fn flying(&self) -> usize {
        self.flying.len()
    }

    /// Asks; the request should have been sent at `since`.
    pub fn ask(&mut self, block: &[u8], since: Instant) {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.flying.push(Flying { stream, since, well: false });
        self.frame(HEADERS, END_STREAM | END_HEADERS, stream, block);
    }

    /// Takes what came, and tells of every answer. Whether the connection goes on.
    pub fn take(&mut self, bytes: &[u8], mut answered: impl FnMut(Answered)) -> bool {
        self.received.extend_from_slice(bytes);
        let received = std::mem::take(&mut self.received);
        let mut rest = &received[..];
        let mut going = true;
        while let Some((head, tail)) = rest.split_first_chunk::<FRAME_HEADER>() {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, tail)) = tail.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & WINDOW;
            going &= self.one(head[3], head[4], stream, payload, &mut answered);
            rest = tail;
        }
        self.received = rest.to_vec();
        going
    }

    fn one(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
        answered: &mut impl FnMut(Answered),
    ) -> bool {
        match kind {
            SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]),
            PING if flags & ACK == 0 => self.frame(PING, ACK, 0, payload),
            GOAWAY => return false,
            HEADERS | DATA | RST_STREAM => {
                let Some(at) = self.flying.iter().position(|one| one.stream == stream) else {
                    return true;
                };
                if kind == HEADERS {
                    self.flying[at].well = payload.first() == Some(&STATUS_200);
                }
                if kind == RST_STREAM || flags & END_STREAM != 0 {
                    let Flying { since, well, .. } = self.flying.swap_remove(at);
                    answered(Answered { since, well: well && kind != RST_STREAM });
                }
            }
            _ => {}
        }
        true
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        self.out.extend_from_slice(&[length[1], length[2], length[3], kind, flags]);
        self.out.extend_from_slice(&stream.to_be_bytes());
        self.out.extend_from_slice(payload);
    }
}
