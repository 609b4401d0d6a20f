//! What is told in time: offsets that a read waits for, writes that are repeated, rows that expire.

use std::thread;
use std::time::{Duration, Instant};

use crate::server::Reply;
use crate::{Api, error, token};

/// A read with these headers.
type Read<'a> = dyn Fn(&[(&str, &str)]) -> Reply + 'a;

const ID: &str = "00112233445566778899aabbccddeeff";

#[test]
fn a_read_waits_for_what_the_client_has_seen() {
    let api = Api::start();
    let at = "/v1/records/pk/sk";
    let (partition, offset) = token(&api.put(at, &[], "1"));
    let seen = format!("{partition}:{offset}");
    let next = format!("{partition}:{}", offset + 1);
    let routes: [&Read<'_>; 3] = [
        &|headers| api.get(at, headers),
        &|headers| api.get("/v1/records/pk", headers),
        &|headers| api.post("/v1/records:get", headers, r#"{"keys":[{"pk":"pk","sk":"sk"}]}"#),
    ];
    for route in routes {
        assert_eq!(route(&[("pumice-min-offsets", &seen)]).status, 200);
        let late = [("pumice-min-offsets", next.as_str()), ("pumice-timeout-ms", "20")];
        let behind = route(&late);
        let message = error(&behind, 503, "behind");
        assert!(message.contains("is not applied yet"), "{message}");
        assert_eq!(token(&behind), (partition, offset));
        for (name, value) in [
            ("pumice-min-offsets", "1-2"),
            ("pumice-min-offsets", ""),
            ("pumice-min-offsets", "64:0"),
            ("pumice-timeout-ms", "30001"),
            ("pumice-timeout-ms", "soon"),
        ] {
            let headers = [("pumice-min-offsets", next.as_str()), (name, value)];
            let headers = if name == headers[0].0 { &headers[1..] } else { &headers[..] };
            error(&route(headers), 400, "syntax");
        }
    }
    let other = (partition + 1) % 64;
    let empty = [("pumice-min-offsets", &*format!("{other}:0")), ("pumice-timeout-ms", "0")];
    let behind = api.get(at, &empty);
    error(&behind, 503, "behind");
    assert!(behind.json()["error"].get("offset").is_none(), "nothing is reached: {behind:?}");

    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let patient = [("pumice-min-offsets", &*next), ("pumice-timeout-ms", "30000")];
            api.get(at, &patient)
        });
        api.put(at, &[], "2");
        assert_eq!(reader.join().unwrap().text(), "2");
    });
    api.stop();
}

#[test]
fn a_repeated_write_gets_its_first_outcome() {
    let api = Api::start();
    let id = [("pumice-write-id", ID)];
    let first = api.put("/v1/records/pk/sk", &id, "1");
    assert_eq!(first.status, 201);
    api.put("/v1/records/pk/sk", &[], "2");
    let again = api.put("/v1/records/pk/sk", &id, "1");
    assert_eq!((again.status, token(&again)), (201, token(&first)));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(api.get("/v1/records/pk/sk", &[]).text(), "2");

    let refused = [("pumice-write-id", "ffffffffffffffffffffffffffffffff"), ("if-none-match", "*")];
    let first = api.put("/v1/records/pk/sk", &refused, "3");
    assert_eq!(error(&first, 412, "refused"), "expected-absent");
    api.delete("/v1/records/pk/sk", &[]);
    let again = api.put("/v1/records/pk/sk", &refused, "3");
    assert_eq!(
        (error(&again, 412, "refused"), token(&again)),
        ("expected-absent".into(), token(&first))
    );
    assert_eq!(api.get("/v1/records/pk/sk", &[]).status, 404);

    let id = [("pumice-write-id", "0123456789ABCDEF0123456789abcdef")];
    let body = r#"{"operations":[{"put":{"pk":"pk","sk":"b","data":1}}]}"#;
    let first = api.post("/v1/batch", &id, body);
    api.delete("/v1/records/pk/b", &[]);
    let again = api.post("/v1/batch", &id, body);
    assert_eq!((again.status, token(&again)), (200, token(&first)));
    assert_eq!(api.get("/v1/records/pk/b", &[]).status, 404);
    for bad in ["", "12", &ID[1..], &format!("{ID}0"), &ID.replace('0', "g")] {
        let reply = api.put("/v1/records/pk/sk", &[("pumice-write-id", bad)], "1");
        let message = error(&reply, 400, "syntax");
        assert!(message.contains("pumice-write-id"), "{message}");
    }
    api.stop();
}

#[test]
fn an_expired_row_is_gone_for_everyone() {
    let api = Api::start();
    let at = "/v1/records/pk/sk";
    // Long enough to be seen, however slow the machine: the next two requests race it.
    assert_eq!(api.put(&format!("{at}?ttl=4000"), &[], "1").status, 201);
    let listed = api.get("/v1/records/pk", &[]).json();
    let row = &listed["records"][0];
    let (made, ends) = (row["updated_at"].as_str().unwrap(), row["expires_at"].as_str().unwrap());
    assert!(ends > made, "{row}");
    assert_eq!(api.get(at, &[]).text(), "1");
    let patience = Instant::now() + Duration::from_secs(30);
    while api.get(at, &[]).status == 200 {
        assert!(Instant::now() < patience, "the row never expired");
        thread::sleep(Duration::from_millis(50));
    }
    error(&api.get(at, &[]), 404, "not_found");
    assert_eq!(api.get("/v1/records/pk", &[]).text(), r#"{"records":[]}"#);
    let found = api.post("/v1/records:get", &[], r#"{"keys":[{"pk":"pk","sk":"sk"}]}"#).json();
    assert_eq!(found["records"][0]["found"], false);
    assert_eq!(error(&api.delete(at, &[("if-match", "*")]), 412, "refused"), "expected-exists");
    assert_eq!(api.put(&format!("{at}?if=data==null"), &[("if-none-match", "*")], "2").status, 201);
    // A put without a time to live has none, whatever the row before it had.
    let row = &api.get("/v1/records/pk", &[]).json()["records"][0];
    assert!(row.get("expires_at").is_none(), "{row}");
    api.stop();
}
