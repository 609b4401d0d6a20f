//! Header blocks: whole, in pieces, malformed, too large (RFC 9113, sections 4.3, 6.10, 8.2, 8.3,
//! 8.5 and 10.5.1).

use super::*;

const LAST: u8 = flag::END_HEADERS | flag::END_STREAM;

#[test]
fn a_block_in_pieces_is_put_together() {
    let mut client = Client::new();
    let block = request("GET", "/look/3", &[("accept", "*/*")]);
    let (first, rest) = block.split_at(10);
    let (second, third) = rest.split_at(20);
    let asked = [
        frame(kind::HEADERS, flag::END_STREAM, 1, first),
        frame(kind::CONTINUATION, 0, 1, second),
        frame(kind::CONTINUATION, flag::END_HEADERS, 1, third),
    ];
    for part in &asked[..2] {
        assert_eq!(client.say(part), []);
        assert!(client.connection.is_in_head());
    }
    assert_eq!(client.say(&asked[2]), whole(1, 3));
    assert!(!client.connection.is_in_head());
}

#[test]
fn nothing_comes_between_the_pieces() {
    let begun = frame(kind::HEADERS, flag::END_STREAM, 1, &request("GET", "/1", &[]));
    for between in [
        frame(kind::PING, 0, 0, &[0; 8]),
        frame(kind::CONTINUATION, flag::END_HEADERS, 3, &[]),
        frame(0x42, 0, 0, &[]),
        get(3, "/1"),
    ] {
        Client::new().breaks(&[&begun[..], &between].concat(), Reason::Protocol);
    }
    Client::new().breaks(&frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]), Reason::Protocol);
}

#[test]
fn a_block_without_an_end_ends_the_connection() {
    for part in [vec![], vec![0], vec![0; 16_000]] {
        let begun = frame(kind::HEADERS, flag::END_STREAM, 1, &[]);
        let part = frame(kind::CONTINUATION, 0, 1, &part);
        let asked = [begun, part.repeat(100)].concat();
        Client::new().breaks(&asked, Reason::EnhanceYourCalm);
    }
}

#[test]
fn a_block_that_cannot_be_decoded_ends_the_connection() {
    Client::new().breaks(&frame(kind::HEADERS, LAST, 1, &[0xff; 20]), Reason::Compression);
    Client::new().breaks(&frame(kind::HEADERS, LAST, 1, &[0x80]), Reason::Compression);
}

#[test]
fn a_malformed_request_ends_its_stream_and_the_table_stays_right() {
    let mut client = Client::new();
    // An upper-case name, put into the table by the block that is refused.
    let mut malformed = request("GET", "/look/1", &[]);
    malformed.extend_from_slice(b"\x40\x01X\x01y");
    malformed.extend_from_slice(b"\x40\x06accept\x03*/*");
    let said = client.say(&frame(kind::HEADERS, LAST, 1, &malformed));
    assert_eq!(said, [Said::Reset(1, Reason::Protocol as u32)]);
    let mut good = request("GET", "/look/1", &[]);
    good.push(0x80 | 62);
    assert_eq!(client.say(&frame(kind::HEADERS, LAST, 3, &good)), whole(3, 1));
}

#[test]
fn what_is_too_large_is_told_so_and_the_connection_goes_on() {
    let mut client = Client::with(Limits { head_size: 1_000, ..Limits::default() }, &[]);
    let long = "v".repeat(100);
    let fields: Vec<_> = (0..10).map(|_| ("x", long.as_str())).collect();
    let head = request("GET", "/look/1", &fields);
    assert_eq!(client.say(&frame(kind::HEADERS, LAST, 1, &head)), [Said::Head(1, 431, true)]);
    let said = client.say(&frame(kind::HEADERS, flag::END_HEADERS, 3, &head));
    assert_eq!(said, [Said::Head(3, 431, true), Said::Reset(3, Reason::No as u32)]);
    assert_eq!(client.say(&get(5, "/look/1")), whole(5, 1));
}

#[test]
fn a_block_that_expands_a_thousandfold_costs_no_memory() {
    let mut client = Client::new();
    // A value of 4,000 bytes goes into the table, and is then named 8,000 times.
    let mut head = request("GET", "/look/1", &[]);
    head.extend_from_slice(b"\x40\x01x\x7f\xa1\x1e");
    head.extend_from_slice(&[b'v'; 4_000]);
    head.extend_from_slice(&[0x80 | 62; 8_000]);
    assert_eq!(client.say(&frame(kind::HEADERS, LAST, 1, &head)), [Said::Head(1, 431, true)]);
}

#[test]
fn a_connect_and_a_head_get_heads_alone() {
    let mut client = Client::new();
    let connect = block(&[(":method", "CONNECT"), (":authority", "pumice:80")]);
    assert_eq!(client.say(&frame(kind::HEADERS, LAST, 1, &connect)), [Said::Head(1, 501, true)]);
    let head = request("HEAD", "/10", &[]);
    assert_eq!(client.say(&frame(kind::HEADERS, LAST, 3, &head)), [Said::Head(3, 200, true)]);
}
