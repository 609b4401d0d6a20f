//! One record: made, replaced, read, validated, removed, and every precondition on the way.

use crate::server::{Reply, request};
use crate::{Api, error, token};

/// The entity tag, which must be the token of the write.
#[track_caller]
fn tag(reply: &Reply) -> String {
    let (partition, offset) = token(reply);
    let tag = format!("\"{partition}-{offset}\"");
    assert_eq!(reply.header("etag"), Some(tag.as_str()), "{reply:?}");
    assert_eq!(reply.header("pumice-offsets"), Some(format!("{partition}:{offset}").as_str()));
    tag
}

#[test]
fn a_record_lives_and_dies() {
    let api = Api::start();
    let at = "/v1/records/pk/sk";
    assert_eq!(error(&api.get(at, &[]), 404, "not_found"), "no such record");

    let made = api.put(at, &[], r#"{"n": 1}"#);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json()["outcome"], "applied");
    let first = tag(&made);
    let replaced = api.put(at, &[], "[ 2 ]");
    assert_eq!(replaced.status, 200, "{replaced:?}");
    let second = tag(&replaced);
    assert_eq!(token(&replaced), (token(&made).0, token(&made).1 + 1));
    assert_ne!(first, second);

    let got = api.get(at, &[]);
    assert_eq!((got.status, got.text().as_str()), (200, "[2]"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.header("etag"), Some(second.as_str()));
    let modified = got.header("last-modified").unwrap();
    assert!(modified.ends_with(" GMT") && modified.len() == 29, "{modified}");

    let head = request(api.server.http, "HEAD", at, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    for name in ["content-type", "etag", "last-modified", "content-length"] {
        assert_eq!(head.header(name), got.header(name), "{name}");
    }

    let gone = api.delete(at, &[]);
    assert_eq!((gone.status, gone.json()["outcome"].as_str()), (200, Some("applied")));
    tag(&gone);
    assert_eq!(api.delete(at, &[]).status, 200);
    error(&api.get(at, &[]), 404, "not_found");
    let head = request(api.server.http, "HEAD", at, &[], b"");
    assert_eq!((head.status, head.body.len()), (404, 0));
    assert_eq!(api.put(at, &[], "3").status, 201);
    api.stop();
}

#[test]
fn a_known_version_is_not_sent_again() {
    let api = Api::start();
    let at = "/v1/records/pk/sk";
    let tag = tag(&api.put(at, &[], "1"));
    let modified = api.get(at, &[]).header("last-modified").unwrap().to_owned();
    let listed = format!("\"0-0\", {tag}");
    for known in [tag.as_str(), &listed, "*"] {
        let same = api.get(at, &[("if-none-match", known)]);
        assert_eq!((same.status, same.body.len()), (304, 0), "{known}");
        assert_eq!(same.header("etag"), Some(tag.as_str()));
        assert_eq!(same.header("last-modified"), Some(modified.as_str()));
    }
    assert_eq!(api.get(at, &[("if-none-match", "\"9-9\"")]).text(), "1");
    assert_eq!(api.get(at, &[("if-modified-since", &modified)]).status, 304);
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_eq!(api.get(at, &[("if-modified-since", old)]).status, 200);
    // An entity tag says more than a date, so the date does not count beside it.
    let both = [("if-none-match", "\"9-9\""), ("if-modified-since", modified.as_str())];
    assert_eq!(api.get(at, &both).status, 200);
    assert_eq!(api.get(at, &[("if-match", &tag)]).status, 200);
    error(&api.get(at, &[("if-match", "\"9-9\"")]), 412, "refused");
    let missing = api.get("/v1/records/pk/other", &[("if-none-match", "*")]);
    error(&missing, 404, "not_found");
    api.stop();
}

#[test]
fn preconditions_hold_or_nothing_is_made() {
    let api = Api::start();
    let at = "/v1/records/pk/sk";
    let refused = |reply: Reply, why: &str| {
        assert_eq!(error(&reply, 412, "refused"), why);
        // A refusal stands in the log too, so it has a place there.
        let (partition, offset) = token(&reply);
        let offsets = format!("{partition}:{offset}");
        assert_eq!(reply.header("pumice-offsets"), Some(offsets.as_str()));
        assert_eq!(reply.header("etag"), None);
    };
    let (any, none) = (("if-match", "*"), ("if-none-match", "*"));
    refused(api.put(at, &[any], "0"), "expected-exists");
    refused(api.delete(at, &[any]), "expected-exists");
    refused(api.put(at, &[("if-match", "\"0-0\"")], "0"), "expected-offset");
    let made = api.put(at, &[none], "1");
    assert_eq!(made.status, 201);
    let old = tag(&made);
    refused(api.put(at, &[none], "2"), "expected-absent");
    refused(api.delete(at, &[none]), "expected-absent");
    let newer = api.put(at, &[("if-match", &old)], "2");
    assert_eq!(newer.status, 200);
    refused(api.put(at, &[("if-match", &old)], "3"), "expected-offset");
    refused(api.delete(at, &[("if-match", &old)]), "expected-offset");
    let (partition, offset) = token(&newer);
    let foreign = format!("\"{}-{offset}\"", (partition + 1) % 64);
    refused(api.put(at, &[("if-match", &foreign)], "3"), "expected-offset");
    assert_eq!(api.get(at, &[]).text(), "2");
    assert_eq!(api.put(at, &[any], "4").status, 200);
    let last = tag(&api.put(at, &[any], "5"));
    assert_eq!(api.delete(at, &[("if-match", &last)]).status, 200);

    for headers in [vec![("if-match", "W/\"1-2\"")], vec![none, any], vec![("if-none-match", "x")]]
    {
        error(&api.put(at, &headers, "1"), 400, "syntax");
    }
    api.stop();
}

#[test]
fn conditions_stand_in_the_query() {
    let api = Api::start();
    let at = |condition: &str| format!("/v1/records/pk/sk?if={condition}");
    assert_eq!(api.put(&at("data==null"), &[], r#"{"n":1}"#).status, 201);
    let refused = api.put(&at("data%20%3D%3D%20null"), &[], "2");
    assert_eq!(error(&refused, 412, "refused"), "condition-false");
    let failed = api.put(&at("data.a.b+%3E+5"), &[], "2");
    assert_eq!(error(&failed, 412, "refused"), "condition-error");
    assert_eq!(api.put(&at("data.n+==+1&wait=applied"), &[], "2").status, 200);
    let both = api.delete(&at("pk==%22pk%22"), &[("if-match", "\"0-0\"")]);
    assert_eq!(error(&both, 412, "refused"), "expected-offset");
    let compiled = error(&api.delete(&at("data.x"), &[]), 400, "condition");
    assert!(compiled.starts_with("error compiling `if` statement: condition is not a bool"));
    let compiled = error(&api.delete(&at("=="), &[]), 400, "condition");
    assert!(compiled.contains("condition is wrong at byte 0"), "{compiled}");
    assert_eq!(api.get("/v1/records/pk/sk", &[]).text(), "2");
    api.stop();
}

#[test]
fn parameters_are_known_or_refused() {
    let api = Api::start();
    let logged = api.put("/v1/records/pk/sk?wait=log", &[], "1");
    assert_eq!((logged.status, logged.header("etag")), (200, None));
    assert_eq!(logged.json()["outcome"], "logged");
    let (partition, offset) = token(&logged);
    let offsets = format!("{partition}:{offset}");
    assert_eq!(logged.header("pumice-offsets"), Some(offsets.as_str()));
    let got = api.get("/v1/records/pk/sk", &[("pumice-min-offsets", &offsets)]);
    assert_eq!(got.text(), "1");

    let blind = api.put("/v1/records/pk/sk?wait=log", &[("if-none-match", "*")], "1");
    let message = error(&blind, 400, "syntax");
    assert!(message.contains("a precondition needs wait=applied"), "{message}");
    for (query, code, text) in [
        ("wait=later", "syntax", "wait is 'later', allowed are log, applied"),
        ("waits=log", "syntax", "unknown parameter 'waits', allowed are if, ttl, wait"),
        ("ttl=soon", "syntax", "ttl must be milliseconds"),
        ("ttl=0", "limit", "ttl is 0 ms, allowed are 1 to 3153600000000"),
        ("ttl=3153600000001", "limit", "ttl is 3153600000001 ms"),
        ("if=%zz", "syntax", "if has a malformed percent-encoding"),
    ] {
        let reply = api.put(&format!("/v1/records/pk/sk?{query}"), &[], "9");
        let message = error(&reply, 400, code);
        assert!(message.contains(text), "{message}");
    }
    error(&api.delete("/v1/records/pk/sk?ttl=5", &[]), 400, "syntax");
    error(&api.get("/v1/records/pk/sk?pretty", &[]), 400, "syntax");
    assert_eq!(api.get("/v1/records/pk/sk", &[]).text(), "1");
    api.stop();
}
