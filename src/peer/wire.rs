//! The bytes of a connection to another node, once hands are shaken where TLS is spoken. On its
//! core; must never go on with a node that speaks another protocol than HTTP/2.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::rt::{Secured, Stream};

/// Over `socket`, in TLS where there is a configuration for it.
pub(super) async fn over(
    socket: Stream,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
) -> io::Result<Secured> {
    let mut wire = Secured::new(socket);
    if let Some((config, name)) = tls {
        let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
        wire.secure(session, &[])?;
        poll_fn(|cx| wire.poll_secured(cx)).await?;
    }
    match wire.protocol() {
        None | Some(Some(b"h2")) => Ok(wire),
        Some(_) => Err(io::Error::other("it does not speak HTTP/2")),
    }
}
