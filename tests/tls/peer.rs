//! A client's end of one TLS connection, without any HTTP of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// Longer than any answer takes, so that only a server that gives none fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection.
pub struct Peer(StreamOwned<ClientConnection, TcpStream>);

impl Peer {
    /// Connects, and offers `protocols`.
    pub fn open(address: SocketAddr, mut config: ClientConfig, protocols: &[&str]) -> Self {
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tls = ClientConnection::new(Arc::new(config), address.ip().into()).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(StreamOwned::new(tls, stream))
    }

    /// Ends the handshake.
    pub fn shake_hands(&mut self) -> io::Result<()> {
        while self.0.conn.is_handshaking() {
            self.0.conn.complete_io(&mut self.0.sock)?;
        }
        Ok(())
    }

    /// What was agreed on.
    pub fn protocol(&self) -> Option<String> {
        self.0.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// What comes next.
    pub fn some(&mut self) -> io::Result<String> {
        let mut bytes = [0; 16_384];
        let length = self.0.read(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// All that comes until the server ends the connection, which it must do in TLS's own way.
    pub fn until_the_end(&mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
