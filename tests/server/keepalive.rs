//! One kept connection that speaks HTTP/1.1: requests written as given, answers taken one by one.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{PATIENCE, Reply, parse_head, unchunk};

/// A connection that outlives its answers.
pub struct Connection {
    stream: TcpStream,
    /// Read, and not yet part of an answer.
    rest: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, rest: Vec::new() }
    }

    /// Sends bytes as they are; what the peer has closed already is no fault of the test.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// One request and its answer.
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: pumice\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        bytes.extend_from_slice(body);
        // A server may answer and close before it has read all of a body that it refuses.
        let sent = self.send(&bytes);
        self.reply(method != "HEAD").or_else(|fault| sent.and(Err(fault)))
    }

    /// The next answer, with its body when it has one.
    pub fn reply(&mut self, with_body: bool) -> io::Result<Reply> {
        let end = self.until(b"\r\n\r\n")?;
        let bytes: Vec<u8> = self.rest.drain(..end).collect();
        let (status, head) = parse_head(&bytes);
        let mut reply = Reply { status, head, body: Vec::new() };
        if !with_body || [204, 304].contains(&status) {
            return Ok(reply);
        }
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = self.chunks()?;
        } else {
            let length = reply.header("content-length").map_or(0, |text| text.parse().unwrap());
            while self.rest.len() < length {
                self.more()?;
            }
            reply.body = self.rest.drain(..length).collect();
        }
        Ok(reply)
    }

    /// Reads at least `count` bytes of what comes next, without taking any of it as an answer.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.rest.len() < count {
            self.more()?;
        }
        Ok(&self.rest)
    }

    /// Reads until the peer closes; true when it did so in time.
    pub fn ends(&mut self) -> bool {
        loop {
            match self.more() {
                Ok(()) => {}
                Err(fault) => return fault.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut end = 0;
        loop {
            let line = loop {
                let found = self.rest[end..].windows(2).position(|two| two == b"\r\n");
                match found {
                    Some(at) => break end + at,
                    None => self.more()?,
                }
            };
            let length = std::str::from_utf8(&self.rest[end..line]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            end = line + 2 + length + 2;
            while self.rest.len() < end {
                self.more()?;
            }
            if length == 0 {
                let bytes: Vec<u8> = self.rest.drain(..end).collect();
                return Ok(unchunk(&bytes));
            }
        }
    }

    /// Where the first `mark` ends.
    fn until(&mut self, mark: &[u8]) -> io::Result<usize> {
        loop {
            let found = self.rest.windows(mark.len()).position(|window| window == mark);
            match found {
                Some(at) => return Ok(at + mark.len()),
                None => self.more()?,
            }
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 65_536];
        match self.stream.read(&mut buffer)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.rest.extend_from_slice(&buffer[..length]);
                Ok(())
            }
        }
    }
}
