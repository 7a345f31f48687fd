//! Whom we trust: the system's roots, and private ones from configuration.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Roots that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("the CA file `{0}` cannot be read: {1}")]
    File(String, rustls_pki_types::pem::Error),
    #[error("the CA file `{0}` holds no certificate")]
    Empty(String),
}

/// The system's roots (also `SSL_CERT_FILE`, `SSL_CERT_DIR`) and those of `extra`, a PEM file.
///
/// # Errors
/// When `extra` is given and holds nothing usable. System roots that cannot be read are left out: a
/// machine without them can still reach what `extra` vouches for.
pub fn roots(extra: Option<&Path>) -> Result<RootCertStore, RootsError> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = extra {
        let name = path.display().to_string();
        let certs: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|e| RootsError::File(name.clone(), e))?;
        if store.add_parsable_certificates(certs).0 == 0 {
            return Err(RootsError::Empty(name));
        }
    }
    Ok(store)
}
