//! What is wrong with a request, in the words that its clients know, up to the first that is Go's.

use crate::Fire;
use crate::server::request;

#[test]
fn faults_have_their_words() {
    let fire = Fire::start();
    let syntax = "code=400, message=code=400, message=Syntax error: offset=";
    let kinds = "code=400, message=code=400, message=Unmarshal type error: expected=";
    let min = |kind: &str| {
        format!(
            "code=400, message=Key: '{kind}.Records' Error:Field validation for 'Records' \
             failed on the 'min' tag"
        )
    };
    for (operation, of) in [("put", "MutationReq"), ("delete", "MutationReq"), ("get", "GetReq")] {
        for nothing in
            ["", "  \n", "{}", "null", r#"{"Records":null}"#, r#"{"Records":[]}"#, r#"{"pk":"a"}"#]
        {
            assert_eq!(fire.bad(operation, nothing), min(of), "{operation} {nothing}");
        }
        for broken in
            ["{", "x", "{\"Records\":[}", "{\"Records\":[{\"pk\":\"a\"]}", "\u{1}", "{'a':1}"]
        {
            let text = fire.bad(operation, broken);
            assert!(text.starts_with(syntax) && text.contains(", error="), "{broken}: {text}");
        }
        for (body, rest) in [
            ("[]", "object, got=array, field=, offset=2"),
            ("7", "object, got=number, field=, offset=1"),
            (r#"{"Records":{}}"#, "array, got=object, field=Records, offset=13"),
            (r#"{"Records":[5]}"#, "object, got=number, field=Records, offset=13"),
            (r#"{"Records":[{"pk":5}]}"#, "string, got=number, field=Records.pk, offset=19"),
            (
                r#"{"Records":[{"pk":"a"},{"pk":"a","sk":true}]}"#,
                "string, got=bool, field=Records.sk, offset=42",
            ),
        ] {
            assert_eq!(fire.bad(operation, body), format!("{kinds}{rest}"), "{operation}");
        }
        // FireScroll takes an empty pk; here it names nothing. A null element is one.
        for empty in [r#"{"Records":[{"sk":"a"}]}"#, r#"{"Records":[null]}"#] {
            let text = fire.bad(operation, empty);
            assert_eq!(text, "code=400, message=record 0: pk has 0 bytes, allowed are 1 to 512");
        }
        let long =
            format!(r#"{{"Records":[{{"pk":"a"}},{{"pk":"a","sk":"{}"}}]}}"#, "s".repeat(1_025));
        let text = fire.bad(operation, &long);
        assert_eq!(text, "code=400, message=record 1: sk has 1025 bytes, allowed are 0 to 1024");
        let many = format!(r#"{{"Records":[{}{{"pk":"a"}}]}}"#, r#"{"pk":"a"},"#.repeat(10_000));
        let text = fire.bad(operation, &many);
        assert_eq!(text, "code=400, message=Records has 10001 elements, allowed are 10000");
    }
    assert!(fire.keys(r#"{"pk":"a"}"#).is_empty(), "nothing of all this was put");
    fire.stop();
}

#[test]
fn data_is_an_object_of_some_size() {
    let fire = Fire::start();
    let kinds = "code=400, message=code=400, message=Unmarshal type error: expected=";
    for (data, got) in [("[1]", "array"), ("1", "number"), ("\"a\"", "string"), ("true", "bool")] {
        let text = fire.bad("put", &format!(r#"{{"Records":[{{"pk":"a","data":{data}}}]}}"#));
        assert!(
            text.starts_with(&format!("{kinds}object, got={got}, field=Records.data, ")),
            "{text}"
        );
    }
    let deep = format!(
        r#"{{"Records":[{{"pk":"a","data":{{"a":{}{}}}}}]}}"#,
        "[".repeat(64),
        "]".repeat(64)
    );
    let text = fire.bad("put", &deep);
    assert_eq!(text, "code=400, message=record 0: data is nested deeper than 64 levels");
    let large =
        format!(r#"{{"Records":[{{"pk":"a","data":{{"a":"{}"}}}}]}}"#, "v".repeat(900 * 1_024));
    let reply = fire.post("put", &large);
    assert_eq!(reply.status, 413);
    assert_eq!(
        reply.text(),
        "code=413, message=record 0: data has 921608 bytes, allowed are 921600"
    );
    assert!(fire.keys(r#"{"pk":"a"}"#).is_empty(), "nothing of all this was put");
    fire.stop();
}

#[test]
fn a_bad_if_rejects_the_whole_request() {
    let fire = Fire::start();
    for (statement, text) in [
        ("pk", "condition is not a bool by its shape"),
        ("data.flag", "condition is not a bool by its shape"),
        ("1 +", "condition is wrong at byte 3"),
        ("", "condition is wrong at byte 0"),
    ] {
        let body =
            format!(r#"{{"Records":[{{"pk":"a"}},{{"pk":"a","sk":"b","if":"{statement}"}}]}}"#);
        for operation in ["put", "delete"] {
            let got = fire.bad(operation, &body);
            let head = format!("error compiling `if` statement `{statement}`: ");
            assert!(got.starts_with(&head) && got.contains(text), "{got}");
        }
    }
    let wrong = fire.bad("put", r#"{"Records":[{"pk":"a","if":true}]}"#);
    assert!(wrong.contains("expected=string, got=bool, field=Records.if"), "{wrong}");
    let counted = fire.post("put", r#"{"Records":[{"pk":"a","sk":"b"}]}"#);
    let offsets = counted.header("pumice-offsets").unwrap();
    assert!(offsets.ends_with(":0"), "an entry stands before the first: {offsets}");
    fire.stop();
}

#[test]
fn wrong_turns() {
    let fire = Fire::start();
    let http = fire.server.http;
    for operation in ["touch", "", "put/x", "Put", "%70ut"] {
        assert_eq!(fire.bad(operation, "{}"), format!("unknown operation '{operation}'"));
    }
    for kind in ["text/plain", "application/x-www-form-urlencoded", "", "json"] {
        let reply = fire.post_with("put", &[("content-type", kind)], r#"{"Records":[{"pk":"a"}]}"#);
        assert_eq!(reply.status, 400, "{kind}");
        assert_eq!(reply.text(), "code=400, message=code=415, message=Unsupported Media Type");
    }
    let bare = fire.post_with("put", &[], r#"{"Records":[{"pk":"a"}]}"#);
    assert_eq!(bare.text(), "code=400, message=code=415, message=Unsupported Media Type");
    let json = Some("application/json; charset=UTF-8");
    for target in ["/", "/none", "/records", "/upp", "/metrics"] {
        let reply = request(http, "GET", target, &[], b"");
        assert_eq!(
            (reply.status, reply.text().as_str()),
            (404, "{\"message\":\"Not Found\"}\n"),
            "{target}"
        );
        assert_eq!(reply.header("content-type"), json);
    }
    for (method, target, allow) in [
        ("GET", "/records/put", "POST"),
        ("PUT", "/records/get", "POST"),
        ("POST", "/up", "GET, HEAD"),
    ] {
        let reply = request(http, method, target, &[], b"");
        let text = reply.text();
        assert_eq!((reply.status, text.as_str()), (405, "{\"message\":\"Method Not Allowed\"}\n"));
        assert_eq!((reply.header("content-type"), reply.header("allow")), (json, Some(allow)));
    }
    fire.stop();
}

#[test]
fn bodies_of_very_many_parts_cost_little() {
    let fire = Fire::start();
    let nulls = format!(r#"{{"Records":[{}{{}}]}}"#, "{},".repeat(5_000_000));
    let text = fire.bad("get", &nulls);
    assert_eq!(text, "code=400, message=Records has 5000001 elements, allowed are 10000");
    let names = format!(r#"{{{}"Records":[]}}"#, r#""a":1,"#.repeat(2_000_000));
    let text = fire.bad("put", &names);
    assert!(text.contains("error=an object has more than 1000 names"), "{text}");
    fire.stop();
}
