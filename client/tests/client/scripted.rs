//! A server in this process that answers over HTTP/2 what a test tells it to, and notes what came.
//! What it is asked about the cluster it answers by itself, and does not note.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

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
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

struct State {
    seen: Mutex<Vec<Seen>>,
    routes: Mutex<String>,
    routes_asked: AtomicUsize,
}

/// The routes of a server that is alone.
const ALONE: &str = r#"{"version":0,"partitions":4,"hash":"murmur2","nodes":[],"holders":[]}"#;

impl Server {
    /// `script` gets each request and how many came before it.
    pub async fn start(script: impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            seen: Mutex::default(),
            routes: Mutex::new(ALONE.to_owned()),
            routes_asked: AtomicUsize::new(0),
        });
        let (script, shared) = (Arc::new(script), state.clone());
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (script, state) = (script.clone(), shared.clone());
                let service = service_fn(move |request| {
                    let (script, state) = (script.clone(), state.clone());
                    async move { answer(request, &*script, &state).await }
                });
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                connections.spawn(server.serve_connection(TokioIo::new(socket), service));
            }
        });
        Self { url, state, accepting }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// What it says of the cluster from now on.
    pub fn tell_routes(&self, routes: String) {
        *self.state.routes.lock().unwrap() = routes;
    }

    /// How often it was asked about the cluster.
    pub fn routes_asked(&self) -> usize {
        self.state.routes_asked.load(Ordering::Relaxed)
    }

    /// As if its process was killed: connections break, new ones are refused.
    pub async fn kill(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

/// A plain JSON answer.
pub fn json(status: u16, body: &str) -> Reply {
    Reply::Answer(StatusCode::from_u16(status).unwrap(), Vec::new(), body.to_owned())
}

async fn answer(
    request: Request<Incoming>,
    script: &(impl Fn(&Seen, usize) -> Reply + Send + Sync + 'static),
    state: &State,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let seen = Seen {
        method: head.method,
        path: head.uri.path_and_query().unwrap().to_string(),
        headers: head.headers,
        body: String::from_utf8(body.into()).unwrap(),
    };
    if seen.path == "/v1/routes" {
        state.routes_asked.fetch_add(1, Ordering::Relaxed);
        let routes = state.routes.lock().unwrap().clone();
        return Ok(Response::new(Full::new(Bytes::from(routes))));
    }
    let before = {
        let mut noted = state.seen.lock().unwrap();
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
