//! The states of streams (RFC 9113, sections 5.1 and 5.1.2, 6.1, 6.2, 6.4, 6.10).

use super::*;

const LAST: u8 = flag::END_HEADERS | flag::END_STREAM;

#[test]
fn idle_streams_take_headers_and_priorities_only() {
    Client::new().breaks(&frame(kind::DATA, 0, 1, b"x"), Reason::Protocol);
    Client::new().breaks(&reset(1), Reason::Protocol);
    Client::new().breaks(&window_update(2, 1), Reason::Protocol);
    Client::new().breaks(&frame(kind::DATA, 0, 0, b"x"), Reason::Protocol);
    Client::new().breaks(&frame(kind::RST_STREAM, 0, 0, &[0; 4]), Reason::Protocol);
    Client::new().breaks(&frame(kind::RST_STREAM, 0, 1, &[0; 3]), Reason::FrameSize);
    Client::new()
        .breaks(&frame(kind::HEADERS, LAST, 0, &request("GET", "/1", &[])), Reason::Protocol);
}

#[test]
fn ids_are_odd_and_rise() {
    Client::new().breaks(&get(2, "/1"), Reason::Protocol);
    let mut client = Client::new();
    assert_eq!(client.say(&get(5, "/look/1")), whole(5, 1));
    client.breaks(&get(3, "/look/1"), Reason::Protocol);
    let mut client = Client::new();
    assert_eq!(client.say(&get(1, "/look/1")), whole(1, 1));
    client.breaks(&get(1, "/look/1"), Reason::StreamClosed);
}

#[test]
fn a_peer_that_ended_its_side_says_no_more() {
    let closed = Reason::StreamClosed as u32;
    let mut client = Client::new();
    let asked = [get(1, "/never"), frame(kind::DATA, 0, 1, b"x")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(1, closed)]);
    let asked = [get(3, "/never"), get(3, "/never")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(3, closed)]);
    // Noted, and not answered yet.
    let asked = [get(5, "/look/1"), frame(kind::DATA, 0, 5, b"x")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(5, closed)]);
    let asked = [get(7, "/look/1"), get(7, "/look/1")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(7, closed)]);
}

#[test]
fn frames_on_their_way_to_a_closed_stream_are_ignored() {
    let mut client = Client::new();
    assert_eq!(client.say(&get(1, "/look/1")), whole(1, 1));
    assert_eq!(client.say(&[window_update(1, 9), reset(1)].concat()), []);
    let closed = Said::Reset(1, Reason::StreamClosed as u32);
    assert_eq!(client.say(&frame(kind::DATA, 0, 1, b"x")), [closed]);
    // And now that we reset it, whatever comes was on its way.
    assert_eq!(client.say(&[frame(kind::DATA, 0, 1, b"x"), get(1, "/1")].concat()), []);
}

#[test]
fn a_reset_ends_the_handler() {
    let mut client = Client::new();
    assert_eq!(client.say(&get(1, "/never")), []);
    assert_eq!(client.connection.working.len(), 1);
    assert_eq!(client.say(&reset(1)), []);
    assert_eq!((client.connection.working.len(), client.connection.streams.len()), (0, 0));
}

#[test]
fn streams_over_the_limit_are_refused_and_do_not_count() {
    let mut client = Client::with(Limits { h2_streams: 2, ..Limits::default() }, &[]);
    let refused = Reason::RefusedStream as u32;
    let asked = [get(1, "/never"), get(3, "/never"), get(5, "/never"), get(7, "/look/1")].concat();
    assert_eq!(client.say(&asked), [Said::Reset(5, refused), Said::Reset(7, refused)]);
    assert_eq!(client.say(&[reset(1), get(9, "/look/1")].concat()), whole(9, 1));
}

#[test]
fn trailers_end_a_body() {
    let mut client = Client::new();
    let body = frame(kind::DATA, 0, 1, b"abc");
    let trailers = frame(kind::HEADERS, LAST, 1, &block(&[("checksum", "1")]));
    let asked = [post(1, "/length", &[]), body, trailers].concat();
    assert_eq!(client.say(&asked), whole(1, 1));
    let protocol = Reason::Protocol as u32;
    // Without an end, and with a field that is none of a trailer's.
    let goes_on = frame(kind::HEADERS, flag::END_HEADERS, 3, &block(&[("checksum", "1")]));
    let asked = [post(3, "/length", &[]), goes_on].concat();
    assert_eq!(client.say(&asked), [Said::Reset(3, protocol)]);
    let pseudo = frame(kind::HEADERS, LAST, 5, &block(&[(":path", "/")]));
    let asked = [post(5, "/length", &[]), pseudo].concat();
    assert_eq!(client.say(&asked), [Said::Reset(5, protocol)]);
}

#[test]
fn padding_is_checked() {
    let mut client = Client::new();
    let block = request("GET", "/look/1", &[]);
    let padded = [&[3][..], &block, &[0; 3]].concat();
    assert_eq!(client.say(&frame(kind::HEADERS, LAST | flag::PADDED, 1, &padded)), whole(1, 1));
    let padded = frame(kind::HEADERS, LAST | flag::PADDED, 3, &[200, 0, 0]);
    Client::new().breaks(&padded, Reason::Protocol);
    let data = frame(kind::DATA, flag::PADDED, 1, &[2, 0]);
    Client::new().breaks(&[post(1, "/length", &[]), data].concat(), Reason::Protocol);
    let priority = frame(kind::HEADERS, LAST | flag::PRIORITY, 1, &[0; 4]);
    Client::new().breaks(&priority, Reason::FrameSize);
}
