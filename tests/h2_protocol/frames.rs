//! Beginnings, frames and what steers a connection: sections 3.4, 4.1 to 4.3, 5.3 to 5.5, 6.3, 6.5,
//! 6.7 to 6.9.

use crate::talk::*;
use crate::{LARGE, SMALL, with_server};

#[test]
fn section_3_4_the_preface() {
    with_server(|open| {
        let mut talk = Talk::raw(open().server());
        talk.bytes(PREFACE);
        // The server's own preface is its settings, whatever the client says next.
        assert_eq!(talk.next().unwrap().kind, SETTINGS);
        talk.frame(PING, 0, 0, &[0; 8]);
        talk.is_ended(PROTOCOL);
        let mut talk = Talk::raw(open().server());
        talk.bytes(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
        while talk.next().is_some_and(|frame| frame.kind != HEADERS) {}
    });
}

#[test]
fn section_4_1_frames_of_any_type() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(0x16, 0xff, 0, &[0; 8]);
        talk.frame(0x16, 0xff, 7, &[0; 8]);
        // Undefined flags of a PING.
        talk.frame(PING, 0xfe, 0, &[7; 8]);
        assert_eq!(talk.until(|frame| frame.kind == PING).payload, [7; 8]);
        // The reserved bit.
        let mut ping = frame(PING, 0, 0x8000_0000, &[8; 8]);
        ping[5] = 0x80;
        talk.bytes(&ping);
        assert_eq!(talk.until(|frame| frame.kind == PING).payload, [8; 8]);
    });
}

#[test]
fn section_4_2_the_size_of_frames() {
    with_server(|open| {
        let mut talk = open();
        talk.put(1);
        talk.frame(DATA, 0, 1, &[b' '; 16_384]);
        talk.is_alive();
        talk.frame(DATA, 0, 1, &[b' '; 16_385]);
        talk.is_ended(FRAME_SIZE);
        let mut talk = open();
        talk.frame(HEADERS, WHOLE, 1, &[0; 16_385]);
        talk.is_ended(FRAME_SIZE);
    });
}

#[test]
fn section_4_3_header_compression() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(HEADERS, WHOLE, 1, &[0x82, 0x86, 0x84, 0xff]);
        talk.is_ended(COMPRESSION);
        let mut talk = open();
        talk.frame(HEADERS, END_STREAM, 1, &head("GET", SMALL, &[]));
        talk.frame(PRIORITY, 0, 1, &[0; 5]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.frame(HEADERS, END_STREAM, 1, &head("GET", SMALL, &[]));
        talk.frame(HEADERS, WHOLE, 3, &head("GET", SMALL, &[]));
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_5_3_priorities() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(PRIORITY, 0, 9, &[0x80, 0, 0, 1, 255]);
        let payload = [&[0, 0, 0, 9, 16][..], &head("GET", SMALL, &[])].concat();
        talk.frame(HEADERS, WHOLE | WITH_PRIORITY, 1, &payload);
        assert_eq!(talk.reply(1), (200, 5));
        talk.frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]);
        talk.is_alive();
    });
}

#[test]
fn section_5_4_errors() {
    with_server(|open| {
        // Of a stream: the connection goes on.
        let mut talk = open();
        talk.put(1);
        talk.frame(WINDOW_UPDATE, 0, 1, &[0; 4]);
        talk.is_reset(1, PROTOCOL);
        // Of the connection: the last stream is named, and the end follows.
        talk.get(3, SMALL);
        assert_eq!(talk.reply(3), (200, 5));
        talk.frame(PING, 0, 5, &[0; 8]);
        let goaway = talk.until(|frame| frame.kind == GOAWAY);
        assert_eq!((goaway.number(0), goaway.number(4)), (3, PROTOCOL));
        assert!(talk.next().is_none());
    });
}

#[test]
fn section_5_5_extensions() {
    with_server(|open| {
        let mut talk = open();
        talk.settings(&[(0xfafa, 7)]);
        talk.frame(0xfa, 0, 0, b"unknown");
        talk.is_alive();
        talk.frame(HEADERS, END_STREAM, 1, &head("GET", SMALL, &[]));
        talk.frame(0xfa, 0, 1, b"unknown");
        talk.is_ended(PROTOCOL);
    });
}

#[test]
fn section_6_3_priority() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(PRIORITY, 0, 0, &[0; 5]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.frame(PRIORITY, 0, 1, &[0; 4]);
        talk.is_ended(FRAME_SIZE);
    });
}

