//! Many records at once: reads in request order, and batches that are made whole or not at all.

use serde_json::{Value, json};

use crate::server::request;
use crate::{Api, JSON, error, token};

#[test]
fn many_records_come_in_request_order() {
    let api = Api::start();
    for n in 0..20 {
        assert_eq!(api.put(&format!("/v1/records/pk{n}/s"), &[], &n.to_string()).status, 201);
    }
    api.put("/v1/records/pk0/null", &[], "null");
    let asked = [(7, "s"), (3, "s"), (7, "s"), (99, "s"), (0, "null"), (0, "none"), (19, "s")];
    let keys: Vec<Value> =
        asked.iter().map(|(n, sk)| json!({ "pk": format!("pk{n}"), "sk": sk })).collect();
    let reply = api.post("/v1/records:get", &[], &json!({ "keys": keys }).to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
    let body = reply.json();
    let records = body["records"].as_array().unwrap();
    assert_eq!(records.len(), asked.len());
    for ((n, sk), record) in asked.iter().zip(records) {
        assert_eq!((&record["pk"], &record["sk"]), (&format!("pk{n}").into(), &(*sk).into()));
    }
    let found: Vec<bool> = records.iter().map(|r| r["found"].as_bool().unwrap()).collect();
    assert_eq!(found, [true, true, true, false, true, false, true]);
    assert_eq!(records[0], records[2]);
    assert_eq!(records[6]["data"], 19);
    assert_eq!(records[4].get("data"), Some(&Value::Null));
    assert_eq!(records[3].as_object().unwrap().len(), 3, "{}", records[3]);
    let tag = api.get("/v1/records/pk3/s", &[]).header("etag").unwrap().to_owned();
    assert_eq!(records[1]["etag"], tag);
    let nothing = api.post("/v1/records:get", &[], r#"{"keys":[]}"#);
    assert_eq!((nothing.status, nothing.text().as_str()), (200, r#"{"records":[]}"#));

    // More than one transaction reads, over all partitions, still in order.
    let keys: Vec<Value> =
        (0..10_000).map(|n| json!({ "pk": format!("pk{}", n % 23), "sk": "s" })).collect();
    let reply = api.post("/v1/records:get", &[], &json!({ "keys": keys }).to_string());
    let body = reply.json();
    let records = body["records"].as_array().unwrap();
    assert_eq!(records.len(), 10_000);
    for (n, record) in records.iter().enumerate() {
        assert_eq!(
            (&record["pk"], &record["found"]),
            (&format!("pk{}", n % 23).into(), &(n % 23 < 20).into())
        );
    }
    api.stop();
}

#[test]
fn records_of_any_length_come_in_request_order() {
    let api = Api::start();
    let length = |n: usize| [1, 900_000, 20_000, 3, 300_000, 5_000][n / 7 % 6];
    let value = |n: usize| char::from(b'a' + (n % 26) as u8).to_string().repeat(length(n));
    for n in 0..42 {
        let data = format!("\"{}\"", value(n));
        assert_eq!(api.put(&format!("/v1/records/pk{n}/s"), &[], &data).status, 201);
    }
    // Each record once, and one that is not there after every third; the order is no shard's.
    let asked: Vec<(usize, &str)> = (0..42)
        .map(|n| n * 25 % 42)
        .flat_map(|n| [(n, "s"), (n, "none")].into_iter().take(1 + usize::from(n % 3 == 0)))
        .collect();
    let keys: Vec<Value> =
        asked.iter().map(|(n, sk)| json!({ "pk": format!("pk{n}"), "sk": sk })).collect();
    let reply = api.post("/v1/records:get", &[], &json!({ "keys": keys }).to_string());
    assert_eq!(reply.status, 200);
    let body = reply.json();
    let records = body["records"].as_array().unwrap();
    assert_eq!(records.len(), asked.len());
    for ((n, sk), record) in asked.iter().zip(records) {
        assert_eq!((&record["pk"], &record["sk"]), (&format!("pk{n}").into(), &(*sk).into()));
        let right = record.get("data").and_then(Value::as_str) == Some(value(*n).as_str());
        assert_eq!((record["found"].as_bool(), right), (Some(*sk == "s"), *sk == "s"), "{n}");
    }
    api.stop();
}

#[test]
fn keys_come_back_as_json_strings() {
    let api = Api::start();
    let all: String =
        (1..0x100).filter_map(char::from_u32).chain("日本\u{1f980}".chars()).collect();
    let put = json!({ "put": { "pk": all, "sk": "a\"b\\c\0", "data": "\n" } });
    let put = json!({ "operations": [put] });
    assert_eq!(api.post("/v1/batch", &[], &put.to_string()).status, 200);
    let key = json!({ "pk": all, "sk": "a\"b\\c\0" });
    let reply = api.post("/v1/records:get", &[], &json!({ "keys": [key] }).to_string());
    let record = &reply.json()["records"][0];
    assert_eq!((&record["pk"], &record["sk"]), (&key["pk"], &key["sk"]));
    assert_eq!((&record["found"], &record["data"]), (&true.into(), &"\n".into()));
    // A body that is not UTF-8 is told so, with the place.
    let bytes = b"{\"keys\":[{\"pk\":\"a\",\n\"sk\":\"\xff\"}]}";
    let broken = request(api.server.http, "POST", "/v1/records:get", &[JSON], bytes);
    let message = error(&broken, 400, "syntax");
    assert!(message.contains("invalid unicode") && message.contains("line 2"), "{message}");
    api.stop();
}

#[test]
fn bodies_that_ask_for_nothing_sensible() {
    let api = Api::start();
    let key = r#"{"pk":"a","sk":"b"}"#;
    let too_many = format!("{{\"keys\":[{}{key}]}}", format!("{key},").repeat(10_000));
    for (body, code, text) in [
        ("", "syntax", "EOF while parsing"),
        ("{}", "syntax", "missing field `keys`"),
        ("[]", "syntax", "expected struct GetRequest"),
        (r#"{"keys":[{"pk":"a"}]}"#, "syntax", "missing field `sk`"),
        (r#"{"keys":[{"pk":1,"sk":"b"}]}"#, "syntax", "invalid type: integer `1`"),
        (r#"{"keys":[{"pk":"a","sk":"b","x":1}]}"#, "syntax", "unknown field `x`"),
        (r#"{"keys":[{"pk":"","sk":"b"}]}"#, "limit", "pk has 0 bytes"),
        (r#"{"keys":[{"pk":"\ud800","sk":"b"}]}"#, "syntax", "hex escape"),
        (r#"{"keys":[]} x"#, "syntax", "trailing characters"),
        (too_many.as_str(), "limit", "10001 keys, allowed are 10000"),
    ] {
        let message = error(&api.post("/v1/records:get", &[], body), 400, code);
        assert!(message.contains(text), "{text}: {message}");
    }
    let http = api.server.http;
    let plain = request(http, "POST", "/v1/records:get", &[("content-type", "text/plain")], b"{}");
    error(&plain, 415, "media_type");
    let bare = request(http, "POST", "/v1/records:get", &[], br#"{"keys":[]}"#);
    assert_eq!(bare.status, 200);
    api.stop();
}

#[test]
fn a_batch_is_made_whole_or_not_at_all() {
    let api = Api::start();
    api.put("/v1/records/pk/old", &[], r#"{"n":1}"#);
    let batch = |operations: Value| {
        let body = json!({ "operations": operations }).to_string();
        api.post("/v1/batch", &[], &body)
    };
    let put = |sk: &str, data: Value| json!({ "put": { "pk": "pk", "sk": sk, "data": data } });
    let delete = |sk: &str| json!({ "delete": { "pk": "pk", "sk": sk } });
    let made =
        batch(json!([put("a", 1.into()), delete("old"), put("b", 2.into()), put("a", 3.into())]));
    assert_eq!((made.status, made.json()["outcome"].as_str()), (200, Some("applied")));
    let (partition, offset) = token(&made);
    assert_eq!(made.header("pumice-offsets"), Some(format!("{partition}:{offset}").as_str()));
    let tag = format!("\"{partition}-{offset}\"");
    assert_eq!(made.header("etag"), Some(tag.as_str()));
    // In order: the later put of a row counts, and all rows carry the entry's tag.
    assert_eq!(api.get("/v1/records/pk/a", &[]).text(), "3");
    assert_eq!(api.get("/v1/records/pk/b", &[]).header("etag"), Some(tag.as_str()));
    assert_eq!(api.get("/v1/records/pk/old", &[]).status, 404);

    for (last, why) in [
        (
            json!({ "put": { "pk": "pk", "sk": "z", "data": 0, "if": "data != null" } }),
            "condition-false",
        ),
        (json!({ "delete": { "pk": "pk", "sk": "a", "if": "data.x.y == 1" } }), "condition-error"),
        (
            json!({ "put": { "pk": "pk", "sk": "a", "data": 0, "expect": "absent" } }),
            "expected-absent",
        ),
        (json!({ "delete": { "pk": "pk", "sk": "z", "expect": "exists" } }), "expected-exists"),
        (
            json!({ "put": { "pk": "pk", "sk": "a", "data": 0, "expect": { "offset": 0 } } }),
            "expected-offset",
        ),
    ] {
        let refused = batch(json!([put("new", 1.into()), delete("b"), last]));
        assert_eq!(error(&refused, 412, "refused"), why, "{last}");
        assert_eq!(api.get("/v1/records/pk/new", &[]).status, 404, "{why}");
        assert_eq!(api.get("/v1/records/pk/b", &[]).text(), "2", "{why}");
    }
    let right = json!({ "offset": offset });
    let last =
        json!({ "put": { "pk": "pk", "sk": "a", "data": 4, "expect": right, "if": "data == 3" } });
    assert_eq!(batch(json!([last, delete("b")])).status, 200);
    assert_eq!(api.get("/v1/records/pk/a", &[]).text(), "4");
    // All of a batch is judged before any of it is made, so a put does not help the next one.
    let second = json!({ "put": { "pk": "pk", "sk": "n", "data": 2, "expect": "exists" } });
    let refused = batch(json!([put("n", 1.into()), second]));
    assert_eq!(error(&refused, 412, "refused"), "expected-exists");
    api.stop();
}

#[test]
fn batches_that_can_never_be_made() {
    let api = Api::start();
    let body = |operations: &str| format!("{{\"operations\":[{operations}]}}");
    let put = |pk: &str| format!("{{\"put\":{{\"pk\":\"{pk}\",\"sk\":\"s\",\"data\":1}}}}");
    let one = put("pk1");
    let conditional = r#"{"delete":{"pk":"pk1","sk":"s","if":"true"}}"#;
    for (body, code, text) in [
        (body(""), "limit", "a batch has 1 to 10000 operations, this one has 0"),
        (body(&[one.as_str(); 10_001].join(",")), "limit", "this one has 10001"),
        (body(&[conditional; 1_001].join(",")), "limit", "1000 conditions, this one has 1001"),
        // Where these belong is the hash of every FireScroll and Kafka client.
        (
            body(&[put("pk1"), put("pk2"), put("pk1")].join(",")),
            "partitions",
            "a batch belongs to one partition, this one to 32, 38",
        ),
        (body(&one.replace("put", "post")), "syntax", "unknown variant `post`"),
        (body(&one.replace("\"data\":1", "\"x\":1")), "syntax", "unknown field `x`"),
        (body(&one.replace(",\"data\":1", "")), "syntax", "missing field `data`"),
        (body(&one.replace("pk1", "")), "limit", "pk has 0 bytes"),
        (body(&one.replace("1}", "1,\"ttl\":0}")), "limit", "ttl is 0 ms"),
        (body(&one.replace("1}", "1,\"if\":\"pk\"}")), "condition", "not a bool by its shape"),
        (body(&one.replace("1}", "1,\"expect\":\"maybe\"}")), "syntax", "unknown variant `maybe`"),
        ("{}".to_owned(), "syntax", "missing field `operations`"),
        ("x".to_owned(), "syntax", "expected value at line 1 column 1"),
    ] {
        let message = error(&api.post("/v1/batch", &[], &body), 400, code);
        assert!(message.contains(text), "{text}: {message}");
    }
    let expecting = body(&one.replace("1}", "1,\"expect\":\"absent\"}"));
    error(&api.post("/v1/batch?wait=log", &[], &expecting), 400, "syntax");
    error(&api.post("/v1/batch?if=true", &[], &body(&one)), 400, "syntax");
    let plain = [("content-type", "text/plain")];
    let reply = request(api.server.http, "POST", "/v1/batch", &plain, body(&one).as_bytes());
    error(&reply, 415, "media_type");
    assert_eq!(api.get("/v1/records/pk1", &[]).text(), r#"{"records":[]}"#);

    let logged = api.post("/v1/batch?wait=log", &[JSON], &body(&one));
    assert_eq!((logged.status, logged.json()["outcome"].as_str()), (200, Some("logged")));
    let most = body(&vec![one; 10_000].join(","));
    assert_eq!(api.post("/v1/batch", &[], &most).status, 200);
    api.stop();
}
