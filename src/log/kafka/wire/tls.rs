//! Whom TLS trusts: the authorities of a PEM file, or the web's. Starting thread; reads one file.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::settings::KafkaTls;

/// A client's side of TLS; the error names the file and what is wrong with it.
pub fn trusted(settings: &KafkaTls) -> Result<Arc<ClientConfig>, String> {
    let roots = match &settings.ca {
        Some(path) => authorities(path)?,
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
    };
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|fault| format!("TLS cannot be set up: {fault}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let shown = path.display();
    let unreadable = |fault| format!("the CA file {shown} does not read: {fault}");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        let added = roots.add(certificate);
        added.map_err(|fault| format!("the CA file {shown} has a bad certificate: {fault}"))?;
    }
    if roots.is_empty() {
        return Err(format!("the CA file {shown} has no certificate"));
    }
    Ok(roots)
}
