//! HTTP/2 floods: much work asked for with few bytes. Each ends with the server's refusal
//! (GOAWAY, or the connection's end) or is simply served, and holds nobody else up.

use std::net::SocketAddr;
use std::time::Duration;

use crate::RECORD;
use crate::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS,
    WINDOW_UPDATE, frame, get,
};

const SILENCE: Duration = Duration::from_millis(300);

/// Every flood, one after the other, each of about `count` frames.
pub fn all(address: SocketAddr, count: u32) {
    rapid_reset(address, count);
    continuation(address, count);
    for kind in [PING, SETTINGS] {
        answered_and_never_read(address, kind, count * 4);
    }
    window_updates(address, count);
    empty_data(address, count);
    garbage(address);
}

/// CVE-2023-44487: requests that are taken back at once, so that no limit of streams counts them.
fn rapid_reset(address: SocketAddr, count: u32) {
    let mut raw = Raw::open(address, &[]);
    let head = get(RECORD);
    let mut refused = false;
    for chunk in 0..count / 100 {
        let mut bytes = Vec::new();
        for n in 0..100 {
            let stream = (chunk * 100 + n) * 2 + 1;
            bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &head));
            bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        if !raw.send(&bytes) {
            refused = true;
            break;
        }
    }
    let (kinds, closed) = raw.read(SILENCE);
    assert!(refused || closed || kinds.contains(&GOAWAY) || count < 1_000, "all of it was taken");
}

/// CVE-2024-27316 and its kin: a head that never ends.
fn continuation(address: SocketAddr, count: u32) {
    let mut raw = Raw::open(address, &[]);
    raw.send(&frame(HEADERS, END_STREAM, 1, &get(RECORD)));
    let mut field = vec![0x00, 1, b'x', 127, 0x80, 0x10];
    field.resize(6 + 2_175, b'v');
    let part = frame(CONTINUATION, 0, 1, &field);
    let taken = (0..count).take_while(|_| raw.send(&part)).count();
    assert!(taken < count as usize || count < 1_000, "a head of {taken} frames was taken");
    raw.finish();
    let (_, closed) = raw.read(SILENCE);
    assert!(closed);
}

/// Frames that must be answered, from a peer that takes no answer.
fn answered_and_never_read(address: SocketAddr, kind: u8, count: u32) {
    let mut raw = Raw::open(address, &[]);
    let one = if kind == PING { frame(PING, 0, 0, &[7; 8]) } else { frame(SETTINGS, 0, 0, &[]) };
    let many = one.repeat(1_000);
    // In the end nothing more is taken, or all of it was cheap: either is well.
    (0..count.div_ceil(1_000)).take_while(|_| raw.send(&many)).count();
    raw.finish();
}

/// Frames that ask for nothing.
fn window_updates(address: SocketAddr, count: u32) {
    let mut raw = Raw::open(address, &[]);
    let many = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).repeat(1_000);
    (0..count.div_ceil(1_000)).take_while(|_| raw.send(&many)).count();
    raw.finish();
    raw.read(SILENCE);
}

/// A body of no bytes in very many frames.
fn empty_data(address: SocketAddr, count: u32) {
    let mut raw = Raw::open(address, &[]);
    let mut head = get("/v1/records:get");
    head[0] = 0x83;
    raw.send(&frame(HEADERS, END_HEADERS, 1, &head));
    let many = frame(DATA, 0, 1, &[]).repeat(1_000);
    (0..count.div_ceil(1_000)).take_while(|_| raw.send(&many)).count();
    raw.finish();
    raw.read(SILENCE);
}

/// Bytes that are no frames, behind a good beginning: the connection ends, with or without a word.
fn garbage(address: SocketAddr) {
    for bytes in [
        vec![0xff; 10_000],
        frame(HEADERS, END_HEADERS, 2, &get(RECORD)),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 40]),
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(WINDOW_UPDATE, 0, 0, &[0; 4]),
        frame(DATA, 0, 99, b"x"),
        frame(CONTINUATION, END_HEADERS, 1, b"x"),
        frame(PING, 0, 0, b"short"),
    ] {
        let mut raw = Raw::open(address, &[]);
        raw.send(&bytes);
        raw.finish();
        let (kinds, closed) = raw.read(Duration::from_secs(5));
        assert!(closed, "{:02x?} keeps the connection, which said {kinds:?}", &bytes[..9]);
    }
}
