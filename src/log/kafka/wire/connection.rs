//! One connection to one broker: TCP, TLS and a name when asked for, then one call at a time, each
//! in a deadline. Log's thread; a connection that owes an answer must never be used again.

use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::protocol::Request;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::call::{self, Versions};
use super::{Fault, sasl};
use crate::settings::KafkaSasl;

/// How long a connection may take until it can be used, name and all.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of one answer, at most: what a broker takes as a request by default.
const FRAME_MAX: usize = 100 * 1_024 * 1_024;
/// A TLS alert is what this is most often.
const NO_LENGTH: &str = "an answer of impossible length; does it want TLS, see --kafka-tls?";
/// Brokers close what was idle for ten minutes; before that we no longer trust it.
const IDLE: Duration = Duration::from_secs(240);

/// How brokers are spoken to.
#[derive(Clone)]
pub struct Access {
    /// TLS, when asked for.
    pub tls: Option<Arc<ClientConfig>>,
    /// Who we are, when asked for.
    pub sasl: Option<KafkaSasl>,
}

/// A connection.
pub struct Connection {
    broker: String,
    stream: Stream,
    versions: HashMap<i16, (i16, i16)>,
    correlation: i32,
    owes_nothing: bool,
    used: Instant,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the broker has left its end open, as far as is known here.
    fn is_open(&self) -> bool {
        let (tcp, may_speak) = match self {
            Self::Plain(tcp) => (tcp, false),
            // New session tickets come unasked.
            Self::Tls(tls) => (tls.get_ref().0, true),
        };
        let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
        match SockRef::from(tcp).recv_with_flags(&mut [MaybeUninit::uninit()], flags) {
            Ok(0) => false,
            Ok(_) => may_speak,
            Err(fault) => fault.kind() == io::ErrorKind::WouldBlock,
        }
    }
}

impl Connection {
    /// Connects to `broker`, a `host:port`.
    pub async fn open(broker: &str, access: &Access) -> Result<Self, Fault> {
        let opening = Self::open_at_last(broker, access);
        let opened = timeout(CONNECT, opening).await.unwrap_or_else(|_| {
            Err(Fault::Unreachable { broker: broker.to_owned(), source: late(CONNECT) })
        });
        opened.map_err(|fault| match fault {
            // What was sent so far was only about the connection itself.
            Fault::Unanswered { broker, source } => Fault::Unreachable { broker, source },
            other => other,
        })
    }

    async fn open_at_last(broker: &str, access: &Access) -> Result<Self, Fault> {
        let unreachable = |source| Fault::Unreachable { broker: broker.to_owned(), source };
        let tcp = TcpStream::connect(broker).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream = match &access.tls {
            None => Stream::Plain(tcp),
            Some(config) => Stream::Tls(Box::new(secure(broker, config, tcp).await?)),
        };
        let mut connection = Self {
            broker: broker.to_owned(),
            stream,
            versions: HashMap::new(),
            correlation: 0,
            owes_nothing: true,
            used: Instant::now(),
        };
        // Version 0 is the one that every broker understands.
        let known = connection.exchange(&ApiVersionsRequest::default(), 0).await?;
        Fault::of_code(known.error_code)?;
        let ranges = known.api_keys.into_iter();
        connection.versions =
            ranges.map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        if let Some(who) = &access.sasl {
            sasl::prove(&mut connection, who).await?;
        }
        Ok(connection)
    }

    /// `host:port` at the other end.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// Whether another call may be made on it. One that the broker has closed may not: what is
    /// written into it is lost, and nobody could say so for certain.
    pub fn usable(&self) -> bool {
        self.owes_nothing && self.used.elapsed() < IDLE && self.stream.is_open()
    }

    /// The version in which `R` would be said.
    pub fn speaks<R: Versions>(&self) -> Option<i16> {
        call::agreed::<R>(self.versions.get(&R::KEY).copied())
    }

    /// Asks, and waits up to `limit` for the answer.
    pub async fn call<R: Versions>(
        &mut self,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, Fault> {
        let unspoken = || Fault::Unspoken { broker: self.broker.clone(), what: R::NAME };
        let version = self.speaks::<R>().ok_or_else(unspoken)?;
        let asked = timeout(limit, self.exchange(request, version)).await;
        asked.unwrap_or_else(|_| Err(self.unanswered(late(limit))))
    }

    pub(super) async fn exchange<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, Fault> {
        self.correlation = self.correlation.wrapping_add(1);
        let correlation = self.correlation;
        let frame = call::frame(request, version, correlation);
        let frame = frame.map_err(|what| self.nonsense(what))?;
        self.owes_nothing = false;
        let answer = match self.round(&frame).await {
            Ok(answer) => answer,
            Err(source) => return Err(self.unanswered(source)),
        };
        let answer = call::answer::<R>(answer, version, correlation);
        let answer = answer.map_err(|what| self.nonsense(what))?;
        self.owes_nothing = true;
        self.used = Instant::now();
        Ok(answer)
    }

    async fn round(&mut self, frame: &Bytes) -> io::Result<Bytes> {
        let length = match &mut self.stream {
            Stream::Plain(stream) => {
                stream.write_all(frame).await?;
                stream.read_i32().await?
            }
            Stream::Tls(stream) => {
                stream.write_all(frame).await?;
                stream.flush().await?;
                stream.read_i32().await?
            }
        };
        let length = usize::try_from(length).ok().filter(|length| *length <= FRAME_MAX);
        let length = length.ok_or_else(|| io::Error::other(NO_LENGTH))?;
        let mut answer = BytesMut::zeroed(length);
        match &mut self.stream {
            Stream::Plain(stream) => stream.read_exact(&mut answer).await?,
            Stream::Tls(stream) => stream.read_exact(&mut answer).await?,
        };
        Ok(answer.freeze())
    }

    fn unanswered(&self, source: io::Error) -> Fault {
        Fault::Unanswered { broker: self.broker.clone(), source }
    }

    /// An answer that is not one.
    pub fn nonsense(&self, what: impl Into<String>) -> Fault {
        Fault::Nonsense { broker: self.broker.clone(), what: what.into() }
    }
}

async fn secure(
    broker: &str,
    config: &Arc<ClientConfig>,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, Fault> {
    let turned_away = |why: String| Fault::TurnedAway { broker: broker.to_owned(), why };
    let host = broker.rsplit_once(':').map_or(broker, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|fault| turned_away(fault.to_string()))?;
    TlsConnector::from(config.clone()).connect(name, tcp).await.map_err(|source| {
        match source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => turned_away(format!("TLS: {tls}")),
            None => Fault::Unreachable { broker: broker.to_owned(), source },
        }
    })
}

fn late(limit: Duration) -> io::Error {
    let text = format!("nothing came within {} ms", limit.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, text)
}
