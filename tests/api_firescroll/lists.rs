//! Lists of a pk and of a whole partition: what they hold, where they begin and end.

use std::collections::BTreeSet;

use serde_json::json;

use crate::Fire;

fn fill(fire: &Fire) {
    let records: Vec<_> = ["", "a", "a1", "a2", "a3", "b", "b1", "c"]
        .iter()
        .enumerate()
        .map(|(n, sk)| json!({ "pk": "pk", "sk": sk, "data": { "n": n } }))
        .collect();
    fire.ok("put", &json!({ "Records": records }).to_string());
    fire.ok("put", r#"{"Records":[{"pk":"pk2","sk":"other"}]}"#);
}

#[test]
fn a_list_begins_and_ends_where_it_is_told() {
    let fire = Fire::start();
    fill(&fire);
    for (fields, wanted) in [
        // As FireScroll has it, the sk that is the prefix itself is left out.
        ("", vec!["a", "a1", "a2", "a3", "b", "b1", "c"]),
        (r#","sk_prefix":"a""#, vec!["a1", "a2", "a3"]),
        (r#","sk_prefix":"a","limit":2"#, vec!["a1", "a2"]),
        (r#","limit":0"#, vec!["a", "a1", "a2", "a3", "b", "b1", "c"]),
        (r#","limit":9223372036854775807"#, vec!["a", "a1", "a2", "a3", "b", "b1", "c"]),
        (r#","reverse":true,"limit":3"#, vec!["c", "b1", "b"]),
        (r#","starts_after":"a3""#, vec!["b", "b1", "c"]),
        (r#","starts_after":"a1","sk_prefix":"a""#, vec!["a2", "a3"]),
        (r#","ends_before":"a2""#, vec!["a", "a1"]),
        (r#","starts_after":"a","ends_before":"b","reverse":true"#, vec!["a3", "a2", "a1"]),
        // A comparison says exactly which ones are wanted, so nothing is left out.
        (r#","sk":{"gte":""}"#, vec!["", "a", "a1", "a2", "a3", "b", "b1", "c"]),
        (r#","sk":{"eq":"a"}"#, vec!["a"]),
        (r#","sk":{"eq":""}"#, vec![""]),
        (r#","sk":{"gt":"a2","LTE":"b"}"#, vec!["a3", "b"]),
        (r#","sk":{"gte":"a2","lt":"b"}"#, vec!["a2", "a3"]),
        (r#","sk":{"gte":"a","gt":"a"},"limit":1"#, vec!["a1"]),
        (r#","sk":{"lte":"b","lt":"b"},"reverse":true,"limit":1"#, vec!["a3"]),
        (r#","sk":{"gte":"a"},"sk_prefix":"a","starts_after":"a1""#, vec!["a2", "a3"]),
        (r#","sk":{"gt":"b","lt":"a"}"#, vec![]),
        (r#","sk":{"eq":"a","gt":"a"}"#, vec![]),
        (r#","if":"data.n > 3""#, vec!["a3", "b", "b1", "c"]),
        (r#","if":"data.n > 3","limit":2"#, vec!["a3", "b"]),
        (r#","if":"data.n < 4","if_stop":true"#, vec!["a", "a1", "a2"]),
        (r#","if":"data.n > 3","if_stop":true"#, vec![]),
        (r#","if":"sk startsWith \"b\" && pk == \"pk\"","reverse":true"#, vec!["b1", "b"]),
        (r#","if":"_created_at > 0 && _updated_at == _created_at","limit":1"#, vec!["a"]),
    ] {
        assert_eq!(fire.keys(&format!("{{\"pk\":\"pk\"{fields}}}")), wanted, "{fields}");
    }
    assert_eq!(fire.post("list", r#"{"pk":"nobody"}"#).text(), "{\"Records\":[]}\n");
    for (fields, text) in [
        (
            r#""limit":-1"#,
            "Key: 'ListReq.Limit' Error:Field validation for 'Limit' failed on the 'gte' tag",
        ),
        (r#""limit":"1""#, "expected=int64, got=string, field=limit, offset="),
        (r#""limit":1.5"#, "expected=int64, got=number, field=limit, offset="),
        (r#""if_stop":1"#, "expected=bool, got=number, field=if_stop, offset="),
        (r#""sk":"a""#, "expected=object, got=string, field=sk, offset="),
        (r#""sk":{"like":"a"}"#, "sk has no comparison 'like', allowed are eq, gt, gte, lt, lte"),
        (r#""sk":{"gt":1}"#, "expected=string, got=number, field=sk.gt, offset="),
        (r#""if":"data.flag""#, "error compiling `if` statement `data.flag`: "),
        (r#""if":"1 +""#, "error compiling `if` statement `1 +`: "),
        (r#""pk":"""#, "pk has 0 bytes"),
    ] {
        let body = format!("{{\"pk\":\"pk\",{fields}}}");
        let got = fire.bad("list", &body);
        assert!(got.contains(text), "{fields}: {got}");
    }
    fire.stop();
}

#[test]
fn a_list_whose_condition_fails_is_not_given_in_part() {
    let fire = Fire::start();
    fill(&fire);
    let reply = fire.post("list", r#"{"pk":"pk","if":"data.n < 3 || data.m.x == 1"}"#);
    assert_eq!(reply.status, 500);
    assert_eq!(reply.header("content-type"), Some("application/json; charset=UTF-8"));
    let text = reply.text();
    assert!(text.starts_with("{\"message\":\"`if` could not be judged: ") && text.ends_with("}\n"));
    // Rows that the list does not come to are not judged.
    assert_eq!(fire.keys(r#"{"pk":"pk","limit":1,"if":"data.n < 3 || data.m.x == 1"}"#).len(), 1);
    fire.stop();
}

#[test]
fn all_partitions_hold_all_records_once() {
    let fire = Fire::start();
    let mut put = BTreeSet::new();
    for request in 0..4 {
        let records: Vec<_> = (0..400)
            .map(|n| (format!("pk{}", (request * 400 + n) % 97), format!("sk{request}-{n}")))
            .collect();
        let body: Vec<_> = records.iter().map(|(pk, sk)| json!({ "pk": pk, "sk": sk })).collect();
        fire.ok("put", &json!({ "Records": body }).to_string());
        put.extend(records);
    }
    fire.ok("put", r#"{"Records":[{"pk":"pk0","sk":""}]}"#);
    put.insert(("pk0".to_owned(), String::new()));
    let mut got = BTreeSet::new();
    for partition in 0..64 {
        let mut last = None;
        let mut page = json!({ "partition": partition, "limit": 13 });
        loop {
            let reply = fire.post("list", &page.to_string()).json();
            let records = reply["Records"].as_array().unwrap();
            assert!(records.len() <= 13);
            for record in records {
                let key = (
                    record["Pk"].as_str().unwrap().to_owned(),
                    record["Sk"].as_str().unwrap().to_owned(),
                );
                assert!(last.as_ref() < Some(&key), "{last:?} {key:?}");
                last = Some(key.clone());
                assert!(got.insert(key));
            }
            let Some(token) = reply["Continuation"].as_str() else { break };
            page["continuation"] = token.into();
        }
        let whole = fire.records("list", &json!({ "partition": partition }).to_string());
        let reversed =
            fire.records("list", &json!({ "partition": partition, "reverse": true }).to_string());
        assert!(whole.iter().eq(reversed.iter().rev()), "partition {partition}");
    }
    assert_eq!(got, put);
    for (body, text) in [
        (r#"{"partition":64}"#, "partition is 64, allowed are 0 to 63"),
        (r#"{"partition":-1}"#, "partition is -1, allowed are 0 to 63"),
        (r#"{"partition":"1"}"#, "expected=int64, got=string, field=partition"),
        (r#"{"partition":1,"continuation":"?"}"#, "continuation is no token of a list"),
    ] {
        assert!(fire.bad("list", body).contains(text), "{body}");
    }
    fire.stop();
}
