//! Large replies that are taken slowly, over both protocols, and that must still end whole.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pumice_client::{Client, Puts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::reply;

/// Rows of the large reply, and bytes of each: more than sockets and buffers hold.
const ROWS: usize = 4_000;
const ROW: usize = 4_000;
const ASKED: &str = r#"{"pk":"large","limit":0}"#;
const PAUSE: Duration = Duration::from_millis(5);

/// Writes the rows that the reply lists.
pub async fn fill(client: &Client) {
    let row = serde_json::json!({ "x": "x".repeat(ROW) });
    for thousand in 0..ROWS / 1_000 {
        let mut puts = Puts::new();
        for n in 0..1_000 {
            puts.push("large", &format!("{thousand}-{n:03}"), &row).unwrap();
        }
        let outcomes = client.put_many(&puts).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.refused.is_none()));
    }
}

/// An HTTP/2 connection of its own.
pub async fn http2<B>(address: SocketAddr) -> SendRequest<B>
where
    B: Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
    let (sender, connection) = builder.handshake(io).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A large reply over HTTP/2 whose head has arrived.
pub struct Http2(Incoming);

impl Http2 {
    /// Asks, and takes the head.
    pub async fn begin(address: SocketAddr) -> Self {
        let mut sender = http2(address).await;
        let request = Request::post(format!("http://{address}/records/list"));
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(ASKED))).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        Self(answer.into_body())
    }

    /// Takes the rest, slowly.
    pub async fn finish(&mut self) {
        let mut whole = Vec::new();
        while let Some(frame) = self.0.frame().await {
            let frame = frame.expect("a reply that had begun was cut");
            whole.extend_from_slice(frame.data_ref().unwrap());
            if whole.len() % 16 == 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        complete(&whole);
    }
}

/// A large reply over HTTP/1.1 whose head has arrived.
pub struct Http1(TcpStream, Vec<u8>);

impl Http1 {
    /// Asks, and takes the head.
    pub async fn begin(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "POST /records/list HTTP/1.1\r\nhost: pumice\r\n\
             content-type: application/json\r\ncontent-length";
        stream
            .write_all(format!("{head}: {}\r\n\r\n{ASKED}", ASKED.len()).as_bytes())
            .await
            .unwrap();
        let mut taken = vec![0; 1_024];
        stream.read_exact(&mut taken).await.unwrap();
        assert!(taken.starts_with(b"HTTP/1.1 200"));
        Self(stream, taken)
    }

    /// Takes the rest, slowly, up to the end of the connection, which a drain closes.
    pub async fn finish(&mut self) {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match self.0.read(&mut buffer).await.unwrap() {
                0 => break,
                n => self.1.extend_from_slice(&buffer[..n]),
            }
            tokio::time::sleep(PAUSE).await;
        }
        complete(&reply(&self.1).body);
    }
}

fn complete(body: &[u8]) {
    let list: serde_json::Value = serde_json::from_slice(body).expect("a whole reply");
    assert_eq!(list["Records"].as_array().unwrap().len(), ROWS);
}
