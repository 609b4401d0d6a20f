//! Bugs of FireScroll that are known, each with a request that shows it there and not here.

use pumice_model::wire::Timestamp;

use crate::Fire;

/// A time of the first record of a get, in milliseconds.
fn time(fire: &Fire, name: &str, body: &str) -> i64 {
    let record = &fire.records("get", body)[0];
    record[name].as_str().unwrap().parse::<Timestamp>().unwrap().0
}

#[test]
fn an_if_that_gives_no_bool_stops_nobody() {
    let fire = Fire::start();
    fire.ok("put", r#"{"Records":[{"pk":"a","sk":"b","data":{"x":5}}]}"#);
    for statement in
        ["true && data.x", "data.x && data.y", "false || data.x", "true ? data.x : true"]
    {
        let body = format!(r#"{{"Records":[{{"pk":"a","sk":"b","if":"{statement}"}}]}}"#);
        let reply = fire.post("put?wait=applied", &body);
        // What is surely no bool is refused at the door, the rest when it is judged.
        assert!(
            reply.status == 400 || reply.text().contains("condition-error"),
            "{statement}: {reply:?}"
        );
    }
    let body = r#"{"Records":[{"pk":"a","sk":"b","if":"true && data.x"}]}"#;
    assert_eq!(fire.outcomes("put", body), ["refused condition-error"]);
    assert_eq!(fire.outcomes("delete", body), ["refused condition-error"]);
    assert_eq!(fire.records("get", r#"{"Records":[{"pk":"a","sk":"b"}]}"#)[0]["Data"]["x"], 5);
    fire.stop();
}

#[test]
fn a_poisoned_if_loses_no_other_write() {
    let fire = Fire::start();
    let body = r#"{"Records":[
        {"pk":"a","sk":"1","data":{"n":1}},
        {"pk":"a","sk":"1","data":{"n":2},"if":"data.a.b == 1"},
        {"pk":"a","sk":"2","data":{"n":3}},
        {"pk":"b","sk":"3","if":"pk contains 5"},
        {"pk":"a","sk":"4","if":"data == null"}]}"#;
    let failed = "refused condition-error";
    assert_eq!(fire.outcomes("put", body), ["applied", failed, "applied", failed, "applied"]);
    assert_eq!(fire.keys(r#"{"pk":"a"}"#), ["1", "2", "4"]);
    assert_eq!(fire.records("get", r#"{"Records":[{"pk":"a","sk":"1"}]}"#)[0]["Data"]["n"], 1);
    fire.stop();
}

#[test]
fn times_in_an_if_are_the_stored_ones() {
    let fire = Fire::start();
    let key = r#"{"Records":[{"pk":"a","sk":"b"}]}"#;
    let with =
        |condition: String| format!(r#"{{"Records":[{{"pk":"a","sk":"b","if":"{condition}"}}]}}"#);
    fire.ok("put", key);
    let made = time(&fire, "CreatedAt", key);
    // The clock has to move, so that the two times differ.
    while time(&fire, "UpdatedAt", key) == made {
        fire.ok("put", key);
    }
    let updated = time(&fire, "UpdatedAt", key);
    assert_eq!(time(&fire, "CreatedAt", key), made);
    for (condition, wanted) in [
        (format!("_updated_at == {made}"), "refused condition-false"),
        (format!("_created_at == {updated}"), "refused condition-false"),
        (format!("_created_at == {made} && _updated_at == {updated}"), "applied"),
        // It was replaced just now, so what was known of it no longer holds.
        (
            format!("_updated_at == {updated} && _updated_at != _updated_at"),
            "refused condition-false",
        ),
    ] {
        assert_eq!(fire.outcomes("put", &with(condition.clone())), [wanted], "{condition}");
    }
    assert_eq!(
        fire.outcomes("delete", &with(format!("_created_at != {made}"))),
        ["refused condition-false"]
    );
    assert_eq!(fire.outcomes("delete", &with(format!("_created_at == {made}"))), ["applied"]);
    fire.stop();
}

#[test]
fn a_missing_row_is_nil_in_every_name() {
    let fire = Fire::start();
    for condition in [
        "pk == null",
        "sk == nil",
        "data == null",
        "_created_at == null",
        "_updated_at == nil",
        "data.x == null",
    ] {
        let body = format!(r#"{{"Records":[{{"pk":"a","sk":"{condition}","if":"{condition}"}}]}}"#);
        assert_eq!(fire.outcomes("delete", &body), ["applied"], "{condition}");
        assert_eq!(fire.outcomes("put", &body), ["applied"], "{condition}");
    }
    // A row without data is there all the same.
    assert_eq!(
        fire.outcomes("put", r#"{"Records":[{"pk":"a","sk":"pk == null","if":"pk == null"}]}"#),
        ["refused condition-false"]
    );
    assert_eq!(
        fire.outcomes(
            "put",
            r#"{"Records":[{"pk":"a","sk":"pk == null","if":"data == null && pk != null"}]}"#
        ),
        ["applied"]
    );
    fire.stop();
}

#[test]
fn keys_with_nul_are_keys() {
    let fire = Fire::start();
    let body = r#"{"Records":[
        {"pk":"a\u0000b","sk":"c","data":{"n":1}},
        {"pk":"a","sk":"b\u0000c","data":{"n":2}},
        {"pk":"a","sk":"b","data":{"n":3}}]}"#;
    fire.ok("put", body);
    let got = fire
        .records("get", r#"{"Records":[{"pk":"a\u0000b","sk":"c"},{"pk":"a","sk":"b\u0000c"}]}"#);
    assert_eq!((&got[0]["Data"]["n"], &got[1]["Data"]["n"]), (&1.into(), &2.into()));
    assert_eq!(got[0]["Pk"], "a\0b");
    assert_eq!(fire.keys(r#"{"pk":"a"}"#), ["b", "b\0c"]);
    assert_eq!(fire.keys(r#"{"pk":"a\u0000b"}"#), ["c"]);
    assert_eq!(fire.keys(r#"{"pk":"a","sk_prefix":"b\u0000"}"#), ["b\0c"]);
    fire.stop();
}

#[test]
fn a_list_goes_on_where_the_last_one_ended() {
    let fire = Fire::start();
    let records: Vec<_> =
        (0..50).map(|n| serde_json::json!({ "pk": "a", "sk": format!("k{n:02}") })).collect();
    fire.ok("put", &serde_json::json!({ "Records": records }).to_string());
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().cloned().unwrap_or_default();
        let page = fire.keys(&format!(r#"{{"pk":"a","limit":7,"starts_after":"{after}"}}"#));
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    assert_eq!(all.len(), 50);
    assert!(all.is_sorted());
    fire.stop();
}
