//! The client half of HTTP/2 (RFC 9113), as much as asking and counting answers takes: one
//! writer of requests and one reader of frames a connection, on its driver thread. It does no
//! I/O.

mod body;
mod frame;
mod huffman;
mod integer;
mod request_head;
mod status;
#[cfg(test)]
mod tests;

use crate::drive::slot::{Done, Slot};
use crate::failure::Failure;
use crate::request::{Method, Request};
use frame::Frame;
use request_head::HeadEncoder;
use status::StatusDecoder;

/// The window of each answer, bytes. Larger answers are given windows as they come.
const STREAM_WINDOW: u32 = 1 << 24;
/// The window of a connection, and the share of it that is given back at once.
const CONNECTION_WINDOW: u32 = 1 << 30;
const RETURN_AT: u32 = 1 << 20;
/// The window that both sides begin with.
const WINDOW_START: i64 = 65_535;
/// The last number a stream may have; there is no next one.
const STREAM_LAST: u32 = (1 << 31) - 1;

/// One connection.
#[derive(Debug)]
pub struct H2 {
    heads: HeadEncoder,
    statuses: StatusDecoder,
    next_stream: u32,
    /// Slots by the low bits of their stream's number: a guess, checked against the slot.
    by_stream: Vec<u32>,
    /// A header block that goes on in the next frame: stream, flags, bytes.
    partial: Option<(u32, u8, Vec<u8>)>,
    settled: bool,
    closing: bool,
    streams_max: usize,
    frame_max: usize,
    stream_window: i64,
    window: i64,
    /// Slots with bytes of a body that wait for a window.
    waiting: usize,
    unreturned: u32,
}

impl H2 {
    /// A connection with this many slots; appends what a client says first.
    pub fn new(authority: &str, tls: bool, slots: usize, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(frame::PREFACE);
        let settings = [(frame::SETTING_ENABLE_PUSH, 0), (frame::SETTING_WINDOW, STREAM_WINDOW)];
        frame::push_settings(out, &settings);
        frame::push_window_update(out, 0, CONNECTION_WINDOW - WINDOW_START as u32);
        Self {
            heads: HeadEncoder::new(authority, tls),
            statuses: StatusDecoder::default(),
            next_stream: 1,
            by_stream: vec![0; (4 * slots).next_power_of_two()],
            partial: None,
            settled: false,
            closing: false,
            streams_max: usize::MAX,
            frame_max: frame::PAYLOAD_MAX,
            stream_window: WINDOW_START,
            window: WINDOW_START,
            waiting: 0,
            unreturned: 0,
        }
    }

    /// Whether the server's settings have come.
    pub fn settled(&self) -> bool {
        self.settled
    }

    /// Whether the connection takes no more requests.
    pub fn closing(&self) -> bool {
        self.closing || self.next_stream > STREAM_LAST - 2
    }

    /// How many requests may be in flight.
    pub fn room(&self) -> usize {
        self.streams_max
    }

    /// Appends a request; its answer comes to this slot.
    #[inline]
    pub fn request(&mut self, slots: &mut [Slot], at: u32, request: &Request, out: &mut Vec<u8>) {
        let slot = &mut slots[at as usize];
        slot.stream = self.next_stream;
        slot.window = self.stream_window;
        self.next_stream += 2;
        let guess = self.guess(slot.stream);
        self.by_stream[guess] = at;
        let bare = request.method == Method::Get;
        let start = out.len();
        let flags = frame::END_HEADERS | if bare { frame::END_STREAM } else { 0 };
        frame::push_head(out, 0, frame::HEADERS, flags, slot.stream);
        self.heads.write(request, out);
        let length = (out.len() - start - frame::HEAD) as u32;
        out[start..start + 3].copy_from_slice(&length.to_be_bytes()[1..]);
        if !bare {
            let sent = self.push_data(slot, &request.body, out);
            if sent < request.body.len() {
                slot.unsent.extend_from_slice(&request.body[sent..]);
                self.waiting += 1;
            }
        }
    }

    /// Gives up on a slot's request.
    pub fn cancel(&mut self, slot: &mut Slot, out: &mut Vec<u8>) {
        frame::push_head(out, 4, frame::RST_STREAM, 0, slot.stream);
        out.extend_from_slice(&frame::CANCEL.to_be_bytes());
        self.forget(slot);
    }

    /// Reads all whole frames of the input and says how many bytes they were.
    pub fn receive(
        &mut self,
        input: &[u8],
        slots: &mut [Slot],
        out: &mut Vec<u8>,
        done: &mut Vec<Done>,
    ) -> Result<usize, Failure> {
        let mut at = 0;
        while let Some(frame) = Frame::parse(&input[at..]).map_err(|()| Failure::Protocol)? {
            at += frame::HEAD + frame.payload.len();
            self.take(frame, slots, out, done).ok_or(Failure::Protocol)?;
        }
        if self.unreturned > RETURN_AT {
            frame::push_window_update(out, 0, self.unreturned);
            self.unreturned = 0;
        }
        Ok(at)
    }

