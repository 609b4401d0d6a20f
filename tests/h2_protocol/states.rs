//! The life of streams: sections 5.1, 5.1.1, 5.1.2, 6.1, 6.2, 6.4, 6.6 and 6.10.

use crate::talk::*;
use crate::{SMALL, with_server};

#[test]
fn section_5_1_idle_streams() {
    with_server(|open| {
        for (kind, payload) in
            [(DATA, vec![1]), (RST_STREAM, vec![0; 4]), (WINDOW_UPDATE, vec![1; 4])]
        {
            let mut talk = open();
            talk.frame(kind, 0, 1, &payload);
            talk.is_ended(PROTOCOL);
        }
        let mut talk = open();
        talk.frame(CONTINUATION, END_HEADERS, 1, &[]);
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_5_1_half_closed_streams() {
    with_server(|open| {
        // The reply waits for a window, so the stream is half-closed and not closed.
        let settings = [(4, 0)];
        let mut talk = Talk::open_with(open().server(), &settings);
        talk.get(1, SMALL);
        talk.frame(DATA, END_STREAM, 1, b"x");
        talk.is_reset(1, STREAM_CLOSED);
        talk.get(3, SMALL);
        talk.until(|frame| frame.kind == HEADERS);
        talk.get(3, SMALL);
        talk.is_reset(3, STREAM_CLOSED);
        talk.get(5, SMALL);
        talk.frame(PRIORITY, 0, 5, &[0; 5]);
        talk.frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 5]);
        assert_eq!(talk.reply(5), (200, 5));
        talk.get(7, SMALL);
        talk.frame(RST_STREAM, 0, 7, &[0, 0, 0, 8]);
        talk.is_alive();
    });
}

#[test]
fn section_5_1_closed_streams() {
    with_server(|open| {
        let mut talk = open();
        talk.get(1, SMALL);
        assert_eq!(talk.reply(1), (200, 5));
        for (kind, payload) in
            [(PRIORITY, vec![0; 5]), (WINDOW_UPDATE, vec![1; 4]), (RST_STREAM, vec![0; 4])]
        {
            talk.frame(kind, 0, 1, &payload);
            talk.is_alive();
        }
        talk.frame(DATA, 0, 1, b"x");
        talk.is_reset(1, STREAM_CLOSED);
        // Closed by the client's reset.
        talk.put(3);
        talk.frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]);
        talk.frame(DATA, 0, 3, b"x");
        talk.is_reset(3, STREAM_CLOSED);
        talk.get(5, SMALL);
        assert_eq!(talk.reply(5), (200, 5));
        talk.get(5, SMALL);
        talk.is_ended(STREAM_CLOSED);
    });
}

#[test]
fn section_5_1_1_the_ids_of_streams() {
    with_server(|open| {
        let mut talk = open();
        talk.get(2, SMALL);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.get(5, SMALL);
        talk.get(3, SMALL);
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_5_1_2_streams_at_once() {
    with_server(|open| {
        let mut talk = Talk::raw(open().server());
        talk.bytes(PREFACE);
        talk.settings(&[]);
        let settings = talk.until(|frame| frame.kind == SETTINGS).payload;
        let most = settings.chunks(6).find(|pair| pair[..2] == [0, 3]).unwrap();
        let most = u32::from_be_bytes(most[2..].try_into().unwrap());
        (0..=most).for_each(|n| talk.put(2 * n + 1));
        talk.is_reset(2 * most + 1, REFUSED);
        talk.frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
        talk.get(2 * most + 3, SMALL);
        assert_eq!(talk.reply(2 * most + 3), (200, 5));
    });
}

#[test]
fn section_6_1_data() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(DATA, 0, 0, b"x");
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.put(1);
        talk.frame(DATA, PADDED | END_STREAM, 1, &[4, b'1', b'2', 0, 0, 0, 0]);
        assert_eq!(talk.reply(1).0, 201);
        talk.put(3);
        talk.frame(DATA, PADDED | END_STREAM, 3, &[7, b'1', 0, 0, 0, 0, 0]);
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_6_2_headers() {
    with_server(|open| {
        let mut talk = open();
        let padded = [&[2][..], &head("GET", SMALL, &[]), &[0; 2]].concat();
        talk.frame(HEADERS, WHOLE | PADDED, 1, &padded);
        assert_eq!(talk.reply(1), (200, 5));
        talk.frame(HEADERS, WHOLE | PADDED, 3, &[100, 0x82, 0]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.get(0, SMALL);
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_6_4_rst_stream() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(RST_STREAM, 0, 0, &[0; 4]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.put(1);
        talk.frame(RST_STREAM, 0, 1, &[0; 3]);
        talk.is_ended(FRAME_SIZE);
    });
}

#[test]
fn section_6_6_push_promise() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]);
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_6_10_continuation() {
    with_server(|open| {
        let block = head("GET", SMALL, &[("accept", "*/*")]);
        let mut talk = open();
        talk.frame(HEADERS, END_STREAM, 1, &block[..9]);
        talk.frame(CONTINUATION, 0, 1, &block[9..20]);
        talk.frame(CONTINUATION, 0, 1, &[]);
        talk.frame(CONTINUATION, END_HEADERS, 1, &block[20..]);
        assert_eq!(talk.reply(1), (200, 5));
        talk.frame(CONTINUATION, END_HEADERS, 1, &block);
        talk.is_ended(PROTOCOL);
        for (kind, stream) in [(CONTINUATION, 0), (CONTINUATION, 3), (DATA, 1), (SETTINGS, 0)] {
            let mut talk = open();
            talk.frame(HEADERS, END_STREAM, 1, &block);
            talk.frame(kind, END_HEADERS, stream, &[]);
            talk.is_ended(PROTOCOL);
        }
    });
}
