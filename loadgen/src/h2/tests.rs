//! The HTTP/2 codec against a server made of bytes: what a client must do by RFC 9113, and that no
//! bytes make it panic.

use super::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, push_head, push_settings, push_window_update,
};
use super::*;
use crate::random::Random;

struct Client {
    h2: H2,
    slots: Vec<Slot>,
    out: Vec<u8>,
    done: Vec<Done>,
}

/// A frame as the tests compare it.
type Seen = (u8, u8, u32, Vec<u8>);

impl Client {
    fn new(slots: usize) -> Self {
        let mut out = Vec::new();
        let h2 = H2::new("localhost", false, slots, &mut out);
        assert!(out.starts_with(PREFACE));
        out.drain(..PREFACE.len());
        let mut client = Self { h2, slots: Vec::new(), out, done: Vec::new() };
        client.slots.resize_with(slots, Slot::default);
        let kinds: Vec<u8> = client.sent().iter().map(|frame| frame.0).collect();
        assert_eq!(kinds, [SETTINGS, WINDOW_UPDATE]);
        client
    }

    fn ask(&mut self, at: u32, method: Method, body: &[u8]) {
        let request = Request { method, path: b"/p".to_vec(), body: body.to_vec() };
        let slot = &mut self.slots[at as usize];
        slot.clear();
        slot.busy = true;
        slot.task.keep = true;
        self.h2.request(&mut self.slots, at, &request, &mut self.out);
    }

    fn receive(&mut self, input: &[u8]) -> Result<usize, Failure> {
        self.h2.receive(input, &mut self.slots, &mut self.out, &mut self.done)
    }

    /// What the client has sent since the last call.
    fn sent(&mut self) -> Vec<Seen> {
        let (mut at, mut frames) = (0, Vec::new());
        while let Ok(Some(frame)) = Frame::parse(&self.out[at..]) {
            at += frame::HEAD + frame.payload.len();
            frames.push((frame.kind, frame.flags, frame.stream, frame.payload.to_vec()));
        }
        assert_eq!(at, self.out.len(), "only whole frames are written");
        self.out.clear();
        frames
    }
}

fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_head(&mut out, payload.len(), kind, flags, stream);
    out.extend_from_slice(payload);
    out
}

const STATUS_200: u8 = 0x88;

#[test]
fn answers_come_whole_padded_split_and_in_any_order() {
    let mut client = Client::new(2);
    client.ask(0, Method::Get, b"");
    client.ask(1, Method::Get, b"");
    let frames = client.sent();
    assert_eq!(frames.iter().map(|frame| frame.2).collect::<Vec<_>>(), [1, 3]);
    assert!(frames[1].3.len() < frames[0].3.len(), "what repeats is in the table");

    let input = [
        bytes(HEADERS, 0, 3, &[]),
        bytes(CONTINUATION, END_HEADERS, 3, &[STATUS_200]),
        bytes(HEADERS, END_HEADERS | PADDED, 1, &[2, 0x8d, 0, 0]),
        bytes(DATA, PADDED, 3, b"\x03onexxx"),
        bytes(DATA, END_STREAM, 3, b" two"),
        bytes(HEADERS, END_HEADERS | END_STREAM, 1, &[]),
    ]
    .concat();
    let (mut held, mut taken) = (0, 0);
    for end in 0..=input.len() {
        taken += client.receive(&input[taken..end]).expect("a part is no fault");
        held = held.max(end - taken);
    }
    assert_eq!((taken, client.done.len()), (input.len(), 2));
    assert!(client.done.iter().all(|done| done.failure.is_none()));
    assert_eq!((client.done[0].slot, client.slots[1].status), (1, 200));
    assert_eq!(client.slots[1].answer, b"one two");
    assert_eq!((client.done[1].slot, client.slots[0].status), (0, 404));
}

