//! The client, how it is made and what its clones share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use pumice_model::ids::Token;

use crate::error::Error;
use crate::router::{Router, Settings};
use crate::session::Seen;
use crate::tls;

/// A client of one server or of a cluster. Cheap to clone; clones share the connections and what
/// was learned of the cluster.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) router: Arc<Router>,
    pub(crate) at_least: Vec<Token>,
    // What the session that this client is of has seen.
    pub(crate) seen: Option<Arc<Seen>>,
}

impl Client {
    /// A client with the defaults of [`Builder`]. Connects at the first call, not here.
    ///
    /// # Errors
    /// [`Error::Invalid`] when `url` is not `http://HOST[:PORT]` or `https://HOST[:PORT]`.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client to be set up.
    pub fn builder(url: &str) -> Builder {
        Builder {
            urls: vec![url.to_owned()],
            region: None,
            timeout: Duration::from_secs(35),
            connections: 4,
            read_retries: 2,
            ca: None,
        }
    }

    /// A client whose reads wait, on whatever replica answers, until `token` is applied there: with
    /// the token of a write, a read sees that write. Can be said again for more partitions.
    #[must_use]
    pub fn at_least(&self, token: Token) -> Self {
        let mut client = self.clone();
        match client.at_least.iter_mut().find(|known| known.partition == token.partition) {
            Some(known) => known.offset = known.offset.max(token.offset),
            None => client.at_least.push(token),
        }
        client
    }
}

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Builder {
    urls: Vec<String>,
    region: Option<String>,
    timeout: Duration,
    connections: usize,
    read_retries: u32,
    ca: Option<PathBuf>,
}

impl Builder {
    /// One more node of the same cluster, asked when those before it cannot be reached and no
    /// others are known yet. Can be said again.
    #[must_use]
    pub fn also(mut self, url: &str) -> Self {
        self.urls.push(url.to_owned());
        self
    }

    /// Where this client stands: nodes of this region are asked before others, as long as they can
    /// answer. All regions are the same unless set.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// The longest that one call may take, retries included; 35 s unless set, which is longer
    /// than the server itself waits for a write's outcome.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many HTTP/2 connections to a server the calls go over in turn; 4 unless set, at least
    /// 1. A server serves each on one core.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How often a failed read is tried again; 2 unless set. A write is, as often, when nothing of
    /// it left for certain, or when it has a write id; no other ever is.
    #[must_use]
    pub fn read_retries(mut self, retries: u32) -> Self {
        self.read_retries = retries;
        self
    }

    /// PEM file of the authorities that an `https` server's certificate must come from; those of
    /// the web unless set.
    #[must_use]
    pub fn ca(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca = Some(file.into());
        self
    }

    /// The client. Connects at the first call, not here.
    ///
    /// # Errors
    /// [`Error::Invalid`] when an address is not `http://HOST[:PORT]` or `https://HOST[:PORT]`, or
    /// the file of authorities will not do.
    pub fn build(self) -> Result<Client, Error> {
        let given = self.urls.iter().map(|url| origin(url)).collect::<Result<_, _>>()?;
        let settings = Settings {
            timeout: self.timeout,
            connections: self.connections,
            retries: self.read_retries,
            region: self.region,
            tls: tls::config(self.ca.as_deref())?,
        };
        let router = Arc::new(Router::new(given, settings));
        Ok(Client { router, at_least: Vec::new(), seen: None })
    }
}

/// `http://HOST[:PORT]` or `https://HOST[:PORT]` without a path, as text to put a path behind.
pub(crate) fn origin(url: &str) -> Result<String, Error> {
    let wrong =
        || Error::invalid(format!("the address must be http[s]://HOST[:PORT], got {url:?}"));
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) if bare => {
            Ok(format!("{scheme}://{authority}"))
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use pumice_model::ids::{Offset, Partition};

    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(origin("http://localhost:8190/").unwrap(), "http://localhost:8190");
        assert_eq!(origin("http://[::1]:8190").unwrap(), "http://[::1]:8190");
        assert_eq!(origin("https://a:1").unwrap(), "https://a:1");
        for bad in ["", "localhost:8190", "ftp://a", "http://", "http://a/b", "https://a/?b"] {
            assert!(matches!(origin(bad), Err(Error::Invalid { .. })), "{bad}");
        }
    }

    #[tokio::test]
    async fn the_highest_token_of_a_partition_counts() {
        let token =
            |partition, offset| Token { partition: Partition(partition), offset: Offset(offset) };
        let client = Client::new("http://localhost").unwrap();
        let read = client.at_least(token(1, 5)).at_least(token(2, 1)).at_least(token(1, 3));
        assert_eq!(read.at_least, [token(1, 5), token(2, 1)]);
        assert!(client.at_least.is_empty());
    }
}
