//! TLS for the simulator, for development only.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;

use crate::SimError;

/// A server configuration with a fresh self-signed certificate for `names`, and the certificate
/// as PEM for clients to trust.
///
/// # Errors
/// When a name cannot stand in a certificate, or the key cannot be made.
pub fn self_signed(names: &[&str]) -> Result<(Arc<ServerConfig>, String), SimError> {
    let made = rcgen::generate_simple_self_signed(names.iter().map(ToString::to_string).collect::<Vec<_>>())
        .map_err(|e| SimError::Tls(e.to_string()))?;
    let pem = made.cert.pem();
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(|e| SimError::Tls(e.into()))?;
    let mut config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| SimError::Tls(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(|e| SimError::Tls(e.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), pem))
}
