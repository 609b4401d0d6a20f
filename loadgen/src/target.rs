//! Where the requests go: address, protocol, TLS. Resolved once, before any driver thread begins.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};

/// The protocol that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
pub enum Http {
    /// HTTP/1.1, one request after the other, or pipelined.
    #[value(name = "1.1", alias = "1")]
    #[serde(rename = "1.1")]
    One,
    /// HTTP/2, by prior knowledge in clear text, by ALPN over TLS.
    #[value(name = "2")]
    #[serde(rename = "2")]
    Two,
}

/// A server.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address.
    pub address: SocketAddr,
    /// What `host` and `:authority` say.
    pub authority: String,
    /// The protocol.
    pub http: Http,
    /// How TLS is spoken; `None` for clear text.
    pub tls: Option<Tls>,
}

/// TLS to a server.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Trust and protocols.
    pub config: Arc<ClientConfig>,
    /// The name that the server's certificate must have.
    pub name: ServerName<'static>,
}

impl Target {
    /// Resolves `http[s]://HOST[:PORT][/PATH]`, and gives the path as well.
    ///
    /// # Errors
    /// With what does not read or resolve.
    pub fn resolve(
        url: &str,
        http: Http,
        ca: Option<&Path>,
        insecure: bool,
    ) -> Result<(Self, String), String> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (default_port, secure) = match scheme {
            "http" => (80, false),
            "https" => (443, true),
            _ => return Err(format!("{url}: the scheme must be http or https")),
        };
        let bracket = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[bracket..].rfind(':') {
            Some(at) => {
                let port = authority[bracket + at + 1..].parse::<u16>();
                let port = port.map_err(|_| format!("{url}: the port does not read"))?;
                (&authority[..bracket + at], port)
            }
            None => (authority, default_port),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = (host, port).to_socket_addrs().map_err(|fault| format!("{url}: {fault}"))?;
        let address = address.into_iter().next().ok_or(format!("{url}: no address"))?;
        let tls = match secure {
            false => None,
            true => Some(Tls {
                config: Arc::new(config(http, ca, insecure)?),
                name: ServerName::try_from(host.to_owned())
                    .map_err(|fault| format!("{url}: {fault}"))?,
            }),
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok((Self { address, authority: authority.to_owned(), http, tls }, path))
    }
}

fn config(http: Http, ca: Option<&Path>, insecure: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|fault| fault.to_string())?;
    let mut config = if insecure {
        let trust = Arc::new(TrustAll(provider));
        builder.dangerous().with_custom_certificate_verifier(trust).with_no_client_auth()
    } else {
        let ca = ca.ok_or("https needs --ca FILE, or --insecure to trust anybody")?;
        let shown = ca.display();
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(ca).map_err(|fault| format!("{shown}: {fault}"))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|fault| format!("{shown}: {fault}"))?;
            roots.add(certificate).map_err(|fault| format!("{shown}: {fault}"))?;
        }
        builder.with_root_certificates(roots).with_no_client_auth()
    };
    config.alpn_protocols = vec![match http {
        Http::One => b"http/1.1".to_vec(),
        Http::Two => b"h2".to_vec(),
    }];
    Ok(config)
}

/// `--insecure`: any certificate will do. Signatures are still checked.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn resolve(url: &str) -> Result<(Target, String), String> {
        Target::resolve(url, Http::Two, None, true)
    }

    #[test]
    fn parts_of_a_url() {
        let (target, path) = resolve("http://127.0.0.1:8190").unwrap();
        assert_eq!((target.address.port(), path.as_str()), (8190, "/"));
        assert!(target.tls.is_none());
        let (target, path) = resolve("https://[::1]:8443/a/b?c=d").unwrap();
        assert_eq!((target.authority.as_str(), path.as_str()), ("[::1]:8443", "/a/b?c=d"));
        assert!(target.address.is_ipv6() && target.tls.is_some());
        let (target, path) = resolve("127.0.0.1?x").unwrap();
        assert_eq!((target.address.port(), path.as_str()), (80, "/?x"));
        for url in ["ftp://127.0.0.1", "http://127.0.0.1:x", "http://"] {
            assert!(resolve(url).is_err(), "{url}");
        }
        assert!(Target::resolve("https://127.0.0.1", Http::One, None, false).is_err());
    }
}
