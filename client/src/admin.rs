//! What a server says about itself: its namespace, and on the admin port its status.

use bytes::Bytes;
use http::{Method, Request, Response};
use pumice_model::hash::Hash;
use pumice_model::ids::Partition;
use pumice_model::wire::{NamespaceBody, StatusBody};

use crate::builder::Client;
use crate::error::Error;
use crate::transport::{Answer, Call, Place};

/// What a client must know to place a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// The name of the data set.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// The hash that places a pk.
    pub hash: Hash,
}

impl Namespace {
    /// The partition of a pk.
    pub fn partition(&self, pk: &str) -> Partition {
        self.hash.partition(pk.as_bytes(), self.partitions)
    }
}

impl Client {
    /// The server's namespace.
    ///
    /// # Errors
    /// [`Error::Unavailable`], and [`Error::Protocol`] when the hash is one that this client does
    /// not know.
    pub async fn namespace(&self) -> Result<Namespace, Error> {
        let answer = self.ask("/v1/namespace").await?;
        let body: NamespaceBody = serde_json::from_slice(&answer.body).map_err(Error::protocol)?;
        let hash = body.hash.parse().map_err(Error::protocol)?;
        Ok(Namespace { name: body.namespace.into_owned(), partitions: body.partitions, hash })
    }

    /// The status of the server whose admin port this client was made for.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Invalid`] with status 404 on the public port.
    pub async fn status(&self) -> Result<StatusBody<'static>, Error> {
        let answer = self.ask("/v1/status").await?;
        serde_json::from_slice(&answer.body).map_err(Error::protocol)
    }

    /// Sends a request as it is, once, to the server that this client was made for, and hands back
    /// the answer as it is, whatever its status: for routes that have no method here. The address
    /// is the request's path and query.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it was not sent, [`Error::Unknown`] when no answer came.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let (head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut call = Call::new(Place::Given, head.method, path);
        call.body = body;
        call.headers = head.headers.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        let Answer { status, headers, body } = self.router.once(&call).await?;
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    async fn ask(&self, path: &str) -> Result<Answer, Error> {
        self.router.read(&Call::new(Place::Given, Method::GET, path)).await
    }
}