#[test]
fn section_6_5_settings() {
    with_server(|open| {
        let cases: [(u8, u32, &[u8], u32); 7] = [
            (ACK, 0, &[0; 6], FRAME_SIZE),
            (0, 1, &[], PROTOCOL),
            (0, 0, &[0; 3], FRAME_SIZE),
            (0, 0, &[0, 2, 0, 0, 0, 2], PROTOCOL),
            (0, 0, &[0, 4, 0x80, 0, 0, 0], FLOW_CONTROL),
            (0, 0, &[0, 5, 0, 0, 0x3f, 0xff], PROTOCOL),
            (0, 0, &[0, 5, 1, 0, 0, 0], PROTOCOL),
        ];
        for (flags, stream, payload, code) in cases {
            let mut talk = open();
            talk.frame(SETTINGS, flags, stream, payload);
            talk.is_ended(code);
        }
        let mut talk = open();
        talk.settings(&[(1, 0), (2, 0), (3, 1), (4, 9), (4, 5), (5, 20_000), (6, 1), (99, 1)]);
        talk.until(|frame| frame.kind == SETTINGS && frame.flags == ACK);
        talk.get(1, SMALL);
        assert_eq!(talk.reply(1), (200, 5));
    });
}

#[test]
fn section_6_7_ping() {
    with_server(|open| {
        let mut talk = open();
        talk.frame(PING, 0, 0, b"12345678");
        let pong = talk.until(|frame| frame.kind == PING);
        assert_eq!((pong.flags, &pong.payload[..]), (ACK, &b"12345678"[..]));
        talk.frame(PING, ACK, 0, b"12345678");
        talk.is_alive();
        talk.frame(PING, 0, 1, &[0; 8]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.frame(PING, 0, 0, &[0; 6]);
        talk.is_ended(FRAME_SIZE);
    });
}

#[test]
fn section_6_8_goaway() {
    with_server(|open| {
        let mut talk = open();
        talk.get(1, SMALL);
        talk.frame(GOAWAY, 0, 0, &[0; 8]);
        assert_eq!(talk.reply(1), (200, 5));
        talk.frame(GOAWAY, 0, 1, &[0; 8]);
        talk.is_ended(PROTOCOL);
        let mut talk = open();
        talk.frame(GOAWAY, 0, 0, &[0; 7]);
        talk.is_ended(FRAME_SIZE);
    });
}

#[test]
fn section_6_9_window_update() {
    with_server(|open| {
        let cases: [(u32, &[u8], u32); 4] = [
            (0, &[0; 4], PROTOCOL),
            (0, &[0; 3], FRAME_SIZE),
            (0, &[0x7f, 0xff, 0xff, 0xff], FLOW_CONTROL),
            (1, &[0, 0, 0, 1], PROTOCOL),
        ];
        for (stream, payload, code) in cases {
            let mut talk = open();
            talk.frame(WINDOW_UPDATE, 0, stream, payload);
            talk.is_ended(code);
        }
        let mut talk = open();
        talk.put(1);
        talk.frame(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]);
        talk.is_reset(1, FLOW_CONTROL);
    });
}

#[test]
fn section_6_9_1_the_windows_of_replies() {
    with_server(|open| {
        let mut talk = Talk::open_with(open().server(), &[(4, 1)]);
        talk.get(1, SMALL);
        assert_eq!(talk.until(|frame| frame.kind == DATA).payload.len(), 1);
        talk.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 2]);
        assert_eq!(talk.until(|frame| frame.kind == DATA).payload.len(), 2);
        talk.settings(&[(4, 100)]);
        let last = talk.until(|frame| frame.kind == DATA);
        assert_eq!((last.payload.len(), last.flags), (2, END_STREAM));
        // Of the connection: 65,535 bytes, and not one more until they are given.
        let mut talk = Talk::open_with(open().server(), &[(4, 1 << 20)]);
        talk.get(1, LARGE);
        let mut length = 0;
        while length < 65_535 {
            length += talk.until(|frame| frame.kind == DATA).payload.len();
        }
        assert_eq!(length, 65_535);
        talk.is_alive();
        talk.frame(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]);
        while length < 100_000 {
            length += talk.until(|frame| frame.kind == DATA).payload.len();
        }
        talk.is_alive();
    });
}

#[test]
fn section_6_9_2_a_window_below_zero() {
    with_server(|open| {
        let mut talk = Talk::open_with(open().server(), &[(4, 3)]);
        talk.get(1, SMALL);
        assert_eq!(talk.until(|frame| frame.kind == DATA).payload.len(), 3);
        talk.settings(&[(4, 1)]);
        talk.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 2]);
        talk.is_alive();
        talk.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
        assert_eq!(talk.until(|frame| frame.kind == DATA).payload.len(), 1);
        talk.settings(&[(4, 0x7fff_ffff)]);
        talk.until(|frame| frame.kind == DATA && frame.flags == END_STREAM);
    });
}
