//! What a caller is told when things go wrong, and that nothing is sent twice that must not be.

use std::time::Duration;

use crate::scripted::{Reply, Server, json};
use http::StatusCode;
use pumice_client::{Batch, Client, Error, Offset, Partition, Puts, Token};

const ROW: &str = r#"{"a":1}"#;

fn token(partition: u32, offset: u64) -> Token {
    Token { partition: Partition(partition), offset: Offset(offset) }
}

fn unavailable(retry_after: &'static str) -> Reply {
    let body = r#"{"error":{"code":"unavailable","message":"shard 1 is full"}}"#;
    let headers = vec![("retry-after", retry_after)];
    Reply::Answer(StatusCode::SERVICE_UNAVAILABLE, headers, body.to_owned())
}

#[tokio::test]
async fn a_write_that_is_unavailable_is_sent_once() {
    let server = Server::start(|_, _| unavailable("7")).await;
    let client = Client::new(&server.url).unwrap();
    let wanted = Error::Unavailable {
        message: "shard 1 is full".into(),
        retry_after: Some(Duration::from_secs(7)),
        reached: None,
    };
    assert_eq!(client.put("a", "b", &1).await, Err(wanted.clone()));
    assert_eq!(client.delete("a", "b").await, Err(wanted.clone()));
    assert_eq!(client.batch(&Batch::new().delete("a", "b")).await, Err(wanted));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_read_is_tried_again_a_bounded_number_of_times() {
    let server = Server::start(|_, _| unavailable("0")).await;
    let client = Client::builder(&server.url).read_retries(2).build().unwrap();
    assert!(matches!(client.get("a", "b").await, Err(Error::Unavailable { .. })));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_read_of_a_server_that_recovers_succeeds() {
    let server = Server::start(|_, before| match before {
        0 => Reply::Cut,
        1 => unavailable("0"),
        _ => Reply::Answer(StatusCode::OK, vec![("etag", "\"3-7\"")], ROW.into()),
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let record = client.get("a", "b").await.unwrap().unwrap();
    assert_eq!((record.data.as_str(), record.token), (ROW, token(3, 7)));
}

#[tokio::test]
async fn a_replica_that_is_behind_is_not_asked_again() {
    let server = Server::start(|_, _| {
        let error = r#"{"code":"behind","message":"at 4","partition":3,"offset":4}"#;
        json(503, &format!(r#"{{"error":{error}}}"#))
    })
    .await;
    let client = Client::new(&server.url).unwrap().at_least(token(3, 9));
    let Err(Error::Unavailable { reached, .. }) = client.get("a", "b").await else {
        panic!("it is unavailable")
    };
    assert_eq!(reached, Some(token(3, 4)));
    assert_eq!(server.seen().len(), 1);
    assert_eq!(server.seen()[0].headers["pumice-min-offsets"], "3:9");
}

#[tokio::test]
async fn a_write_that_was_cut_is_unknown_and_not_repeated() {
    let server = Server::start(|_, _| Reply::Cut).await;
    let client = Client::new(&server.url).unwrap();
    assert!(matches!(client.put("a", "b", &1).await, Err(Error::Unknown { token: None, .. })));
    let mut puts = Puts::new();
    puts.push("a", "b", &()).unwrap();
    assert!(matches!(client.put_many(&puts).await, Err(Error::Unknown { token: None, .. })));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_write_without_an_answer_in_time_is_unknown() {
    let server = Server::start(|_, _| Reply::Silence).await;
    let client = Client::builder(&server.url).timeout(Duration::from_millis(300)).build().unwrap();
    assert!(matches!(client.put("a", "b", &1).await, Err(Error::Unknown { .. })));
    assert!(matches!(client.get("a", "b").await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn nobody_listening_is_certain() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::builder(&url).read_retries(0).build().unwrap();
    let Err(Error::Unavailable { message, .. }) = client.put("a", "b", &1).await else {
        panic!("it is unavailable")
    };
    assert!(message.contains("refused"), "{message}");
    assert!(matches!(client.get("a", "b").await, Err(Error::Unavailable { .. })));
}

#[tokio::test]
async fn gateway_timeouts_keep_their_token() {
    let server = Server::start(|_, before| {
        let at = if before == 0 { "" } else { r#","partition":3,"offset":9"# };
        json(504, &format!(r#"{{"error":{{"code":"unknown","message":"no ack"{at}}}}}"#))
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let unknown = |token| Err(Error::Unknown { message: "no ack".into(), token });
    assert_eq!(client.put("a", "b", &1).await, unknown(None));
    assert_eq!(client.put("a", "b", &1).await, unknown(Some(token(3, 9))));
}

#[tokio::test]
async fn refusals_are_read_from_either_body() {
    let server = Server::start(|_, before| {
        json(
            412,
            match before {
                0 => r#"{"outcome":"refused","partition":3,"offset":9,"reason":"condition-false"}"#,
                _ => {
                    concat!(
                        r#"{"error":{"code":"refused","message":"condition-false","#,
                        r#""partition":3,"offset":9}}"#
                    )
                }
            },
        )
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let refused = Error::Refused { reason: "condition-false".into(), token: Some(token(3, 9)) };
    assert_eq!(client.put("a", "b", &1).await, Err(refused.clone()));
    assert_eq!(client.put("a", "b", &1).await, Err(refused));
}

#[tokio::test]
async fn a_wrong_request_says_what_is_wrong() {
    let server = Server::start(|seen, _| match seen.path.starts_with("/v1") {
        true => json(400, r#"{"error":{"code":"limit","message":"pk has 0 bytes"}}"#),
        false => json(400, "code=400, message=no"),
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    let wrong = |message: &str| Error::Invalid { message: message.into(), status: Some(400) };
    assert_eq!(client.put("", "b", &1).await, Err(wrong("pk has 0 bytes")));
    assert_eq!(client.get("", "b").await, Err(wrong("pk has 0 bytes")));
    let mut rows = client.list_partition(Partition(0));
    assert_eq!(rows.next().await, Err(wrong("code=400, message=no")));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_strange_answer_is_a_protocol_error_or_an_unknown_write() {
    let server = Server::start(|_, _| json(200, "<html>")).await;
    let client = Client::new(&server.url).unwrap();
    assert!(matches!(client.get("a", "b").await, Err(Error::Protocol { .. })));
    assert!(matches!(client.list("a").next().await, Err(Error::Protocol { .. })));
    assert!(matches!(client.put("a", "b", &1).await, Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn missing_answers_are_not_missing_records() {
    let server = Server::start(|_, _| {
        let body = r#"{"records":[{"pk":"a","sk":"b","found":false}]}"#;
        Reply::Answer(StatusCode::OK, vec![("pumice-unavailable", "0")], body.into())
    })
    .await;
    let client = Client::new(&server.url).unwrap();
    assert!(matches!(client.get_many(&[("a", "b")]).await, Err(Error::Unavailable { .. })));
}
