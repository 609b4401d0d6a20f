//! What its web framework puts around every answer: probes, CORS, Vary, gzip.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::server::{Reply, request};
use crate::{Fire, JSON};

/// Both values of `Vary`, which stand in headers of their own.
fn varies(reply: &Reply) -> Vec<String> {
    let lines = reply.head.lines().filter_map(|line| line.strip_prefix("vary: "));
    lines.map(str::to_lowercase).collect()
}

#[test]
fn probes_answer_in_text() {
    let fire = Fire::start();
    for target in ["/up", "/ready"] {
        let reply = request(fire.server.http, "GET", target, &[], b"");
        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
        assert_eq!(reply.header("content-type"), Some("text/plain; charset=UTF-8"));
        assert_eq!(varies(&reply), ["origin", "accept-encoding"]);
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    fire.stop();
}

#[test]
fn any_page_may_call() {
    let fire = Fire::start();
    let origin = ("origin", "https://example.org");
    for target in ["/records/put", "/records/whatever", "/up", "/none"] {
        let asks = [
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-mine"),
        ];
        let reply = request(fire.server.http, "OPTIONS", target, &asks, b"");
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{target}");
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        let methods = reply.header("access-control-allow-methods");
        assert_eq!(methods, Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
        let headers = reply.header("access-control-allow-headers");
        assert_eq!(headers, Some("content-type,x-mine"));
        assert_eq!(varies(&reply), ["origin", "accept-encoding"]);
    }
    for (body, status) in [(r#"{"Records":[{"pk":"a"}]}"#, 200), ("x", 400)] {
        let reply = fire.post_with("put", &[JSON, origin], body);
        assert_eq!(
            (reply.status, reply.header("access-control-allow-origin")),
            (status, Some("*"))
        );
        assert_eq!(varies(&reply), ["origin", "accept-encoding"]);
    }
    fire.stop();
}

#[test]
fn long_answers_are_compressed_when_asked_for() {
    let fire = Fire::start();
    // More than one transaction reads, so that pages are compressed as they are made.
    let records: Vec<_> = (0..2_000)
        .map(|n| json!({ "pk": "pk", "sk": format!("{n:05}"), "data": { "text": "v".repeat(n) } }))
        .collect();
    fire.ok("put", &json!({ "Records": records }).to_string());
    let gzip = ("accept-encoding", "br, gzip;q=0.5");
    for (body, compressed) in [
        (r#"{"pk":"pk","limit":1}"#, false),
        (r#"{"pk":"pk","limit":100}"#, true),
        (r#"{"pk":"pk"}"#, true),
    ] {
        let plain = fire.post("list", body);
        assert_eq!(plain.header("content-encoding"), None);
        let reply = fire.post_with("list", &[JSON, gzip], body);
        assert_eq!(reply.status, 200);
        if !compressed {
            assert_eq!((reply.header("content-encoding"), &reply.body), (None, &plain.body));
            continue;
        }
        assert_eq!(reply.header("content-encoding"), Some("gzip"));
        assert!(reply.body.len() < plain.body.len() / 2);
        let mut text = Vec::new();
        GzDecoder::new(&*reply.body).read_to_end(&mut text).unwrap();
        assert!(text == plain.body, "{body}: the text differs");
    }
    let other = fire.post_with("list", &[JSON, ("accept-encoding", "br")], r#"{"pk":"pk"}"#);
    assert_eq!(other.header("content-encoding"), None);
    fire.stop();
}