#[test]
fn a_body_waits_for_both_windows() {
    let mut client = Client::new(1);
    client.ask(0, Method::Put, &[7; 100_000]);
    let sent = |frames: &[Seen]| -> usize {
        frames.iter().filter(|frame| frame.0 == DATA).map(|frame| frame.3.len()).sum()
    };
    let first = client.sent();
    assert_eq!(sent(&first), WINDOW_START as usize);
    assert!(first.iter().all(|frame| frame.3.len() <= frame::PAYLOAD_MAX));

    let mut more = Vec::new();
    push_window_update(&mut more, 0, 1 << 20);
    client.receive(&more).expect("sound");
    assert_eq!(sent(&client.sent()), 0, "the stream's window is empty");
    let mut settings = Vec::new();
    push_settings(&mut settings, &[(frame::SETTING_WINDOW, 65_545)]);
    client.receive(&settings).expect("sound");
    assert_eq!(sent(&client.sent()), 10, "a setting widens streams that are open");
    let mut more = Vec::new();
    push_window_update(&mut more, 1, 1 << 20);
    client.receive(&more).expect("sound");
    let last = client.sent();
    assert_eq!(sent(&last), 100_000 - 65_545);
    assert_eq!(last.last().map(|frame| frame.1), Some(END_STREAM));
    assert_eq!(client.h2.waiting, 0);
}

#[test]
fn a_server_that_goes_away_answers_what_it_took() {
    let mut client = Client::new(3);
    (0..3).for_each(|at| client.ask(at, Method::Get, b""));
    client.receive(&bytes(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0])).expect("sound");
    assert!(client.h2.closing());
    let failed: Vec<_> = client.done.iter().map(|done| (done.slot, done.failure)).collect();
    assert_eq!(failed, [(1, Some(Failure::Reset)), (2, Some(Failure::Reset))]);
    let answer = bytes(HEADERS, END_HEADERS | END_STREAM, 1, &[STATUS_200]);
    client.receive(&answer).expect("sound");
    assert_eq!(client.done.len(), 3);
}

#[test]
fn settings_and_pings_are_acknowledged_and_resets_are_failures() {
    let mut client = Client::new(1);
    assert!(!client.h2.settled());
    let mut input = Vec::new();
    push_settings(&mut input, &[(frame::SETTING_STREAMS_MAX, 7), (frame::SETTING_TABLE_SIZE, 0)]);
    input.extend(bytes(PING, 0, 0, b"12345678"));
    client.receive(&input).expect("sound");
    assert!(client.h2.settled() && client.h2.room() == 7);
    let acks: Vec<_> = client.sent().into_iter().map(|frame| (frame.0, frame.1)).collect();
    assert_eq!(acks, [(SETTINGS, ACK), (PING, ACK)]);

    client.ask(0, Method::Get, b"");
    let head = client.sent().remove(0).3;
    assert_eq!(head[0], 0x20, "a table of no bytes is agreed to first");
    client.receive(&bytes(RST_STREAM, 0, 1, &[0, 0, 0, 2])).expect("sound");
    assert_eq!(client.done[0].failure, Some(Failure::Reset));
    client.receive(&bytes(DATA, END_STREAM, 1, b"late")).expect("late frames are let be");
    assert_eq!(client.done.len(), 1);
}

#[test]
fn what_breaks_the_protocol_is_told() {
    for input in [
        &bytes(DATA, 0, 1, &[0; 17_000])[..],
        &bytes(HEADERS, END_HEADERS, 1, &[0x80]),
        &bytes(HEADERS, END_HEADERS | PADDED, 1, &[9, 0]),
        &[bytes(HEADERS, 0, 1, &[]), bytes(PING, 0, 0, &[0; 8])].concat(),
        &bytes(CONTINUATION, END_HEADERS, 1, &[]),
        &bytes(SETTINGS, 0, 0, &[0; 5]),
        &bytes(frame::PUSH_PROMISE, 0, 1, &[0; 4]),
        &bytes(GOAWAY, 0, 0, &[0; 2]),
    ] {
        let mut client = Client::new(1);
        client.ask(0, Method::Get, b"");
        assert_eq!(client.receive(input), Err(Failure::Protocol), "{:?}", &input[..9]);
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = Random::new(23);
    for _ in 0..20_000 {
        let mut client = Client::new(3);
        (0..3).for_each(|at| client.ask(at, Method::Put, &[1; 70_000]));
        let mut input = Vec::new();
        for _ in 0..random.below(12) {
            let length = random.below(20) as usize;
            let payload: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            let (kind, flags) = (random.below(11) as u8, random.bits() as u8);
            input.extend(bytes(kind, flags, random.below(8) as u32, &payload));
        }
        let mut at = 0;
        while let Ok(taken) = client.receive(&input[at..]) {
            at += taken;
            if taken == 0 {
                break;
            }
        }
        let mut settled = [false; 3];
        for done in &client.done {
            let again = std::mem::replace(&mut settled[done.slot as usize], true);
            assert!(!again, "a request ends once");
        }
    }
}
