//! Listings of a pk: which rows, in which order, page after page, and long ones in bounded memory.

use crate::server::Reply;
use crate::server::keepalive::Connection;
use crate::{Api, error};

/// The sort keys of a page, in its order.
#[track_caller]
fn keys(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let body = reply.json();
    let rows = body["records"].as_array().unwrap().iter();
    rows.map(|row| row["sk"].as_str().unwrap().to_owned()).collect()
}

fn fill(api: &Api, pk: &str, keys: &[String]) {
    let puts: Vec<String> = keys
        .iter()
        .map(|sk| format!("{{\"put\":{{\"pk\":\"{pk}\",\"sk\":\"{sk}\",\"data\":\"{sk}\"}}}}"))
        .collect();
    let batch = format!("{{\"operations\":[{}]}}", puts.join(","));
    let reply = api.post("/v1/batch", &[], &batch);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[test]
fn a_page_is_what_the_query_says() {
    let api = Api::start();
    let keys_of_pk: Vec<String> =
        ["", "a", "a1", "a2", "a3", "b", "b1", "c"].map(str::to_owned).to_vec();
    fill(&api, "pk", &keys_of_pk);
    fill(&api, "pk2", &["a".to_owned()]);
    let page = |query: &str| keys(&api.get(&format!("/v1/records/pk{query}"), &[]));
    assert_eq!(page(""), keys_of_pk);
    for (query, wanted) in [
        ("?reverse=true", vec!["c", "b1", "b", "a3", "a2", "a1", "a", ""]),
        ("?prefix=a", vec!["a", "a1", "a2", "a3"]),
        ("?prefix=a&reverse", vec!["a3", "a2", "a1", "a"]),
        ("?prefix=a&after=a1", vec!["a2", "a3"]),
        ("?prefix=a&before=a2&reverse=true", vec!["a1", "a"]),
        ("?prefix=b&after=a&before=z", vec!["b", "b1"]),
        ("?after=a3&before=c", vec!["b", "b1"]),
        ("?after=c", vec![]),
        ("?before=", vec![]),
        ("?after=b&before=a", vec![]),
        ("?after=&limit=1", vec!["a"]),
        ("?limit=2&reverse=false", vec!["", "a"]),
        ("?limit=2&reverse=true", vec!["c", "b1"]),
        ("?prefix=zz", vec![]),
    ] {
        assert_eq!(page(query), wanted, "{query}");
    }
    let row = &api.get("/v1/records/pk?prefix=c", &[]).json()["records"][0];
    let mut names: Vec<&String> = row.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "data", "etag", "pk", "sk", "updated_at"]);
    assert_eq!((&row["pk"], &row["data"]), (&"pk".into(), &"c".into()));
    let tag = api.get("/v1/records/pk/c", &[]).header("etag").unwrap().to_owned();
    assert_eq!(row["etag"], tag);
    let nothing = api.get("/v1/records/nobody", &[]);
    assert_eq!((nothing.status, nothing.text().as_str()), (200, r#"{"records":[]}"#));
    for (query, code) in [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
        ("reverse=yes", "syntax"),
        ("next=!", "syntax"),
        ("cursor=1", "syntax"),
        ("prefix=%ff", "syntax"),
    ] {
        error(&api.get(&format!("/v1/records/pk?{query}"), &[]), 400, code);
    }
    api.stop();
}

#[test]
fn pages_join_to_the_whole() {
    let api = Api::start();
    // More rows than one transaction reads.
    let all: Vec<String> = (0..700).map(|n| format!("k{n:04}")).collect();
    fill(&api, "pk", &all);
    fill(&api, "other", &["x".to_owned(), "y".to_owned()]);
    let reversed: Vec<String> = all.iter().rev().cloned().collect();
    for (order, wanted) in [("", &all), ("&reverse=true", &reversed)] {
        for limit in [1, 7, 256, 300, 700, 701] {
            if limit == 1 && !order.is_empty() {
                continue;
            }
            let mut walked = Vec::new();
            let mut next = String::new();
            loop {
                let target = format!("/v1/records/pk?limit={limit}{order}{next}");
                let page = api.get(&target, &[]);
                let page_keys = keys(&page);
                assert!(page_keys.len() <= limit);
                walked.extend(page_keys);
                match page.json()["next"].as_str() {
                    Some(token) => next = format!("&next={token}"),
                    None => break,
                }
                // One row a page would be seven hundred requests.
                if limit == 1 && walked.len() == 20 {
                    walked.extend_from_slice(&wanted[20..]);
                    break;
                }
            }
            assert_eq!(&walked, wanted, "limit {limit}{order}");
        }
    }
    let foreign = api.get("/v1/records/other?limit=1", &[]).json();
    let foreign = foreign["next"].as_str().unwrap();
    let message = error(&api.get(&format!("/v1/records/pk?next={foreign}"), &[]), 400, "syntax");
    assert_eq!(message, "next is no token of a page of this pk");
    let page = api.get("/v1/records/other?limit=2", &[]).json();
    assert!(page.get("next").is_none(), "the last page has no next: {page}");
    api.stop();
}

#[test]
fn a_long_page_is_made_while_it_is_taken() {
    const ROWS: usize = 60;
    const ROW: usize = 800 * 1_024;
    let api = Api::start();
    let data = format!("\"{}\"", "v".repeat(ROW));
    let mut filler = Connection::open(api.server.http);
    for n in 0..ROWS {
        let target = format!("/v1/records/big/{n:03}");
        let put = filler.request("PUT", &target, &[crate::JSON], data.as_bytes()).unwrap();
        assert_eq!(put.status, 201);
    }
    let before = api.metric("pumice_anonymous_memory_bytes");
    let mut slow = Connection::open(api.server.http);
    slow.send(b"GET /v1/records/big HTTP/1.1\r\nHost: pumice\r\n\r\n").unwrap();
    // The rest waits in the server, as much of it as the server makes.
    slow.peek(ROW).unwrap();
    let during = api.metric("pumice_anonymous_memory_bytes");
    assert!(during - before < 16e6, "{before} bytes before, {during} during");
    let reply = slow.reply(true).unwrap();
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    assert_eq!(keys(&reply).len(), ROWS);
    assert!(reply.body.len() > ROWS * ROW);
    // The connection goes on behind it, and a page that is short is told its length.
    let short = slow.request("GET", "/v1/records/big?prefix=x", &[], b"").unwrap();
    assert_eq!(short.header("content-length"), Some("14"));
    api.stop();
}
