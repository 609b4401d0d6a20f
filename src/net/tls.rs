//! What TLS is spoken with on the public port: a certificate, its key, and whom peers may be, read
//! from files at start and again on demand. Read by cores at handshakes only; a file that will not
//! do must never take the place of one that does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};

use crate::settings::TlsSettings;

/// What is spoken inside, the preferred first (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why TLS cannot be spoken with the files that there are.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// A file cannot be read, or is no PEM.
    #[error("{}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate and the key do not go together, or are not to be used.
    #[error("{} and {}: {why}", cert.display(), key.display())]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong with them.
        why: rustls::Error,
    },
}

/// TLS as all cores of a node speak it.
#[derive(Debug)]
pub struct Tls {
    files: TlsSettings,
    config: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// As [`TlsFault`] says.
    pub fn load(files: TlsSettings) -> Result<Tls, TlsFault> {
        let config = RwLock::new(Arc::new(config(&files)?));
        Ok(Tls { files, config })
    }

    /// Reads the files again: handshakes to come use what they hold now, connections that are open
    /// go on as they are.
    ///
    /// # Errors
    /// As [`TlsFault`] says; then everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsFault> {
        let new = Arc::new(config(&self.files)?);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Whether cleartext is refused.
    pub(super) fn is_only(&self) -> bool {
        self.files.only
    }

    /// Our side of one connection.
    pub(super) fn session(&self) -> Result<ServerConnection, rustls::Error> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        ServerConnection::new(config)
    }
}

fn config(files: &TlsSettings) -> Result<ServerConfig, TlsFault> {
    let chain = certificates(&files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|fault| unread(&files.key, &fault, "a private key"))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites of TLS 1.2 and 1.3");
    let builder = match &files.peer_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let roots = Arc::new(authorities(file)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                .allow_unauthenticated()
                .build()
                .map_err(|fault: VerifierBuilderError| wrong(file, fault.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|why| {
        let (cert, key) = (files.cert.clone(), files.key.clone());
        TlsFault::Pair { cert, key, why }
    })?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(config)
}

fn authorities(file: &Path) -> Result<RootCertStore, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|fault| wrong(file, fault.to_string()))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let all = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let all: Vec<_> = all.map_err(|fault| unread(file, &fault, "a certificate"))?;
    if all.is_empty() {
        return Err(unread(file, &pem::Error::NoItemsFound, "a certificate"));
    }
    Ok(all)
}

fn unread(file: &Path, fault: &pem::Error, what: &str) -> TlsFault {
    wrong(
        file,
        match fault {
            pem::Error::Io(fault) if fault.kind() == io::ErrorKind::NotFound => {
                "there is no such file".to_owned()
            }
            pem::Error::Io(fault) => format!("cannot be read: {fault}"),
            pem::Error::NoItemsFound => format!("holds no PEM of {what}"),
            other => format!("is no PEM: {other}"),
        },
    )
}

fn wrong(file: &Path, why: String) -> TlsFault {
    TlsFault::File { file: file.to_owned(), why }
}
