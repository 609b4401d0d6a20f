//! The files that TLS on the public port is spoken with: the values that `tls` reads, and how
//! `resolve` comes to them. Lives on the starting thread; it must never open a file.

use std::path::PathBuf;

use super::sources::Gathered;
use super::values;

/// TLS on the public port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file of the certificate, and of those between it and an authority.
    pub cert: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
    /// PEM file of the authorities that certificates of peers must come from; `None` asks peers
    /// for none.
    pub peer_ca: Option<PathBuf>,
    /// Whether cleartext is refused.
    pub only: bool,
}

impl TlsSettings {
    /// What was said of TLS; nothing where nobody wants it, or, beside a fault, where that does not
    /// do.
    pub(super) fn resolve(said: &mut Gathered) -> Option<TlsSettings> {
        let only = said.parse("tls-only", values::boolean);
        let peer_ca = said.parse("peer-ca", values::file);
        let (has_cert, has_key) = (said.told("tls-cert"), said.told("tls-key"));
        if !has_cert && !has_key {
            said.needless("peer-ca", "--tls-cert");
            if only == Some(true) {
                said.needless("tls-only", "--tls-cert");
            }
            return None;
        }
        for (name, has, other) in
            [("tls-cert", has_cert, "--tls-key"), ("tls-key", has_key, "--tls-cert")]
        {
            if !has {
                said.fault(name, format!("{other} is given, and they go together"));
            }
        }
        let cert = said.parse("tls-cert", values::file);
        let key = said.parse("tls-key", values::file);
        Some(TlsSettings { cert: cert?, key: key?, peer_ca, only: only? })
    }
}
