//! A server for tests, in this process: records in memory behind the routes that `loadgen` asks
//! for, over HTTP/1.1, HTTP/2 and TLS, with faults on demand. One thread, so that a stall
//! stalls all.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json, value::RawValue};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// All stands still before this request, for so long.
    pub stall: Option<(u64, Duration)>,
    /// Every read of this many gets another record's value.
    pub wrong_every: Option<u64>,
    /// Every answer of this many says `connection: close`.
    pub close_every: Option<u64>,
    /// No more requests at once than this on an HTTP/2 connection.
    pub streams: Option<u32>,
}

type Records = BTreeMap<(String, String), Box<RawValue>>;

#[derive(Default)]
struct State {
    faults: Faults,
    served: AtomicU64,
    records: Mutex<Records>,
}

/// A running server; it lives as long as the process.
pub struct Server {
    pub address: SocketAddr,
    state: Arc<State>,
}

impl Server {
    pub fn start(faults: Faults) -> Self {
        Self::start_with(faults, None)
    }

    pub fn start_with(faults: Faults, tls: Option<TlsAcceptor>) -> Self {
        let state = Arc::new(State { faults, ..State::default() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    tokio::spawn(greet(stream, tls.clone(), Arc::clone(&shared)));
                }
            });
        });
        Self { address, state }
    }

    pub fn served(&self) -> u64 {
        self.state.served.load(Ordering::Relaxed)
    }

    pub fn records(&self) -> usize {
        self.state.records.lock().unwrap().len()
    }
}

async fn greet(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    match tls {
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                serve(stream, two, state).await;
            }
        }
        None => {
            let mut start = [0; 3];
            while matches!(stream.peek(&mut start).await, Ok(1 | 2)) {}
            serve(stream, &start == b"PRI", state).await;
        }
    }
}

async fn serve<S>(stream: S, two: bool, state: Arc<State>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let streams = state.faults.streams.unwrap_or(256);
    let service = service_fn(move |request| answer(request, Arc::clone(&state)));
    let io = TokioIo::new(stream);
    // A client that goes away is none of the server's business.
    let _ = if two {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.max_concurrent_streams(streams).serve_connection(io, service).await
    } else {
        http1::Builder::new().pipeline_flush(true).serve_connection(io, service).await
    };
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let count = state.served.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some((at, time)) = state.faults.stall
        && at == count
    {
        std::thread::sleep(time);
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = head.uri.path();
    if path == "/never" {
        std::future::pending::<()>().await;
    }
    let wrong = state.faults.wrong_every.is_some_and(|every| count.is_multiple_of(every));
    let mut records = state.records.lock().unwrap();
    let (status, text) = match (&head.method, path) {
        (_, "/constant") => (200, "constant".into()),
        (_, "/busy") => (503, String::new()),
        (&Method::POST, "/records/put") => (200, put_many(&body, &mut records)),
        (&Method::POST, "/v1/records:get") => (200, get_many(&body, &records)),
        (&Method::GET, path) => match path.strip_prefix("/v1/records/").unwrap().split_once('/') {
            None => (200, list(&head.uri, &records)),
            Some(_) if wrong => (200, records.first_key_value().unwrap().1.get().to_owned()),
            Some((pk, sk)) => match records.get(&(pk.to_owned(), sk.to_owned())) {
                Some(data) => (200, data.get().to_owned()),
                None => (404, String::new()),
            },
        },
        (_, path) => {
            let (pk, sk) = path.strip_prefix("/v1/records/").unwrap().split_once('/').unwrap();
            let data = serde_json::from_slice(&body).unwrap();
            let made = records.insert((pk.to_owned(), sk.to_owned()), data).is_none();
            (if made { 201 } else { 200 }, r#"{"outcome":"applied"}"#.into())
        }
    };
    let mut response = Response::builder().status(status);
    if state.faults.close_every.is_some_and(|every| count.is_multiple_of(every)) {
        response = response.header("connection", "close");
    }
    Ok(response.header("etag", format!("\"{count}\"")).body(Full::from(text)).unwrap())
}

fn put_many(body: &[u8], records: &mut Records) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    let puts = body["Records"].as_array().unwrap();
    for put in puts {
        let [pk, sk] = ["pk", "sk"].map(|name| put[name].as_str().unwrap().to_owned());
        // Through the members in their order, because the generator checks bytes.
        let [id, v, pad] = ["id", "v", "pad"].map(|name| put["data"][name].as_str().unwrap());
        let text = format!(r#"{{"id":"{id}","v":"{v}","pad":"{pad}"}}"#);
        records.insert((pk, sk), RawValue::from_string(text).unwrap());
    }
    let outcomes: Vec<_> = puts.iter().map(|_| json!({"Outcome": "applied"})).collect();
    json!({ "Outcomes": outcomes }).to_string()
}

fn get_many(body: &[u8], records: &Records) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    let all = body["keys"].as_array().unwrap().iter().map(|key| {
        let [pk, sk] = ["pk", "sk"].map(|name| key[name].as_str().unwrap().to_owned());
        let shown = format!(r#""pk":"{pk}","sk":"{sk}""#);
        match records.get(&(pk, sk)) {
            Some(data) => format!("{{{shown},\"found\":true,\"data\":{data}}}"),
            None => format!("{{{shown},\"found\":false}}"),
        }
    });
    format!("{{\"records\":[{}]}}", all.collect::<Vec<_>>().join(","))
}

fn list(uri: &hyper::Uri, records: &Records) -> String {
    let pk = uri.path().strip_prefix("/v1/records/").unwrap();
    let limit = uri.query().unwrap().strip_prefix("limit=").unwrap().parse().unwrap();
    let all = records
        .iter()
        .filter(|((of, _), _)| of == pk)
        .take(limit)
        .map(|((pk, sk), data)| format!("{{\"pk\":\"{pk}\",\"sk\":\"{sk}\",\"data\":{data}}}"));
    format!("{{\"records\":[{}]}}", all.collect::<Vec<_>>().join(","))
}
