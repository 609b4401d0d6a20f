//! Puts, deletes, batches and gets that go well.

use crate::Fire;

#[test]
fn puts_and_deletes_say_ok_and_gets_keep_the_order() {
    let fire = Fire::start();
    let put = fire.post(
        "put",
        r#"{"Records":[{"pk":"pk1","sk":"sk1","data":{"hey":"ho"}},{"pk":"pk2","sk":"sk2"}]}"#,
    );
    assert_eq!((put.status, put.text().as_str()), (200, "ok"));
    assert_eq!(put.header("content-type"), Some("text/plain; charset=UTF-8"));
    // The partitions of these keys are those of every Kafka client: 32 and 38 of 64.
    assert_eq!(put.header("pumice-offsets"), Some("32:0,38:0"));
    fire.ok("put", r#"{"Records":[{"pk":"pk1","sk":"","data":{"a":"<&>"}}]}"#);

    let get = fire.post(
        "get",
        r#"{"Records":[{"pk":"pk2","sk":"sk2"},{"pk":"no","sk":"no"},{"pk":"pk1","sk":"sk1"},
            {"pk":"pk1"},{"pk":"pk2","sk":"sk2"}]}"#,
    );
    assert_eq!(get.header("content-type"), Some("application/json; charset=UTF-8"));
    let text = get.text();
    assert!(text.starts_with(
        "{\"Records\":[{\"Pk\":\"pk2\",\"Sk\":\"sk2\",\"Data\":null,\"CreatedAt\":\""
    ));
    assert!(text.ends_with("Z\"}]}\n") && text.contains("\"Data\":{\"a\":\"<&>\"}"), "{text}");
    let records = get.json()["Records"].as_array().unwrap().clone();
    let keys: Vec<_> =
        records.iter().map(|r| (r["Pk"].as_str().unwrap(), r["Sk"].as_str().unwrap())).collect();
    assert_eq!(keys, [("pk2", "sk2"), ("pk1", "sk1"), ("pk1", ""), ("pk2", "sk2")]);
    let mut names: Vec<&String> = records[0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["CreatedAt", "Data", "Pk", "Sk", "UpdatedAt"]);
    assert_eq!(records[1]["CreatedAt"], records[1]["UpdatedAt"]);

    // Data of a delete is ignored, whatever it is; a row that is not there is no fault.
    fire.ok("delete", r#"{"Records":[{"pk":"pk1","sk":"sk1","data":[1]},{"pk":"no"}]}"#);
    let rest = fire.records("get", r#"{"Records":[{"pk":"pk1","sk":"sk1"},{"pk":"pk1","sk":""}]}"#);
    assert_eq!(rest.len(), 1);
    assert_eq!(fire.post("get", r#"{"Records":[{"pk":"none"}]}"#).text(), "{\"Records\":[]}\n");
    fire.stop();
}

#[test]
fn a_get_of_many_pages_is_one_answer() {
    let fire = Fire::start();
    let key = |n: usize| format!("\"pk\":\"pk{n}\",\"sk\":\"s\"");
    let value = "x".repeat(200_000);
    for n in 0..16 {
        let data = format!("{{\"n\":{n},\"x\":\"{value}\"}}");
        fire.ok("put", &format!("{{\"Records\":[{{{},\"data\":{data}}}]}}", key(n)));
    }
    // More than a page of keys that are not there stand in front, between and behind.
    let asked = (0..3_200).map(|n| key(if n % 200 == 100 { n / 200 } else { n + 16 }));
    let asked: Vec<String> = asked.map(|key| format!("{{{key}}}")).collect();
    let records = fire.records("get", &format!("{{\"Records\":[{}]}}", asked.join(",")));
    let found: Vec<u64> = records.iter().map(|r| r["Data"]["n"].as_u64().unwrap()).collect();
    assert_eq!(found, (0..16).collect::<Vec<_>>());
    assert!(records.iter().all(|record| record["Data"]["x"] == value.as_str()));
    fire.stop();
}

#[test]
fn bodies_are_read_as_its_framework_reads_them() {
    let fire = Fire::start();
    fire.ok(
        "put",
        r#"{"RECORDS":[{"PK":"a","Sk":"b","dAtA":{"n":1},"If":null}],"x":[]} {"Records"#,
    );
    fire.ok(
        "put",
        "\n\t{\"records\":[{\"pk\":\"x\",\"pk\":\"a\",\"sk\":\"c\",\"extra\":{\"pk\":1}}]}]]",
    );
    fire.ok("put", r#"{"Records":[{"pk":"a","sk":"d","data":null,"ts_ms":"?","mutation":7}]}"#);
    assert_eq!(fire.keys(r#"{"PK":"a"}{"#), ["b", "c", "d"]);
    let text = r#"{"b":1.0,"a":9007199254740993,"b":[ ]}"#;
    fire.ok("put", &format!(r#"{{"Records":[{{"pk":"a","sk":"e","data":{text}}}]}}"#));
    let got = fire.post("get", r#"{"Records":[{"pk":"a","sk":"e"}]}"#).text();
    assert!(got.contains(r#""Data":{"b":1.0,"a":9007199254740993,"b":[]},"#), "{got}");
    for kind in ["application/json; charset=utf-8", "application/jsonp"] {
        let reply = fire.post_with("get", &[("content-type", kind)], r#"{"Records":[{"pk":"a"}]}"#);
        assert_eq!(reply.status, 200, "{kind}");
    }
    fire.stop();
}

#[test]
fn outcomes_are_told_when_asked_for() {
    let fire = Fire::start();
    let put = fire.post(
        "put?wait=applied",
        r#"{"Records":[
            {"pk":"pk1","sk":"s"},{"pk":"pk1","sk":"s","if":"data != null"},{"pk":"pk2"}]}"#,
    );
    assert_eq!(put.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(
        put.text(),
        concat!(
            r#"{"Outcomes":[{"Outcome":"applied","Partition":32,"Offset":0},"#,
            r#"{"Outcome":"refused","Reason":"condition-false","Partition":32,"Offset":1},"#,
            r#"{"Outcome":"applied","Partition":38,"Offset":0}]}"#,
            "\n"
        )
    );
    assert_eq!(put.header("pumice-offsets"), Some("32:1,38:0"));
    let explicit = fire.post("delete?wait=log", r#"{"Records":[{"pk":"pk1","sk":"s"}]}"#);
    assert_eq!((explicit.status, explicit.text().as_str()), (200, "ok"));
    let offsets = [crate::JSON, ("pumice-min-offsets", "32:3"), ("pumice-timeout-ms", "10")];
    let behind = fire.post_with("get", &offsets, r#"{"Records":[{"pk":"pk1"}]}"#);
    assert_eq!((behind.status, behind.header("retry-after")), (503, Some("1")));
    assert_eq!(fire.bad("put?wait=maybe", "{}"), "wait is 'maybe', allowed are log, applied");
    fire.stop();
}

#[test]
fn a_batch_is_one_entry() {
    let fire = Fire::start();
    fire.ok("put", r#"{"Records":[{"pk":"pk1","sk":"old"}]}"#);
    let body = r#"{"Operations":[
        {"Put":{"pk":"pk1","sk":"a","data":{"n":1}}},{"delete":{"PK":"pk1","sk":"old"}}]}"#;
    let batch = fire.post("batch?wait=applied", body);
    let wanted = "{\"Outcomes\":[{\"Outcome\":\"applied\",\"Partition\":32,\"Offset\":1}]}\n";
    assert_eq!(batch.text(), wanted);
    assert_eq!(fire.keys(r#"{"pk":"pk1"}"#), ["a"]);
    let refused = body
        .replace("\"old\"", "\"a\",\"if\":\"data.n == 2\"")
        .replace("\"a\",\"data\"", "\"b\",\"data\"");
    assert_eq!(fire.outcomes("batch", &refused), ["refused condition-false"]);
    assert_eq!(fire.keys(r#"{"pk":"pk1"}"#), ["a"]);
    fire.ok("batch", &refused.replace("n == 2", "n == 1"));
    assert_eq!(fire.keys(r#"{"pk":"pk1"}"#), ["b"]);
    let id = [crate::JSON, ("pumice-write-id", "000102030405060708090a0b0c0d0e0f")];
    let first = fire.post_with("batch", &id, body);
    let again = fire.post_with("batch", &id, body);
    assert_eq!(first.header("pumice-offsets"), again.header("pumice-offsets"));

    for (bad, text) in [
        (
            r#"{"Operations":[{"Put":{"pk":"pk1"}},{"Put":{"pk":"pk2"}}]}"#,
            "a batch belongs to one partition, this one to 32, 38",
        ),
        (
            r#"{"Operations":[{"Put":{"pk":"pk1"},"Delete":{"pk":"pk1"}}]}"#,
            "Operations[0] must be a Put or a Delete",
        ),
        (
            r#"{"Operations":[{"Put":{"pk":"pk1"}},{"Touch":{}}]}"#,
            "Operations[1] must be a Put or a Delete",
        ),
        (r#"{"Operations":[{"Put":[]}]}"#, "expected=object, got=array, field=Operations.Put"),
        (
            r#"{"Operations":[]}"#,
            "Key: 'BatchReq.Operations' Error:Field validation for 'Operations' failed on",
        ),
        ("{}", "failed on the 'min' tag"),
    ] {
        let got = fire.bad("batch", bad);
        assert!(got.starts_with("code=400, message=") && got.contains(text), "{got}");
    }
    fire.stop();
}

#[test]
fn rows_expire_on_these_routes_too() {
    let fire = Fire::start();
    fire.ok(
        "put",
        r#"{"Records":[{"pk":"a","sk":"b","ttl":1},{"pk":"a","sk":"c","ttl":3600000}]}"#,
    );
    // One millisecond is over when the next request has come: until then, ask again.
    while fire.keys(r#"{"pk":"a"}"#).len() == 2 {}
    assert_eq!(fire.keys(r#"{"pk":"a"}"#), ["c"]);
    assert_eq!(
        fire.outcomes("put", r#"{"Records":[{"pk":"a","sk":"b","if":"data == null"}]}"#),
        ["applied"]
    );
    for (ttl, text) in [
        ("0", "record 0: ttl is 0 ms"),
        ("-1", "ttl is below 1 ms"),
        ("\"1\"", "expected=int64, got=string, field=Records.ttl"),
    ] {
        let got = fire.bad("put", &format!(r#"{{"Records":[{{"pk":"a","ttl":{ttl}}}]}}"#));
        assert!(got.starts_with("code=400, message=") && got.contains(text), "{got}");
    }
    fire.stop();
}
