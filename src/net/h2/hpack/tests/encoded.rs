//! What the encoder writes, octet by octet: how a reply head shrinks, and when its fields return.

use super::super::Encoder;
use super::{Decoder, lines};

fn block(encoder: &mut Encoder, write: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out);
    write(encoder, &mut out);
    out
}

#[test]
fn a_head_is_a_byte_a_field_from_its_second_time_on() {
    let mut encoder = Encoder::new();
    let mut head = |date: &'static [u8]| {
        block(&mut encoder, |encoder, out| {
            encoder.status(out, 200);
            encoder.constant(out, "content-type", "application/json");
            encoder.changing(out, "date", date);
            encoder.literal(out, b"content-length", b"17");
        })
    };
    let first = head(b"Mon, 21 Oct 2013 20:13:21 GMT");
    assert_eq!(first[..3], [0x88, 0x5f, 16]);
    let length = [0x0f, 0x0d, 2, b'1', b'7'];
    assert_eq!(head(b"Mon, 21 Oct 2013 20:13:21 GMT"), [&[0x88, 0xbf, 0xbe], &length[..]].concat());
    let later = head(b"Mon, 21 Oct 2013 20:13:22 GMT");
    assert_eq!(later[..4], [0x88, 0xbf, 0x61, 29], "another date is inserted");
    assert_eq!(head(b"Mon, 21 Oct 2013 20:13:22 GMT"), [&[0x88, 0xc0, 0xbe], &length[..]].concat());
}

#[test]
fn each_status_is_one_byte_at_once_or_from_its_second_time_on() {
    let mut encoder = Encoder::new();
    for (at, status) in [200, 204, 206, 304, 400, 404, 500].into_iter().enumerate() {
        assert_eq!(
            block(&mut encoder, |encoder, out| encoder.status(out, status)),
            [0x88 + at as u8]
        );
    }
    let busy = |encoder: &mut Encoder, out: &mut Vec<u8>| encoder.status(out, 503);
    assert_eq!(block(&mut encoder, busy), b"\x48\x03503");
    assert_eq!(block(&mut encoder, busy), [0xbe]);
}

#[test]
fn what_was_evicted_is_inserted_again() {
    let mut encoder = Encoder::new();
    encoder.peer_table_size(100);
    let mut decoder = Decoder::new(100, &[]);
    let mut send = |name, value| {
        let block = block(&mut encoder, |encoder, out| encoder.constant(out, name, value));
        (lines(&mut decoder, &block), block.len())
    };
    // Two of these fit, 48 bytes each.
    assert_eq!(send("x-first", "123456789"), (vec!["x-first: 123456789".to_owned()], 21));
    assert_eq!(send("x-other", "123456789").1, 19);
    assert_eq!(send("x-first", "123456789").1, 1);
    assert_eq!(send("x-third", "123456789").1, 19, "evicts the first");
    assert_eq!(send("x-other", "123456789").1, 1);
    assert_eq!(send("x-first", "123456789").1, 19);
    assert_eq!(send("x-other", "123456789"), (vec!["x-other: 123456789".to_owned()], 19));
}

#[test]
fn a_peer_without_a_table_gets_literals() {
    let mut encoder = Encoder::new();
    encoder.peer_table_size(0);
    let mut decoder = Decoder::new(0, &[]);
    for first in [true, false] {
        let block = block(&mut encoder, |encoder, out| {
            encoder.status(out, 503);
            encoder.constant(out, "server", "pumice");
            encoder.changing(out, "date", b"now");
        });
        assert_eq!(block.starts_with(&[0x20]), first, "told once");
        assert_eq!(lines(&mut decoder, &block), [":status: 503", "server: pumice", "date: now"]);
    }
}

#[test]
fn table_sizes_between_blocks_are_told_least_first() {
    let mut encoder = Encoder::new();
    assert_eq!(block(&mut encoder, |_, _| ()), [0u8; 0]);
    encoder.peer_table_size(65_536);
    assert_eq!(block(&mut encoder, |_, _| ()), [0u8; 0], "we use no more than before");
    encoder.constant(&mut Vec::new(), "server", "pumice");
    encoder.peer_table_size(100);
    encoder.peer_table_size(0);
    encoder.peer_table_size(10_000);
    assert_eq!(block(&mut encoder, |_, _| ()), [0x20, 0x3f, 0xe1, 0x1f]);
    let again = block(&mut encoder, |encoder, out| encoder.constant(out, "server", "pumice"));
    assert_eq!(again, b"\x76\x06pumice", "the table was emptied between");
    encoder.peer_table_size(30);
    assert_eq!(block(&mut encoder, |_, _| ()), [0x3e]);
    assert_eq!(block(&mut encoder, |_, _| ()), [0u8; 0]);
}

#[test]
fn constants_are_one_wherever_their_text_lies() {
    let mut encoder = Encoder::new();
    let moved: &'static str = String::from("application/json").leak();
    let mut send =
        |value| block(&mut encoder, |encoder, out| encoder.constant(out, "content-type", value));
    assert_eq!(send("application/json").len(), 18);
    assert_eq!(send(moved), [0xbe]);
    assert_eq!(send("application/json"), [0xbe]);
}
