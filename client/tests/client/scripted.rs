//! A server in this process that answers over HTTP/2 what a test tells it to, and notes what came.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// What the server does with it.
pub enum Reply {
    Answer(StatusCode, Vec<(&'static str, &'static str)>, String),
    /// The stream is reset after the request was read.
    Cut,
    /// No answer ever comes.
    Silence,
}

pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// `script` gets each request and how many came before it.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, noted) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (script, noted) = (script.clone(), noted.clone());
                let service = service_fn(move |request| {
                    let (script, noted) = (script.clone(), noted.clone());
                    async move { answer(request, &*script, &noted).await }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { url, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A plain JSON answer.
pub fn json(status: u16, body: &str) -> Reply {
    Reply::Answer(StatusCode::from_u16(status).unwrap(), Vec::new(), body.to_owned())
}

async fn answer(
    request: Request<Incoming>,
    script: &(impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static),
    noted: &Mutex<Vec<Seen>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        method: head.method,
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head.headers,
        body: String::from_utf8(body.into()).unwrap(),
    };
    let before = {
        let mut noted = noted.lock().unwrap();
        noted.push(seen.clone());
        noted.len() - 1
    };
    match script(&seen, before) {
        Reply::Answer(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.body(Full::new(Bytes::from(body))).unwrap())
        }
        Reply::Cut => Err(std::io::Error::other("cut")),
        Reply::Silence => Ok(std::future::pending::<Result<_, Infallible>>().await.unwrap()),
    }
}
