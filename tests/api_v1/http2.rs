//! The same routes over HTTP/2 with prior knowledge, on one connection with many streams.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::Api;

type Sender = SendRequest<Full<Bytes>>;

/// One request and its whole answer.
async fn ask(
    sender: &Sender,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri(format!("http://pumice{target}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    let reply = sender.clone().send_request(request).await.unwrap();
    let (head, body) = reply.into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

async fn conversation(sender: Sender) {
    let at = "/v1/records/pk/%00%2F";
    let (status, headers, body) = ask(&sender, "PUT", at, &[], "{ \"n\": 1.0 }").await;
    assert_eq!(status, 201, "{body:?}");
    let tag = headers["etag"].to_str().unwrap().to_owned();
    let (status, headers, body) = ask(&sender, "GET", at, &[], "").await;
    assert_eq!((status.as_u16(), body.as_ref()), (200, &b"{\"n\":1.0}"[..]));
    assert_eq!(
        (headers["etag"].to_str().unwrap(), &headers["content-length"]),
        (&*tag, &"9".parse().unwrap())
    );
    let (status, _, body) = ask(&sender, "GET", at, &[("if-none-match", &tag)], "").await;
    assert_eq!((status.as_u16(), body.len()), (304, 0));
    let (status, headers, body) = ask(&sender, "HEAD", at, &[], "").await;
    assert_eq!(
        (status.as_u16(), body.len(), &headers["content-length"]),
        (200, 0, &"9".parse().unwrap())
    );
    // An answer to HEAD has no body, whatever it would be.
    for (target, wanted) in
        [("/v1/records/pk/none", 404), ("/up", 200), ("/none", 404), ("/v1/records//", 400)]
    {
        let (status, headers, body) = ask(&sender, "HEAD", target, &[], "").await;
        assert_eq!((status.as_u16(), body.len()), (wanted, 0), "{target}");
        assert_ne!(headers["content-length"], "0", "{target}");
    }
    let (status, headers, _) = ask(&sender, "PATCH", at, &[], "").await;
    assert_eq!(
        (status.as_u16(), &headers["allow"]),
        (405, &"GET, HEAD, PUT, DELETE".parse().unwrap())
    );
    let (status, _, _) = ask(&sender, "PUT", at, &[("if-match", "\"0-99\"")], "1").await;
    assert_eq!(status, 412);
    let large = format!("\"{}\"", "v".repeat(900_000));
    for n in 0..12 {
        let (status, ..) = ask(&sender, "PUT", &format!("/v1/records/big/{n}"), &[], &large).await;
        assert_eq!(status, 201);
    }
    let all = (0..100).map(|n| {
        let (sender, target) = (sender.clone(), format!("/v1/records/big/{}", n % 12));
        tokio::spawn(async move { ask(&sender, "GET", &target, &[], "").await })
    });
    let all: Vec<_> = all.collect();
    for one in all {
        let (status, _, body) = one.await.unwrap();
        assert_eq!((status.as_u16(), body.len()), (200, large.len()));
    }
    let (status, _, body) = ask(&sender, "GET", "/v1/records/big", &[], "").await;
    assert_eq!(status, 200);
    let page: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(page["records"].as_array().unwrap().len(), 12);
    let (status, ..) = ask(&sender, "DELETE", at, &[], "").await;
    assert_eq!(status, 200);
}

#[test]
fn every_route_speaks_http2() {
    let api = Api::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(api.server.http).await.unwrap();
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        conversation(sender).await;
        // No answer broke the protocol: the connection ended because the client was done.
        connection.await.unwrap().unwrap();
    });
    api.stop();
}
