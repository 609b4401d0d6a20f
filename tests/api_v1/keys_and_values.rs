//! Any byte of a key and any JSON of a value comes back as it went in, up to the limits.

use crate::server::request;
use crate::{Api, JSON, error};

#[test]
fn keys_are_any_text() {
    let api = Api::start();
    for (target, pk, sk) in [
        ("a/b", "a", "b"),
        ("a/", "a", ""),
        ("a/b/c", "a", "b/c"),
        ("a/b/", "a", "b/"),
        ("a//", "a", "/"),
        ("a%2Fb/c%2fd", "a/b", "c/d"),
        ("a%00b/%00", "a\0b", "\0"),
        ("a/%00b", "a", "\0b"),
        ("a+b/%2B%20", "a+b", "+ "),
        ("%25/%3F%23%26", "%", "?#&"),
        ("..%2F/%2E%2E", "../", ".."),
        ("%E6%97%A5%E6%9C%AC/%F0%9F%AA%A8", "日本", "🪨"),
        ("%22%5C/%0A%7F", "\"\\", "\n\u{7f}"),
    ] {
        let data = serde_json::json!([pk, sk]).to_string();
        let put = api.put(&format!("/v1/records/{target}"), &[], &data);
        assert_eq!(put.status, 201, "{target}: {put:?}");
        assert_eq!(api.get(&format!("/v1/records/{target}"), &[]).text(), data, "{target}");
        let keys = serde_json::json!({ "keys": [{ "pk": pk, "sk": sk }] }).to_string();
        let found = &api.post("/v1/records:get", &[], &keys).json()["records"][0];
        assert_eq!(
            (&found["found"], &found["pk"], &found["sk"]),
            (&true.into(), &pk.into(), &sk.into())
        );
        assert_eq!(found["data"], serde_json::json!([pk, sk]), "{target}");
    }
    let listed = api.get("/v1/records/a", &[]).json();
    let keys: Vec<&str> =
        listed["records"].as_array().unwrap().iter().map(|r| r["sk"].as_str().unwrap()).collect();
    assert_eq!(keys, ["", "\0b", "/", "b", "b/", "b/c"]);
    api.stop();
}

#[test]
fn keys_have_limits() {
    let api = Api::start();
    let (pk, sk) = ("%C3%A9".repeat(256), "%41".repeat(1_024));
    let longest = format!("/v1/records/{pk}/{sk}");
    assert_eq!(api.put(&longest, &[], "1").status, 201);
    assert_eq!(api.get(&longest, &[]).text(), "1");
    for (target, text) in [
        (format!("{pk}x/s"), "pk has 513 bytes, allowed are 1 to 512"),
        (format!("{pk}x"), "pk has 513 bytes, allowed are 1 to 512"),
        ("/s".to_owned(), "pk has 0 bytes"),
        (String::new(), "pk has 0 bytes"),
        (format!("p/{sk}x"), "sk has 1025 bytes, allowed are 0 to 1024"),
    ] {
        let message = error(&api.get(&format!("/v1/records/{target}"), &[]), 400, "limit");
        assert!(message.contains(text), "{message}");
    }
    for (target, text) in [
        ("a%/b", "pk has a malformed percent-encoding"),
        ("a/b%4", "sk has a malformed percent-encoding"),
        ("a/b%g0", "sk has a malformed percent-encoding"),
        ("%FF/b", "pk is not UTF-8"),
        ("a/%ED%A0%80", "sk is not UTF-8"),
        ("a/%C0%80", "sk is not UTF-8"),
    ] {
        let message = error(&api.get(&format!("/v1/records/{target}"), &[]), 400, "syntax");
        assert_eq!(message, text, "{target}");
    }
    api.stop();
}

