//! Requests out, answers in: the connections to one server, and how it goes with them. The one
//! place that knows whether bytes may have left; it tries nothing twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pumice_model::ids::{Partition, Token};
use pumice_model::wire;
use rustls::ClientConfig;

use crate::health::Health;

/// The largest answer that is read, bytes; a page of rows near their size limit can be larger, and
/// is to be asked for in smaller pages.
const ANSWER_MAX: usize = 256 * 1_024 * 1_024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One server: `scheme://HOST:PORT`, the connections to it and how it goes with them.
pub(crate) struct Origin {
    pub(crate) base: String,
    pub(crate) health: Health,
    // Each pool keeps one HTTP/2 connection to the one host.
    pools: Vec<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    turn: AtomicUsize,
    under_way: AtomicUsize,
}

/// An answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request before it has an address.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) place: Place,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

/// Whom a request is for.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The server whose address the client was given.
    Given,
    /// Any node.
    Anyone,
    /// Who has the partition of this pk.
    Pk(String),
    /// Who has this partition.
    Partition(Partition),
}

/// Why there is no answer.
pub(crate) enum Failed {
    // No connection: certain that nothing was sent.
    Unsent(String),
    // The request left, or part of it; no whole answer came.
    Cut(String),
}

impl Origin {
    /// Connects at the first request, not here.
    pub(crate) fn new(base: String, tls: &ClientConfig, connections: usize) -> Self {
        let pools = (0..connections).map(|_| pool(tls)).collect();
        let health = Health::new(Instant::now());
        let (turn, under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { base, health, pools, turn, under_way }
    }

    /// How many requests are waiting for their answers.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Sends a request once, and waits for its answer until `deadline` at most.
    pub(crate) async fn send(&self, call: &Call, deadline: Instant) -> Result<Answer, Failed> {
        self.health.asked(Instant::now());
        let _counted = UnderWay::new(&self.under_way);
        match tokio::time::timeout_at(deadline.into(), self.exchange(call)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failed::Cut(format!("no answer from {} in time", self.base))),
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Failed> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.base, call.path))
            .body(Full::new(call.body.clone()))
            .map_err(|fault| Failed::Unsent(fault.to_string()))?;
        request.headers_mut().extend(call.headers.iter().cloned());

        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let pool = &self.pools[turn % self.pools.len()];
        let answer = pool.request(request).await.map_err(|fault| {
            let cause = chain(&fault);
            match fault.is_connect() {
                true => Failed::Unsent(format!("cannot reach {}: {cause}", self.base)),
                false => Failed::Cut(cause),
            }
        })?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX)
            .collect()
            .await
            .map_err(|fault| Failed::Cut(format!("the answer broke off: {}", chain(&*fault))))?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Origin").field("base", &self.base).finish_non_exhaustive()
    }
}

// A call that its caller gives up ends here too.
struct UnderWay<'o>(&'o AtomicUsize);

impl<'o> UnderWay<'o> {
    fn new(count: &'o AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Answer {
    /// A field of the head, where it is there and text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Call {
    pub(crate) fn new(place: Place, method: Method, path: impl Into<String>) -> Self {
        Self { place, method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    pub(crate) fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, "application/json")
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("made of printable ASCII");
        self.headers.push((name, value));
        self
    }

    pub(crate) fn at_least(self, tokens: &[Token]) -> Self {
        if tokens.is_empty() {
            return self;
        }
        let offsets = wire::format_offsets(tokens.iter().copied());
        self.header(HeaderName::from_static(wire::MIN_OFFSETS), &offsets)
    }

    /// Whether the write has a name by which a repeat of it is known.
    pub(crate) fn is_named(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == wire::WRITE_ID)
    }
}

fn pool(tls: &ClientConfig) -> Pool<HttpsConnector<HttpConnector>, Full<Bytes>> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls.clone())
        .https_or_http()
        .enable_http2()
        .wrap_connector(connector);
    Pool::builder(TokioExecutor::new())
        .http2_only(true)
        .http2_initial_stream_window_size(1 << 20)
        .http2_initial_connection_window_size(8 << 20)
        .pool_timer(TokioTimer::new())
        .build(connector)
}

// hyper's own message is "client error (Connect)"; the cause is below it.
fn chain(fault: &(dyn std::error::Error + 'static)) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
