//! Listings of all partitions: in key order, page after page, nothing left out.

use serde_json::Value;

use crate::server::Reply;
use crate::{Api, error};

/// The keys of a page, in its order, and its token.
#[track_caller]
fn page(reply: &Reply) -> (Vec<(String, String)>, Option<String>) {
    assert_eq!(reply.status, 200, "{reply:?}");
    let body = reply.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = body["records"].as_array().unwrap().iter();
    let keys = rows.map(|row| (text(&row["pk"]), text(&row["sk"]))).collect();
    (keys, body.get("next").map(text))
}

/// All pages, each of at most `limit` rows.
fn walk(api: &Api, query: &str, limit: usize) -> Vec<(String, String)> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let reply = api.get(&format!("/v1/records?limit={limit}{query}{next}"), &[]);
        let (keys, token) = page(&reply);
        assert!(keys.len() <= limit && (token.is_none() || !keys.is_empty()));
        all.extend(keys);
        let Some(token) = token else { return all };
        next = format!("&next={token}");
    }
}

#[test]
fn every_record_comes_once_and_in_order() {
    let api = Api::start();
    assert_eq!(page(&api.get("/v1/records", &[])), (vec![], None));
    let mut keys: Vec<(String, String)> =
        (0..300).map(|n| (format!("k{n}"), format!("s{}", n % 3))).collect();
    for pk in ["a", "a\0", "a\0b", "ab", "é", "k1", "k1\u{1}"] {
        keys.extend(["", "\0", "z"].map(|sk| (pk.to_owned(), sk.to_owned())));
    }
    for (pk, sk) in &keys {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
        api.put(&format!("/v1/records/{}/{}", encode(pk), encode(sk)), &[], "1");
    }
    keys.sort();
    for limit in [1, 7, 16, 100, 1_000] {
        assert_eq!(walk(&api, "", limit), keys, "{limit}");
    }
    for prefix in ["k1", "a", "é", "z", "k299x"] {
        let with: Vec<_> = keys.iter().filter(|(pk, _)| pk.starts_with(prefix)).cloned().collect();
        assert_eq!(walk(&api, &format!("&prefix={prefix}"), 9), with);
    }
    // Partition by partition there are as many.
    let count = api.get("/v1/namespace", &[]).json()["partitions"].as_u64().unwrap();
    let each: usize = (0..count).map(|p| walk(&api, &format!("&partitions={p}"), 50).len()).sum();
    assert_eq!(each, keys.len());
    let two = walk(&api, "&partitions=0,1,1,0", 50);
    assert!(two.is_sorted() && two.len() < keys.len());

    // A record is written as in the list of its pk; what was deleted or is over is not there.
    let of_pk = api.get("/v1/records/k7?limit=1", &[]).json();
    assert_eq!(api.get("/v1/records?prefix=k7&limit=1", &[]).json()["records"], of_pk["records"]);
    api.delete("/v1/records/k7/s1", &[]);
    api.put("/v1/records/k70/s?ttl=1", &[], "1");
    let gone = [("k7", "s1"), ("k70", "s")].map(|(pk, sk)| (pk.to_owned(), sk.to_owned()));
    std::thread::sleep(std::time::Duration::from_millis(5));
    let left = walk(&api, "&prefix=k7", 50);
    assert!(!left.is_empty() && !left.iter().any(|key| gone.contains(key)), "{left:?}");
    api.stop();
}

#[test]
fn large_records_end_a_page_and_none_is_lost() {
    let api = Api::start();
    let large = format!("\"{}\"", "x".repeat(900_000));
    for n in 0..24 {
        api.put(&format!("/v1/records/k{n:02}/s"), &[], &large);
    }
    let (first, next) = page(&api.get("/v1/records", &[]));
    assert!((8..24).contains(&first.len()) && next.is_some(), "{} {next:?}", first.len());
    assert_eq!(walk(&api, "", 1_000).len(), 24);
    api.stop();
}

#[test]
fn what_does_not_read_is_told_so() {
    let api = Api::start();
    for (query, code) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("next=%21", "syntax"),
        ("partitions=", "syntax"),
        ("partitions=1,x", "syntax"),
        ("partitions=65536", "syntax"),
        ("reverse=true", "syntax"),
        ("after=a", "syntax"),
    ] {
        error(&api.get(&format!("/v1/records?{query}"), &[]), 400, code);
    }
    let long = "x".repeat(513);
    error(&api.get(&format!("/v1/records?prefix={long}"), &[]), 400, "syntax");
    api.stop();
}
