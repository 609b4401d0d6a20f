//! The client half of HTTP/1.1 (RFC 9112) with pipelining: requests in, answers out in the same
//! order, on the connection's driver thread. It does no I/O.

use std::collections::VecDeque;
use std::mem::MaybeUninit;

use super::slot::{Done, Slot};
use crate::failure::Failure;
use crate::request::{Method, Request, USER_AGENT, decimal};

/// Fields of a head that are taken.
const FIELDS_MAX: usize = 64;
/// A head or a chunk's size line that is not whole at this many bytes never will be.
const HEAD_MAX: usize = 64 << 10;

/// One connection.
#[derive(Debug)]
pub struct H1 {
    /// What stands between the path and the body's length: the same for all requests.
    fields: Vec<u8>,
    /// Slots in the order of their requests.
    asked: VecDeque<u32>,
    state: State,
    closing: bool,
}

/// What comes next in the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Body(u64),
    ChunkSize,
    Chunk(u64),
    Trailers,
    UntilClose,
}

/// What a head says about the rest of the answer.
struct Head {
    len: usize,
    status: u16,
    then: State,
    close: bool,
}

impl H1 {
    /// A connection to this host, before its first request.
    pub fn new(authority: &str) -> Self {
        let fields = format!(" HTTP/1.1\r\nhost: {authority}\r\nuser-agent: {USER_AGENT}\r\n");
        Self {
            fields: fields.into_bytes(),
            asked: VecDeque::new(),
            state: State::Head,
            closing: false,
        }
    }

    /// Whether the connection takes no more requests.
    pub fn closing(&self) -> bool {
        self.closing
    }

    /// Appends a request; its answer comes to this slot.
    #[inline]
    pub fn request(&mut self, at: u32, request: &Request, out: &mut Vec<u8>) {
        out.extend_from_slice(request.method.name().as_bytes());
        out.push(b' ');
        out.extend_from_slice(&request.path);
        out.extend_from_slice(&self.fields);
        if request.method != Method::Get {
            out.extend_from_slice(b"content-type: application/json\r\ncontent-length: ");
            out.extend_from_slice(decimal(request.body.len() as u64, &mut [0; 20]));
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&request.body);
        self.asked.push_back(at);
    }

    /// Reads all that is whole in the input and says how many bytes it was.
    pub fn receive(
        &mut self,
        input: &[u8],
        slots: &mut [Slot],
        done: &mut Vec<Done>,
    ) -> Result<usize, Failure> {
        let mut at = 0;
        while let Some(&slot) = self.asked.front() {
            let rest = &input[at..];
            let Some((taken, over)) = self.step(rest, &mut slots[slot as usize])? else {
                break;
            };
            at += taken;
            if over {
                self.state = State::Head;
                self.asked.pop_front();
                done.push(Done { slot, failure: None });
            }
        }
        // Bytes that nobody asked for.
        if self.asked.is_empty() && at < input.len() {
            return Err(Failure::Protocol);
        }
        Ok(at)
    }

    /// The server has said its last: that ends a body without a length.
    pub fn end(&mut self, done: &mut Vec<Done>) {
        if self.state == State::UntilClose
            && let Some(slot) = self.asked.pop_front()
        {
            self.state = State::Head;
            done.push(Done { slot, failure: None });
        }
    }

    /// One step: bytes taken and whether the answer is over; `None` for want of input.
    #[inline]
    fn step(&mut self, input: &[u8], slot: &mut Slot) -> Result<Option<(usize, bool)>, Failure> {
        match self.state {
            State::Head => {
                let Some(head) = parse_head(input)? else {
                    return Ok(None);
                };
                self.state = head.then;
                if head.status < 200 {
                    return Ok(Some((head.len, false)));
                }
                slot.status = head.status;
                self.closing |= head.close;
                Ok(Some((head.len, head.then == State::Body(0))))
            }
            State::Body(left) => Ok(self.body(input, slot, left, State::Body, true)),
            State::Chunk(left) => Ok(self.body(input, slot, left, State::Chunk, false)),
            State::UntilClose => Ok(self.body(input, slot, u64::MAX, |_| State::UntilClose, false)),
            State::ChunkSize => {
                let size = httparse::parse_chunk_size(input).map_err(|_| Failure::Protocol)?;
                let httparse::Status::Complete((len, size)) = size else {
                    return short(input);
                };
                // The two bytes behind a chunk's data are taken with its data.
                self.state = match size {
                    0 => State::Trailers,
                    _ => State::Chunk(size.checked_add(2).ok_or(Failure::Protocol)?),
                };
                Ok(Some((len, false)))
            }
            State::Trailers => {
                let Some(end) = input.windows(2).position(|pair| pair == b"\r\n") else {
                    return short(input);
                };
                Ok(Some((end + 2, end == 0)))
            }
        }
    }

