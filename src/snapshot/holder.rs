//! Asking another node for a partition that it serves, and taking the stream that it answers with:
//! a head, the manifest, the frames. On the objects' side thread; nothing that comes is believed
//! before it is checked, and a peer that is silent is given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::TryFutureExt;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pumice_model::ids::Partition;
use pumice_model::limits::MANIFEST_MAX;
use pumice_model::manifest::{Manifest, ManifestFault};
use pumice_model::wire::{ErrorBody, code};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::download::ReadFault;
use super::give::{HEAD_BYTES, MARKER};
use super::take::WALK_MAX;

/// How long opening a connection may take.
const OPENING: Duration = Duration::from_secs(5);
/// How long a holder may take to begin: it walks over the partition first.
const BEGINNING: Duration = WALK_MAX.saturating_add(Duration::from_secs(15));
/// How long it may be silent once it has begun.
const SILENCE: Duration = Duration::from_secs(15);
/// A holder that says nothing is asked for a sign of life, since its walk may take long.
const PING_AFTER: Duration = Duration::from_secs(4);
const PING_TIME: Duration = Duration::from_secs(4);
/// A holder that sends less than this a second, after a while, is as good as silent.
const SLOWEST: u64 = 256 << 10;
const SLACK: Duration = Duration::from_secs(60);
/// What it may send before it is taken: two chunks, so that it never waits for the next fetch.
const WINDOW: u32 = 4 << 20;
/// Bytes of a refusal that are looked at.
const REFUSAL: usize = 4 << 10;

/// What a holder sends, from its head on.
pub struct Stream {
    name: String,
    body: Incoming,
    /// What came and was not taken yet.
    left: BytesMut,
    /// How long it was waited for in all, and how many bytes came.
    waited: Duration,
    came: u64,
    /// The connection ends with it.
    _sender: SendRequest<Empty<Bytes>>,
}

/// Why a holder gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskFault {
    /// It gives as many as it may: later it will.
    #[error("it gives as many partitions as it may")]
    Busy,
    /// It does not have it, or could not be asked.
    #[error("{0}")]
    Not(String),
}

/// Asks the node at `place` (`HOST:PORT`), called `name`, for `partition`.
pub async fn ask(
    name: &str,
    place: &str,
    tls: Option<&Arc<ClientConfig>>,
    partition: Partition,
) -> Result<Stream, AskFault> {
    let not = |why: String| AskFault::Not(why);
    let opened = timeout(OPENING, open(place, tls)).await;
    let opened = opened.unwrap_or_else(|_| Err(format!("no connection within {OPENING:?}")));
    let mut sender = opened.map_err(not)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let target = format!("{scheme}://{place}/v1/partitions/{partition}/snapshot");
    let request = Request::get(target).body(Empty::new()).map_err(|f| not(f.to_string()))?;
    let answer = timeout(BEGINNING, sender.send_request(request)).await;
    let answer = answer.map_err(|_| not(format!("it did not begin within {BEGINNING:?}")))?;
    let answer = answer.map_err(|fault| not(causes(&fault)))?;
    let (status, body) = (answer.status(), answer.into_body());
    if status != StatusCode::OK {
        return Err(refusal(status, body).await);
    }
    let (name, left, waited) = (name.to_owned(), BytesMut::new(), Duration::ZERO);
    Ok(Stream { name, body, left, waited, came: 0, _sender: sender })
}

async fn open(
    place: &str,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<SendRequest<Empty<Bytes>>, String> {
    let socket = TcpStream::connect(place).map_err(|fault| fault.to_string()).await?;
    socket.set_nodelay(true).map_err(|fault| fault.to_string())?;
    let Some(tls) = tls else { return shake(socket).await };
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|fault| fault.to_string())?;
    let secured = TlsConnector::from(tls.clone()).connect(name, socket).await;
    shake(secured.map_err(|fault| fault.to_string())?).await
}

async fn shake(
    wire: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<SendRequest<Empty<Bytes>>, String> {
    let shaken = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIME)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(TokioIo::new(wire));
    let (sender, connection) = shaken.await.map_err(|fault| causes(&fault))?;
    // Whoever waits for an answer on it is told why it ended.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// What an answer other than 200 says.
async fn refusal(status: StatusCode, body: Incoming) -> AskFault {
    let body = timeout(SILENCE, Limited::new(body, REFUSAL).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes);
    let error = body.as_deref().and_then(|body| serde_json::from_slice::<ErrorBody<'_>>(body).ok());
    match error {
        Some(error) if error.error.code == code::BUSY => AskFault::Busy,
        Some(error) => AskFault::Not(format!("it answered {status}: {}", error.error.message)),
        None => AskFault::Not(format!("it answered {status}")),
    }
}

impl Stream {
    /// Whose it is, for faults.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The manifest, which comes first.
    pub async fn manifest(&mut self) -> Result<Manifest, ReadFault> {
        let mut head = self.exactly(HEAD_BYTES).await?;
        if head.split_to(MARKER.len()) != MARKER {
            return Err(ReadFault::Foreign(format!("{}: it streams another format", self.name)));
        }
        let length = head.get_u32_le() as usize;
        if length > MANIFEST_MAX {
            let why = format!("its manifest has {length} bytes, at most {MANIFEST_MAX}");
            return Err(ReadFault::Bad(format!("{}: {why}", self.name)));
        }
        let bytes = self.exactly(length).await?;
        Manifest::decode(&bytes).map_err(|fault| {
            let why = format!("{}: {fault}", self.name);
            match fault {
                ManifestFault::Format(_) => ReadFault::Foreign(why),
                ManifestFault::Damaged(_) | ManifestFault::Malformed(_) => ReadFault::Bad(why),
            }
        })
    }

    /// The next `count` bytes.
    pub async fn exactly(&mut self, count: usize) -> Result<Bytes, ReadFault> {
        let off = |name: &str, why: String| ReadFault::Off(format!("{name}: {why}"));
        while self.left.len() < count {
            if self.waited > SLACK + Duration::from_secs(self.came / SLOWEST) {
                let why = format!("only {} bytes within {:?}", self.came, self.waited);
                return Err(off(&self.name, why));
            }
            let asked = Instant::now();
            let came = timeout(SILENCE, self.body.frame()).await;
            self.waited += asked.elapsed();
            let came = came.map_err(|_| off(&self.name, format!("silent for {SILENCE:?}")))?;
            let came = came.ok_or_else(|| off(&self.name, "it ended too early".to_owned()))?;
            let came = came.map_err(|fault| off(&self.name, causes(&fault)))?;
            if let Ok(bytes) = came.into_data() {
                self.came += bytes.len() as u64;
                self.left.extend_from_slice(&bytes);
            }
        }
        Ok(self.left.split_to(count).freeze())
    }
}

/// What went wrong, with what lies below it: hyper's own words say little.
fn causes(fault: &(dyn std::error::Error + 'static)) -> String {
    let below = std::iter::successors(fault.source(), |fault| fault.source());
    below.fold(fault.to_string(), |text, cause| format!("{text}: {cause}"))
}
