//! Requests: sections 8.1 to 8.3, and CONNECT (8.5).

use crate::talk::*;
use crate::{SMALL, with_server};

fn refused(open: &dyn Fn() -> Talk, block: &[u8]) {
    let mut talk = open();
    talk.frame(HEADERS, WHOLE, 1, block);
    talk.is_reset(1, PROTOCOL);
}

#[test]
fn section_8_1_the_parts_of_a_request() {
    with_server(|open| {
        let mut talk = open();
        talk.put(1);
        talk.frame(DATA, 0, 1, b"\"tra");
        talk.frame(DATA, 0, 1, b"iled\"");
        talk.frame(HEADERS, WHOLE, 1, &block(&[("checksum", "1")]));
        assert_eq!(talk.reply(1).0, 201);
        // A second head that does not end the request.
        talk.put(3);
        talk.put(3);
        talk.is_reset(3, PROTOCOL);
        // Trailers with a pseudo-header.
        talk.put(5);
        talk.frame(HEADERS, WHOLE, 5, &block(&[(":method", "GET")]));
        talk.is_reset(5, PROTOCOL);
    });
}

#[test]
fn section_8_1_1_the_length_of_a_body() {
    with_server(|open| {
        let declared = head("PUT", "/v1/records/pk/sk", &[("content-length", "2")]);
        let mut talk = open();
        talk.frame(HEADERS, END_HEADERS, 1, &declared);
        talk.frame(DATA, END_STREAM, 1, b"12");
        assert_eq!(talk.reply(1).0, 201);
        talk.frame(HEADERS, END_HEADERS, 3, &declared);
        talk.frame(DATA, END_STREAM, 3, b"1");
        talk.is_reset(3, PROTOCOL);
        talk.frame(HEADERS, END_HEADERS, 5, &declared);
        talk.frame(DATA, 0, 5, b"12");
        talk.frame(DATA, END_STREAM, 5, b"3");
        talk.is_reset(5, PROTOCOL);
        talk.frame(HEADERS, WHOLE, 7, &declared);
        talk.is_reset(7, PROTOCOL);
    });
}

#[test]
fn section_8_2_1_names_and_values() {
    with_server(|open| {
        for field in
            [("Accept", "x"), ("a b", "x"), ("", "x"), ("x", "a\nb"), ("x", "a\0"), ("x", " a")]
        {
            refused(open, &head("GET", SMALL, &[field]));
        }
    });
}

#[test]
fn section_8_2_2_fields_of_a_connection() {
    with_server(|open| {
        for field in [
            ("connection", "keep-alive"),
            ("keep-alive", "1"),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("te", "trailers, deflate"),
        ] {
            refused(open, &head("GET", SMALL, &[field]));
        }
        let mut talk = open();
        talk.frame(HEADERS, WHOLE, 1, &head("GET", SMALL, &[("te", "trailers")]));
        assert_eq!(talk.reply(1), (200, 5));
    });
}

#[test]
fn section_8_2_3_cookies_in_crumbs() {
    with_server(|open| {
        let mut talk = open();
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2")];
        talk.frame(HEADERS, WHOLE, 1, &head("GET", SMALL, &crumbs));
        assert_eq!(talk.reply(1), (200, 5));
    });
}

#[test]
fn section_8_3_pseudo_headers() {
    with_server(|open| {
        refused(open, &head("GET", SMALL, &[(":unknown", "x")]));
        refused(open, &head("GET", SMALL, &[(":status", "200")]));
        refused(open, &head("GET", SMALL, &[("accept", "x"), (":authority", "late")]));
        refused(
            open,
            &block(&[("x", "y"), (":method", "GET"), (":scheme", "http"), (":path", "/")]),
        );
    });
}

#[test]
fn section_8_3_1_the_pseudo_headers_of_requests() {
    with_server(|open| {
        let all = [(":method", "GET"), (":scheme", "http"), (":path", SMALL)];
        for left_out in 0..all.len() {
            let mut some = all.to_vec();
            some.remove(left_out);
            refused(open, &block(&some));
            refused(open, &block(&[&all[..], &all[left_out..=left_out]].concat()));
        }
        refused(open, &block(&[(":method", "GET"), (":scheme", "http"), (":path", "")]));
        let mut talk = open();
        talk.frame(HEADERS, WHOLE, 1, &block(&all));
        assert_eq!(talk.reply(1), (200, 5));
    });
}

#[test]
fn section_8_5_connect() {
    with_server(|open| {
        let mut talk = open();
        let connect = [(":method", "CONNECT"), (":authority", "pumice:80")];
        talk.frame(HEADERS, WHOLE, 1, &block(&connect));
        assert_eq!(talk.reply(1), (501, 0));
        refused(open, &block(&[&connect[..], &[(":scheme", "http")]].concat()));
    });
}
