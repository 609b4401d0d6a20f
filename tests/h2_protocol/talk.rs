//! A connection on which any frame may be said, and what the server says to it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;
pub const WITH_PRIORITY: u8 = 0x20;
/// A whole request in one frame.
pub const WHOLE: u8 = END_STREAM | END_HEADERS;

pub const PROTOCOL: u32 = 1;
pub const FLOW_CONTROL: u32 = 3;
pub const STREAM_CLOSED: u32 = 5;
pub const FRAME_SIZE: u32 = 6;
pub const REFUSED: u32 = 7;
pub const COMPRESSION: u32 = 9;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Only so that a fault of the server fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A frame that the server sent.
#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The four bytes at `at`.
    pub fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A connection.
pub struct Talk {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Talk {
    /// Behind the exchange of empty settings.
    pub fn open(address: SocketAddr) -> Talk {
        Self::open_with(address, &[])
    }

    /// Behind the exchange of these settings.
    pub fn open_with(address: SocketAddr, settings: &[(u16, u32)]) -> Talk {
        let mut talk = Self::raw(address);
        talk.bytes(PREFACE);
        talk.settings(settings);
        talk.until(|frame| frame.kind == SETTINGS && frame.flags == ACK);
        talk.frame(SETTINGS, ACK, 0, &[]);
        talk
    }

    /// Before anything was said.
    pub fn raw(address: SocketAddr) -> Talk {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Talk { stream, rest: Vec::new() }
    }

    /// Where the server is.
    pub fn server(&self) -> SocketAddr {
        self.stream.peer_addr().unwrap()
    }

    /// Says bytes; the server may have ended the connection already.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says a frame.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.bytes(&frame(kind, flags, stream, payload));
    }

    /// Says settings.
    pub fn settings(&mut self, settings: &[(u16, u32)]) {
        let pair =
            |(id, value): &(u16, u32)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let payload: Vec<u8> = settings.iter().flat_map(pair).collect();
        self.frame(SETTINGS, 0, 0, &payload);
    }

    /// Asks for `path`.
    pub fn get(&mut self, stream: u32, path: &str) {
        self.frame(HEADERS, WHOLE, stream, &head("GET", path, &[]));
    }

    /// Begins a request whose body does not come by itself.
    pub fn put(&mut self, stream: u32) {
        self.frame(HEADERS, END_HEADERS, stream, &head("PUT", "/v1/records/pk/sk", &[]));
    }

    /// The next frame; `None` when the server has closed.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(head) = self.rest.first_chunk::<9>() {
                let [a, b, c, kind, flags, stream @ ..] = *head;
                let end = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
                if self.rest.len() >= end {
                    let payload = self.rest[9..end].to_vec();
                    self.rest.drain(..end);
                    let stream = u32::from_be_bytes(stream);
                    return Some(Frame { kind, flags, stream, payload });
                }
            }
            let mut buffer = [0; 65_536];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(n) => self.rest.extend_from_slice(&buffer[..n]),
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {
                    panic!("the server says nothing")
                }
                Err(_) => return None,
            }
        }
    }

    /// Takes in what has come, without waiting for more.
    pub fn receive_all(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 65_536];
        while let Ok(n @ 1..) = self.stream.read(&mut buffer) {
            self.rest.extend_from_slice(&buffer[..n]);
        }
        self.stream.set_nonblocking(false).unwrap();
    }

    /// The first frame that is wanted; those before it are passed over.
    pub fn until(&mut self, is_wanted: impl Fn(&Frame) -> bool) -> Frame {
        let mut seen = Vec::new();
        while let Some(frame) = self.next() {
            if is_wanted(&frame) {
                return frame;
            }
            seen.push((frame.kind, frame.flags, frame.stream));
        }
        panic!("the server closed after {seen:?}");
    }

    /// The status of a reply, and how long its body is.
    pub fn reply(&mut self, stream: u32) -> (u16, usize) {
        let head = self.until(|frame| frame.stream == stream && frame.kind != WINDOW_UPDATE);
        assert_eq!(head.kind, HEADERS, "{head:?}");
        let (mut is_last, mut length) = (head.flags & END_STREAM != 0, 0);
        while !is_last {
            let data = self.until(|frame| frame.stream == stream);
            assert_eq!(data.kind, DATA, "{data:?}");
            length += data.payload.len();
            is_last = data.flags & END_STREAM != 0;
        }
        (status(&head.payload), length)
    }

    /// The connection is alive: a ping comes back, and nothing ended it before.
    pub fn is_alive(&mut self) {
        self.frame(PING, 0, 0, b"there?  ");
        let said = self.until(|frame| [PING, GOAWAY].contains(&frame.kind));
        assert_eq!((said.kind, said.flags), (PING, ACK), "{said:?}");
    }

    /// The stream is reset with this code, and the connection goes on.
    pub fn is_reset(&mut self, stream: u32, code: u32) {
        let said = self.until(|frame| [RST_STREAM, GOAWAY].contains(&frame.kind));
        assert_eq!((said.kind, said.stream, said.number(0)), (RST_STREAM, stream, code));
        self.is_alive();
    }

    /// The connection is ended with this code.
    pub fn is_ended(&mut self, code: u32) {
        let said = self.until(|frame| frame.kind == GOAWAY);
        assert_eq!(said.number(4), code, "{}", String::from_utf8_lossy(&said.payload[8..]));
        while self.next().is_some() {}
    }
}

/// One frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// The header block of a good request, with more fields behind it.
pub fn head(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields =
        vec![(":method", method), (":scheme", "http"), (":authority", "pumice"), (":path", path)];
    fields.extend_from_slice(more);
    block(&fields)
}

/// The status that a block begins with: indexed, or a literal of the static name. A change of the
/// table's size to nothing may stand before it.
fn status(block: &[u8]) -> u16 {
    let known = [200, 204, 206, 304, 400, 404, 500];
    match *block.strip_prefix(&[0x20]).unwrap_or(block) {
        [first @ 0x88..=0x8e, ..] => known[usize::from(first - 0x88)],
        [0x48 | 0x08, 3, a, b, c, ..] => {
            let digit = |byte: u8| u16::from(byte - b'0');
            digit(a) * 100 + digit(b) * 10 + digit(c)
        }
        _ => panic!("no status: {block:02x?}"),
    }
}