#[test]
fn values_are_kept_byte_for_byte() {
    let api = Api::start();
    let deep = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for (sent, kept) in [
        ("null", "null"),
        ("true", "true"),
        ("\"\"", "\"\""),
        ("9007199254740993", "9007199254740993"),
        ("-123456789012345678901234567890.10", "-123456789012345678901234567890.10"),
        ("1.0", "1.0"),
        ("-0", "-0"),
        ("1E+400", "1E+400"),
        (r#"{"b":1,"a":2,"b":3}"#, r#"{"b":1,"a":2,"b":3}"#),
        ("\t{ \"a b\" :\r\n [ 1 , \" x \\\" y \" ] } ", r#"{"a b":[1," x \" y "]}"#),
        (r#""\u0041\/<&>\ud83e\udea8""#, r#""\u0041\/<&>\ud83e\udea8""#),
        // Half a surrogate is JSON by its grammar, and what some clients send.
        (r#""\ud83e""#, r#""\ud83e""#),
        ("\"日本 \u{7f}\"", "\"日本 \u{7f}\""),
        (deep.as_str(), deep.as_str()),
    ] {
        let put = api.put("/v1/records/pk/value", &[], sent);
        assert!([200, 201].contains(&put.status), "{sent}: {put:?}");
        assert_eq!(api.get("/v1/records/pk/value", &[]).text(), kept);
        let data = format!("\"data\":{kept},\"etag\"");
        let keys = r#"{"keys":[{"pk":"pk","sk":"value"}]}"#;
        assert!(api.post("/v1/records:get", &[], keys).text().contains(&data), "{kept}");
        assert!(api.get("/v1/records/pk", &[]).text().contains(&data), "{kept}");
    }
    let batch = r#"{"operations":[{"put":{"pk":"pk","sk":"value","data": {"x" : 1.0 , "x":2 }}}]}"#;
    assert_eq!(api.post("/v1/batch", &[], batch).status, 200);
    assert_eq!(api.get("/v1/records/pk/value", &[]).text(), r#"{"x":1.0,"x":2}"#);
    api.stop();
}

#[test]
fn values_that_are_none_are_refused() {
    let api = Api::start();
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let deeper = "[".repeat(1 << 20);
    for (bad, text) in [
        ("", "data is not valid JSON"),
        ("{", "data is not valid JSON"),
        ("1 2", "data is not valid JSON"),
        ("NaN", "data is not valid JSON"),
        ("01", "data is not valid JSON"),
        ("\"\n\"", "data is not valid JSON"),
        ("{\"a\":1,}", "data is not valid JSON"),
        ("'a'", "data is not valid JSON"),
        ("\u{feff}1", "data is not valid JSON"),
        (&deeper, "data is not valid JSON"),
        (&deep, "data is nested deeper than 64 levels"),
    ] {
        assert_eq!(error(&api.put("/v1/records/pk/v", &[], bad), 400, "syntax"), text);
    }
    let http = api.server.http;
    let binary = request(http, "PUT", "/v1/records/pk/v", &[JSON], b"\"\xff\"");
    assert_eq!(error(&binary, 400, "syntax"), "the body is not UTF-8");
    for kind in ["text/plain", "application/xml", "application/jsonx", ""] {
        let reply = request(http, "PUT", "/v1/records/pk/v", &[("content-type", kind)], b"1");
        error(&reply, 415, "media_type");
    }
    error(&api.get("/v1/records/pk/v", &[]), 404, "not_found");
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/geo+json"] {
        let reply = request(http, "PUT", "/v1/records/pk/v", &[("content-type", kind)], b"1");
        assert!(reply.status < 300, "{kind}: {reply:?}");
    }
    assert_eq!(request(http, "PUT", "/v1/records/pk/v", &[], b"2").status, 200);
    api.stop();
}

#[test]
fn values_have_a_size() {
    let api = Api::start();
    let text = |length: usize| format!("\"{}\"", "v".repeat(length - 2));
    let largest = text(900 * 1_024);
    assert_eq!(api.put("/v1/records/pk/v", &[], &largest).status, 201);
    assert_eq!(api.get("/v1/records/pk/v", &[]).text(), largest);
    // Whitespace is not stored, so it does not count.
    assert_eq!(api.put("/v1/records/pk/v", &[], &format!(" {largest}\n")).status, 200);
    let larger = api.put("/v1/records/pk/v", &[], &text(900 * 1_024 + 1));
    let message = error(&larger, 413, "too_large");
    assert_eq!(message, "data has 921601 bytes, allowed are 921600");
    let operations = (0..2).map(|n| {
        let data = text(500 * 1_024);
        format!("{{\"put\":{{\"pk\":\"pk\",\"sk\":\"{n}\",\"data\":{data}}}}}")
    });
    let operations: Vec<String> = operations.collect();
    let batch = format!("{{\"operations\":[{}]}}", operations.join(","));
    let message = error(&api.post("/v1/batch", &[], &batch), 400, "limit");
    assert!(message.contains("allowed are 983016"), "{message}");
    api.stop();
}
