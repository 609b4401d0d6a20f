//! What each call puts on the wire, and what it makes of the answer.

use std::time::Duration;

use crate::scripted::{Reply, Server, json};
use http::StatusCode;
use pumice_client::{
    Batch, Client, Expect, Offset, OutcomeKind, Partition, Puts, Token, Wait, WriteId,
};

const APPLIED: &str = r#"{"outcome":"applied","partition":3,"offset":9}"#;

fn token(partition: u32, offset: u64) -> Token {
    Token { partition: Partition(partition), offset: Offset(offset) }
}

#[tokio::test]
async fn a_put_carries_what_must_hold() {
    let server =
        Server::start(|_, before| json(if before == 0 { 201 } else { 200 }, APPLIED)).await;
    let client = Client::new(&server.url).unwrap();
    let written = client
        .put_json("a/b", "é\0", r#"{"n":9007199254740993}"#)
        .condition("data == null && pk != 'x'")
        .ttl(Duration::from_millis(1_500))
        .expect(Expect::Absent)
        .write_id(WriteId(255))
        .await
        .unwrap();
    assert_eq!((written.token, written.created), (token(3, 9), true));
    assert_eq!(written.outcome, OutcomeKind::Applied);
    let again = client.put("a", "", &[1]).expect(Expect::At(token(3, 9))).wait(Wait::Log).await;
    assert!(!again.unwrap().created);

    let seen = server.seen();
    assert_eq!(seen[0].method, "PUT");
    assert_eq!(
        seen[0].path,
        concat!(
            "/v1/records/a%2Fb/%C3%A9%00?if=data%20%3D%3D%20null%20%26%26%20pk",
            "%20%21%3D%20%27x%27&ttl=1500"
        )
    );
    assert_eq!(seen[0].body, r#"{"n":9007199254740993}"#);
    assert_eq!(seen[0].headers["if-none-match"], "*");
    assert_eq!(seen[0].headers["content-type"], "application/json");
    assert_eq!(seen[0].headers["pumice-write-id"], "000000000000000000000000000000ff");
    assert_eq!(seen[1].path, "/v1/records/a/?wait=log");
    assert_eq!(seen[1].headers["if-match"], "\"3-9\"");
    assert_eq!(seen[1].body, "[1]");
}

#[tokio::test]
async fn a_delete_and_a_batch() {
    let server = Server::start(|_, _| json(200, APPLIED)).await;
    let client = Client::new(&server.url).unwrap();
    client.delete("a", "b").expect(Expect::Exists).condition("true").await.unwrap();
    client.batch(&Batch::new().put("a", "1", &1).delete("a", "2")).await.unwrap();
    let seen = server.seen();
    assert_eq!(
        (seen[0].method.as_str(), seen[0].path.as_str()),
        ("DELETE", "/v1/records/a/b?if=true")
    );
    assert_eq!(seen[0].headers["if-match"], "*");
    assert_eq!(seen[0].body, "");
    assert_eq!(seen[1].path, "/v1/batch");
    assert_eq!(
        seen[1].body,
        r#"{"operations":[{"put":{"pk":"a","sk":"1","data":1}},{"delete":{"pk":"a","sk":"2"}}]}"#
    );
}

#[tokio::test]
async fn gets_tell_null_from_nothing() {
    let server = Server::start(|seen, _| match seen.method.as_str() {
        "GET" => json(404, r#"{"error":{"code":"not_found","message":"no record"}}"#),
        _ => json(
            200,
            concat!(
                r#"{"records":[{"pk":"a","sk":"1","found":true,"data":null,"etag":"\"3-9\""},"#,
                r#"{"pk":"a","sk":"2","found":false}]}"#
            ),
        ),
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    assert_eq!(client.get("a", "b").await, Ok(None));
    let records = client.get_many(&[("a", "1"), ("a", "2")]).await.unwrap();
    assert_eq!(records[0].as_ref().unwrap().data, "null");
    assert_eq!(records[1], None);
    assert_eq!(server.seen()[1].body, r#"{"keys":[{"pk":"a","sk":"1"},{"pk":"a","sk":"2"}]}"#);
}

#[tokio::test]
async fn a_listing_follows_its_pages() {
    let server = Server::start(|_, before| {
        let rows = |sks: &[&str]| {
            let row = |sk: &&str| {
                format!(
                    r#"{{"pk":"a","sk":"{sk}","data":1,"etag":"\"3-9\"",{}}}"#,
                    concat!(
                        r#""created_at":"2023-05-07T12:00:00.000Z","#,
                        r#""updated_at":"2023-05-07T12:00:00.001Z""#
                    )
                )
            };
            sks.iter().map(row).collect::<Vec<_>>().join(",")
        };
        match before {
            0 => json(200, &format!(r#"{{"records":[{}],"next":"x_-"}}"#, rows(&["1", "2"]))),
            // A page may be empty and not the last, where everything on it had expired.
            1 => json(200, r#"{"records":[],"next":"y"}"#),
            _ => json(200, &format!(r#"{{"records":[{}]}}"#, rows(&["3"]))),
        }
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let mut list = client.list("a").prefix("&").reverse().page(2);
    let mut sks = Vec::new();
    while let Some(row) = list.next().await.unwrap() {
        assert_eq!(row.updated_at.0 - row.created_at.0, 1);
        sks.push(row.record.sk);
    }
    assert_eq!(sks, ["1", "2", "3"]);
    assert_eq!(list.next().await, Ok(None));
    let paths: Vec<_> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(
        paths,
        [
            "/v1/records/a?limit=2&prefix=%26&reverse=true",
            "/v1/records/a?limit=2&prefix=%26&reverse=true&next=x_-",
            "/v1/records/a?limit=2&prefix=%26&reverse=true&next=y",
        ]
    );
}

#[tokio::test]
async fn a_limit_ends_a_listing() {
    let server = Server::start(|seen, _| {
        let row = concat!(
            r#"{"pk":"a","sk":"1","data":1,"etag":"\"3-9\"","#,
            r#""created_at":"2023-05-07T12:00:00Z","updated_at":"2023-05-07T12:00:00Z"}"#
        );
        let rows = if seen.path.contains("limit=2") { vec![row; 2] } else { vec![row] };
        json(200, &format!(r#"{{"records":[{}],"next":"x"}}"#, rows.join(",")))
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let mut list = client.list("a").page(2).limit(3);
    for _ in 0..3 {
        assert!(list.next().await.unwrap().is_some());
    }
    assert!(list.next().await.unwrap().is_none());
    assert_eq!(server.seen().len(), 2);
    assert_eq!(server.seen()[1].path, "/v1/records/a?limit=1&next=x");
}

#[tokio::test]
async fn many_puts_have_an_outcome_each() {
    let server = Server::start(|_, _| {
        json(
            200,
            concat!(
                r#"{"Outcomes":[{"Outcome":"applied","Partition":1,"Offset":2},"#,
                r#"{"Outcome":"refused","Reason":"misplaced","Partition":1,"Offset":3}]}"#
            ),
        )
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let mut puts = Puts::new();
    puts.push("a", "1", &()).unwrap();
    puts.push("a", "2", &serde_json::json!({})).unwrap();
    let outcomes = client.put_many(&puts).await.unwrap();
    assert_eq!((outcomes[0].token, &outcomes[0].refused), (token(1, 2), &None));
    assert_eq!(outcomes[1].refused.as_deref(), Some("misplaced"));
    assert_eq!(server.seen()[0].path, "/records/put?wait=applied");
    assert!(client.put_many(&Puts::new()).await.unwrap().is_empty());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_partition_is_walked_to_its_end() {
    let server = Server::start(|_, before| {
        let row = concat!(
            r#"{"Pk":"a","Sk":"1","Data":{"n": 1},"CreatedAt":"2023-05-07T12:00:00Z","#,
            r#""UpdatedAt":"2023-05-07T12:00:00.1Z"}"#
        );
        let more = if before == 0 { r#","Continuation":"c""# } else { "" };
        json(200, &format!(r#"{{"Records":[{row}]{more}}}"#))
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let mut rows = client.list_partition(Partition(5)).page(1);
    let mut count = 0;
    while let Some(row) = rows.next().await.unwrap() {
        assert_eq!(row.data, r#"{"n": 1}"#);
        count += 1;
    }
    assert_eq!(count, 2);
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(
        bodies,
        [r#"{"partition":5,"limit":1}"#, r#"{"partition":5,"limit":1,"continuation":"c"}"#]
    );
}

#[tokio::test]
async fn a_namespace_places_keys() {
    let server = Server::start(|_, _| {
        json(200, r#"{"namespace":"default","partitions":256,"hash":"murmur2"}"#)
    })
    .await;
    let namespace = Client::new(&server.url).unwrap().namespace().await.unwrap();
    assert_eq!((namespace.name.as_str(), namespace.partitions), ("default", 256));
    assert_eq!(namespace.partition("pk1"), Partition(96));
}

#[tokio::test]
async fn an_exchange_is_handed_through() {
    let server = Server::start(|_, _| {
        Reply::Answer(StatusCode::IM_A_TEAPOT, vec![("x", "y")], "short and stout".into())
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let request = http::Request::get("/pot?a=1").header("b", "c").body(Default::default());
    let response = client.exchange(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
    assert_eq!(
        (&response.headers()["x"], &response.body()[..]),
        (&"y".parse().unwrap(), &b"short and stout"[..])
    );
    let seen = server.seen();
    assert_eq!((seen[0].path.as_str(), &seen[0].headers["b"]), ("/pot?a=1", &"c".parse().unwrap()));
}
