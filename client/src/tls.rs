//! Whom the client trusts when it speaks TLS. Pure but for the one file it reads; must never speak
//! to a server whose certificate it does not trust.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// TLS with the authorities of `ca`, or those of the web.
pub(crate) fn config(ca: Option<&Path>) -> Result<ClientConfig, Error> {
    let roots = match ca {
        Some(file) => authorities(file)
            .map_err(|why| Error::invalid(format!("authorities in {}: {why}", file.display())))?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites of TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|fault| fault.to_string())? {
        let certificate = certificate.map_err(|fault| fault.to_string())?;
        roots.add(certificate).map_err(|fault| fault.to_string())?;
    }
    if roots.is_empty() {
        return Err("the file holds no PEM of a certificate".to_owned());
    }
    Ok(roots)
}
