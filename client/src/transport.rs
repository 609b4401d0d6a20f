//! Requests out, answers in: the connections, the deadline, the retries of reads and what a status
//! means. The one place that knows whether bytes may have left, so the one place that may retry.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use pumice_model::ids::Token;
use pumice_model::wire;
use rustls::ClientConfig;

use crate::error::Error;
use crate::meaning::fault;

/// The largest answer that is read, bytes; a page of rows near their size limit can be larger, and
/// is to be asked for in smaller pages.
const ANSWER_MAX: usize = 256 * 1_024 * 1_024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

pub(crate) struct Transport {
    pub(crate) origin: String,
    // Each pool keeps one HTTP/2 connection to the one host.
    pools: Vec<Pool<HttpsConnector<HttpConnector>, Full<Bytes>>>,
    turn: AtomicUsize,
    timeout: Duration,
    read_retries: u32,
}

/// An answer with a status below 400.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A request before it has an address.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

enum Failed {
    // No connection: certain that nothing was sent.
    Unsent(String),
    // The request left, or part of it; no whole answer came.
    Cut(String),
}

impl Transport {
    pub(crate) fn new(
        origin: String,
        tls: &ClientConfig,
        timeout: Duration,
        connections: usize,
        read_retries: u32,
    ) -> Self {
        let pools = (0..connections).map(|_| pool(tls)).collect();
        Self { origin, pools, turn: AtomicUsize::new(0), timeout, read_retries }
    }

    /// A call without effect: tried again while there is time and tries are left.
    pub(crate) async fn read(&self, call: &Call) -> Result<Answer, Error> {
        let tries = self.read_tries(call);
        tokio::time::timeout(self.timeout, tries).await.unwrap_or_else(|_| {
            Err(Error::unavailable(format!("no answer within {:?}", self.timeout)))
        })
    }

    async fn read_tries(&self, call: &Call) -> Result<Answer, Error> {
        let mut backoff = BACKOFF_FIRST;
        let mut left = self.read_retries;
        loop {
            let fault = match self.send(call).await {
                Ok(answer) if answer.status.as_u16() < 400 => return Ok(answer),
                Ok(answer) => fault(&answer, false),
                Err(Failed::Unsent(message) | Failed::Cut(message)) => Error::unavailable(message),
            };
            let Error::Unavailable { retry_after, reached: None, .. } = &fault else {
                return Err(fault);
            };
            if left == 0 {
                return Err(fault);
            }
            left -= 1;
            tokio::time::sleep(retry_after.unwrap_or(backoff).min(BACKOFF_MAX)).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
    }

    /// A call with effect: sent once.
    pub(crate) async fn write(&self, call: &Call) -> Result<Answer, Error> {
        let answer = self.once(call).await?;
        if answer.status.as_u16() < 400 { Ok(answer) } else { Err(fault(&answer, true)) }
    }

    /// The same, with the answer as it came, whatever its status.
    pub(crate) async fn once(&self, call: &Call) -> Result<Answer, Error> {
        match tokio::time::timeout(self.timeout, self.send(call)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failed::Unsent(message))) => Err(Error::unavailable(message)),
            Ok(Err(Failed::Cut(message))) => Err(Error::unknown(message)),
            Err(_) => Err(Error::unknown(format!("no answer within {:?}", self.timeout))),
        }
    }

    async fn send(&self, call: &Call) -> Result<Answer, Failed> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{}{}", self.origin, call.path))
            .body(Full::new(call.body.clone()))
            .map_err(|fault| Failed::Unsent(fault.to_string()))?;
        request.headers_mut().extend(call.headers.iter().cloned());

        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let pool = &self.pools[turn % self.pools.len()];
        let answer = pool.request(request).await.map_err(|fault| {
            let cause = chain(&fault);
            match fault.is_connect() {
                true => Failed::Unsent(format!("cannot reach {}: {cause}", self.origin)),
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

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Call {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
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
