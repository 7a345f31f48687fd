//! `[listen.tls]`: certificates from files, reloaded without restart, or made by ourselves.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How listeners speak TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub mode: Mode,
    /// With `mode = "files"`: a PEM file with the certificate and its chain.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// With `mode = "files"`: a PEM file with the private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
}

/// Where certificates come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Plain HTTP.
    #[default]
    Off,
    /// A certificate made once for `localhost`, `bedplate.localhost`, 127.0.0.1 and ::1, and for no
    /// other name or address: for development.
    SelfSigned,
    /// From files; a changed file is taken up without restart.
    Files,
}

/// What is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("`[listen.tls]` with mode `files` needs both `certificate` and `key`")]
    Incomplete,
    #[error("the certificate file `{0}` cannot be read: {1}")]
    Certificate(String, rustls_pki_types::pem::Error),
    #[error("the key file `{0}` cannot be read: {1}")]
    Key(String, rustls_pki_types::pem::Error),
    #[error("certificate and key do not go together: {0}")]
    Pair(#[from] rustls::Error),
    #[error("a self-signed certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    #[error("`{0}` cannot be written: {1}")]
    Write(String, std::io::Error),
}

/// Certificates in use.
pub struct Certificates {
    server: Arc<ServerConfig>,
    current: Arc<Current>,
    /// What clients must trust, when we made the certificate ourselves.
    pub ca_file: Option<PathBuf>,
    files: (PathBuf, PathBuf),
    seen: parking_lot::Mutex<Seen>,
}

/// The files by their content: their times say nothing when one is copied, or a link is turned to
/// another folder. `None` for a file that cannot be read.
type Prints = [Option<[u8; 32]>; 2];

struct Seen {
    /// What was last taken up, or found to be bad.
    tried: Prints,
    /// What the last look saw.
    last: Prints,
}

impl Config {
    /// `None` when TLS is off. A self-signed pair is made once in `state` and read again later.
    ///
    /// # Errors
    /// [`TlsError`] says which file is wrong and how.
    pub fn build(&self, project: &Path, state: &Path) -> Result<Option<Certificates>, TlsError> {
        match self.mode {
            Mode::Off => Ok(None),
            Mode::SelfSigned => {
                let (certificate, key) = (state.join("tls-cert.pem"), state.join("tls-key.pem"));
                if !certificate.exists() || !key.exists() {
                    make(&certificate, &key)?;
                }
                Certificates::open((certificate.clone(), key), Some(certificate)).map(Some)
            }
            Mode::Files => {
                let (Some(certificate), Some(key)) = (&self.certificate, &self.key) else {
                    return Err(TlsError::Incomplete);
                };
                Certificates::open((project.join(certificate), project.join(key)), None).map(Some)
            }
        }
    }
}

impl Certificates {
    fn open(files: (PathBuf, PathBuf), ca_file: Option<PathBuf>) -> Result<Self, TlsError> {
        // before they are read: what changes between is seen as a change
        let prints = prints(&files);
        let current = Arc::new(Current(ArcSwap::from(load(&files)?)));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let seen = parking_lot::Mutex::new(Seen { tried: prints, last: prints });
        Ok(Self { server: Arc::new(server), current, ca_file, files, seen })
    }

    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// Reads the files again when they changed and stood still since the last look: the two are written
    /// one after the other. Connections made from now on get the new certificate. Whether it is new.
    ///
    /// # Errors
    /// When the files are bad, once; the old certificate stays.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let now = prints(&self.files);
        let mut seen = self.seen.lock();
        let still = std::mem::replace(&mut seen.last, now) == now;
        if !still || seen.tried == now {
            return Ok(false);
        }
        self.take(&mut seen, now).map(|()| true)
    }

    /// Reads the files again, changed or not.
    ///
    /// # Errors
    /// When the files are bad; the old certificate stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen.lock();
        let now = prints(&self.files);
        self.take(&mut seen, now)
    }

    fn take(&self, seen: &mut Seen, now: Prints) -> Result<(), TlsError> {
        *seen = Seen { tried: now, last: now };
        self.current.0.store(load(&self.files)?);
        Ok(())
    }
}

fn prints((certificate, key): &(PathBuf, PathBuf)) -> Prints {
    [certificate, key].map(|path| {
        let content = fs::read(path).ok()?;
        digest(&SHA256, &content).as_ref().try_into().ok()
    })
}

struct Current(ArcSwap<CertifiedKey>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn load((certificate, key): &(PathBuf, PathBuf)) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|e| TlsError::Certificate(certificate.display().to_string(), e))?;
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|e| TlsError::Key(key.display().to_string(), e))?;
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&secret)?;
    let pair = CertifiedKey::new(chain, signing);
    pair.keys_match()?;
    Ok(Arc::new(pair))
}

/// Writes a certificate that is its own authority.
fn make(certificate: &Path, key: &Path) -> Result<(), TlsError> {
    let names = ["localhost".to_owned(), "bedplate.localhost".to_owned()];
    let mut params = rcgen::CertificateParams::new(names)?;
    for address in [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])] {
        params.subject_alt_names.push(rcgen::SanType::IpAddress(address));
    }
    params.distinguished_name.push(rcgen::DnType::CommonName, "bedplate, self-signed");
    // strict clients want an authority that may sign, and an end date
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature, rcgen::KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let pair = rcgen::KeyPair::generate()?;
    let cert = params.self_signed(&pair)?;
    write(key, &pair.serialize_pem(), 0o600)?;
    write(certificate, &cert.pem(), 0o644)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|e| TlsError::Write(path.display().to_string(), e))
}

#[cfg(test)]
mod tests;