    #[inline]
    fn body(
        &mut self,
        input: &[u8],
        slot: &mut Slot,
        left: u64,
        then: fn(u64) -> State,
        last: bool,
    ) -> Option<(usize, bool)> {
        if input.is_empty() {
            return None;
        }
        let taken = left.min(input.len() as u64) as usize;
        let after = left - taken as u64;
        let data = if matches!(self.state, State::Chunk(_)) {
            let data = left.saturating_sub(2).min(taken as u64) as usize;
            &input[..data]
        } else {
            &input[..taken]
        };
        slot.take_body(data);
        self.state = if after == 0 && !last { State::ChunkSize } else { then(after) };
        Some((taken, after == 0 && last))
    }
}

fn short<T>(input: &[u8]) -> Result<Option<T>, Failure> {
    if input.len() > HEAD_MAX { Err(Failure::Protocol) } else { Ok(None) }
}

#[inline]
fn parse_head(input: &[u8]) -> Result<Option<Head>, Failure> {
    if input.is_empty() {
        return Ok(None);
    }
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        input,
        &mut fields,
    );
    let httparse::Status::Complete(len) = parsed.map_err(|_| Failure::Protocol)? else {
        return short(input);
    };
    let status = response.code.ok_or(Failure::Protocol)?;
    let mut close = response.version == Some(0);
    let mut then = State::UntilClose;
    for field in response.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") && then == State::UntilClose {
            let digits = str::from_utf8(field.value).map_err(|_| Failure::Protocol)?;
            then = State::Body(digits.trim().parse().map_err(|_| Failure::Protocol)?);
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            then = State::ChunkSize;
        } else if field.name.eq_ignore_ascii_case("connection") {
            close |= field.value.eq_ignore_ascii_case(b"close");
        }
    }
    then = match status {
        100..200 => State::Head,
        204 | 304 => State::Body(0),
        _ => then,
    };
    close |= then == State::UntilClose;
    Ok(Some(Head { len, status, then, close }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    /// The bodies and statuses of these answers, fed in pieces of `step` bytes.
    fn answers(text: &[u8], asked: u32, step: usize) -> Result<Vec<(u16, String)>, Failure> {
        let mut h1 = H1::new("localhost");
        let mut slots: Vec<Slot> = (0..asked).map(|_| Slot::default()).collect();
        slots.iter_mut().for_each(|slot| slot.task.keep = true);
        for at in 0..asked {
            h1.request(at, &Request::default(), &mut Vec::new());
        }
        let (mut done, mut held) = (Vec::new(), Vec::new());
        for piece in text.chunks(step) {
            held.extend_from_slice(piece);
            let taken = h1.receive(&held, &mut slots, &mut done)?;
            held.drain(..taken);
        }
        h1.end(&mut done);
        let text = |slot: &Slot| String::from_utf8(slot.answer.clone()).unwrap();
        Ok(done
            .iter()
            .map(|done| &slots[done.slot as usize])
            .map(|slot| (slot.status, text(slot)))
            .collect())
    }

    #[test]
    fn all_shapes_of_answers_in_pieces_of_any_size() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
            HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n\
            A\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 200 OK\r\n\r\nto the end";
        let wanted =
            [(200, "hello"), (404, ""), (200, "abc0123456789"), (204, ""), (200, "to the end")];
        for step in [1, 2, 3, 7, 50, 1_000] {
            let got = answers(text, 5, step).unwrap();
            let got: Vec<_> = got.iter().map(|(status, body)| (*status, body.as_str())).collect();
            assert_eq!(got, wanted, "in pieces of {step}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let parts: [&[u8]; 9] = [
            b"HTTP/1.1 200 OK\r\n",
            b"content-length: 18446744073709551615\r\n",
            b"content-length: 3\r\n",
            b"transfer-encoding: chunked\r\n",
            b"\r\n",
            b"ffffffffffffffff\r\n",
            b"5\r\n",
            b"0\r\n",
            b"hello",
        ];
        let mut random = crate::random::Random::new(29);
        for _ in 0..20_000 {
            let count = random.below(12) as usize;
            let picked = (0..count).map(|_| parts[random.below(parts.len() as u64) as usize]);
            let text: Vec<u8> = picked.flatten().copied().collect();
            let step = 1 + random.below(30) as usize;
            if let Ok(done) = answers(&text, 3, step) {
                assert!(done.len() <= 3);
            }
        }
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in [
            &b"SSH-2.0-OpenSSH\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert_eq!(answers(text, 1, 1_000), Err(Failure::Protocol));
        }
    }
}