    /// `None` when the frame breaks the protocol.
    #[inline]
    fn take(
        &mut self,
        frame: Frame<'_>,
        slots: &mut [Slot],
        out: &mut Vec<u8>,
        done: &mut Vec<Done>,
    ) -> Option<()> {
        if self.partial.is_some() && frame.kind != frame::CONTINUATION {
            return None;
        }
        match frame.kind {
            frame::DATA => self.data(frame, slots, out, done),
            frame::HEADERS if frame.flags & frame::END_HEADERS == 0 => {
                self.partial = Some((frame.stream, frame.flags, frame.content()?.to_vec()));
                Some(())
            }
            frame::HEADERS => self.head(frame.stream, frame.flags, frame.content()?, slots, done),
            frame::CONTINUATION => self.continuation(frame, slots, done),
            frame::RST_STREAM => {
                if let Some(at) = self.find(slots, frame.stream) {
                    self.finish(slots, at, Some(Failure::Reset), done);
                }
                Some(())
            }
            frame::SETTINGS if frame.flags & frame::ACK == 0 => self.settings(frame, slots, out),
            frame::PING if frame.flags & frame::ACK == 0 => {
                frame::push_head(out, frame.payload.len(), frame::PING, frame::ACK, 0);
                out.extend_from_slice(frame.payload);
                Some(())
            }
            frame::GOAWAY => self.goaway(frame, slots, done),
            frame::WINDOW_UPDATE => self.window_update(frame, slots, out),
            frame::PUSH_PROMISE => None,
            _ => Some(()),
        }
    }

    fn data(
        &mut self,
        frame: Frame<'_>,
        slots: &mut [Slot],
        out: &mut Vec<u8>,
        done: &mut Vec<Done>,
    ) -> Option<()> {
        let length = frame.payload.len() as u32;
        self.unreturned += length;
        let content = frame.content()?;
        let Some(at) = self.find(slots, frame.stream) else {
            return Some(());
        };
        let slot = &mut slots[at as usize];
        slot.take_body(content);
        slot.unreturned += length;
        if frame.flags & frame::END_STREAM != 0 {
            self.finish(slots, at, None, done);
        } else if slot.unreturned > STREAM_WINDOW / 2 {
            frame::push_window_update(out, frame.stream, slot.unreturned);
            slot.unreturned = 0;
        }
        Some(())
    }

    fn continuation(
        &mut self,
        frame: Frame<'_>,
        slots: &mut [Slot],
        done: &mut Vec<Done>,
    ) -> Option<()> {
        let (stream, flags, mut block) = self.partial.take()?;
        block.extend_from_slice(frame.payload);
        if stream != frame.stream || block.len() > 64 * frame::PAYLOAD_MAX {
            return None;
        }
        if frame.flags & frame::END_HEADERS == 0 {
            self.partial = Some((stream, flags, block));
            return Some(());
        }
        self.head(stream, flags, &block, slots, done)
    }

    #[inline]
    fn head(
        &mut self,
        stream: u32,
        flags: u8,
        block: &[u8],
        slots: &mut [Slot],
        done: &mut Vec<Done>,
    ) -> Option<()> {
        let status = self.statuses.read(block)?;
        let Some(at) = self.find(slots, stream) else {
            return Some(());
        };
        if status >= 200 {
            slots[at as usize].status = status;
        }
        if flags & frame::END_STREAM != 0 {
            self.finish(slots, at, None, done);
        }
        Some(())
    }

    fn settings(&mut self, frame: Frame<'_>, slots: &mut [Slot], out: &mut Vec<u8>) -> Option<()> {
        for setting in frame.payload.chunks(6) {
            let (name, value) = setting.split_first_chunk()?;
            let value = u32::from_be_bytes(*value.first_chunk()?);
            match u16::from_be_bytes(*name) {
                frame::SETTING_TABLE_SIZE => self.heads.table_size(value),
                frame::SETTING_STREAMS_MAX => self.streams_max = value as usize,
                frame::SETTING_FRAME_MAX => self.frame_max = value as usize,
                frame::SETTING_WINDOW => {
                    let by = i64::from(value) - self.stream_window;
                    self.stream_window += by;
                    slots.iter_mut().for_each(|slot| slot.window += by);
                }
                _ => {}
            }
        }
        self.settled = true;
        frame::push_head(out, 0, frame::SETTINGS, frame::ACK, 0);
        self.push_waiting(slots, out);
        Some(())
    }

    fn goaway(&mut self, frame: Frame<'_>, slots: &mut [Slot], done: &mut Vec<Done>) -> Option<()> {
        let last = frame.number(0)? & STREAM_LAST;
        self.closing = true;
        for at in 0..slots.len() {
            if slots[at].busy && slots[at].stream > last {
                self.finish(slots, at as u32, Some(Failure::Reset), done);
            }
        }
        Some(())
    }

    #[inline]
    fn finish(
        &mut self,
        slots: &mut [Slot],
        at: u32,
        failure: Option<Failure>,
        done: &mut Vec<Done>,
    ) {
        self.forget(&mut slots[at as usize]);
        done.push(Done { slot: at, failure });
    }

    /// The slot's stream is over; its number is not found any more.
    #[inline]
    fn forget(&mut self, slot: &mut Slot) {
        if slot.unsent.len() > slot.unsent_at {
            self.waiting -= 1;
        }
        slot.unsent.clear();
        slot.unsent_at = 0;
        slot.stream = 0;
    }

    #[inline]
    fn guess(&self, stream: u32) -> usize {
        (stream >> 1) as usize & (self.by_stream.len() - 1)
    }

    /// The slot of a stream, `None` when nobody waits for it any more.
    #[inline]
    fn find(&self, slots: &[Slot], stream: u32) -> Option<u32> {
        // Slots without a request have stream 0, which is the connection's own number.
        if stream == 0 {
            return None;
        }
        let guess = self.by_stream[self.guess(stream)];
        if slots[guess as usize].stream == stream {
            return Some(guess);
        }
        let at = slots.iter().position(|slot| slot.stream == stream)?;
        Some(at as u32)
    }
}
