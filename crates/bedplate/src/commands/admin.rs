//! Asks the gateway that runs in a project, by its admin API.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::secret::Secret;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::app::ADMIN_KEY;
use crate::cli::ProjectArgs;
use crate::exit::Failure;
use crate::project::Project;

/// The way to one gateway.
pub(super) struct Admin {
    control: Uri,
    ca_file: Option<String>,
    key: Secret,
}

/// The gateway bounds its own answers at 30 s.
const LONGEST: Duration = Duration::from_secs(35);

impl Admin {
    /// # Errors
    /// When no gateway runs in the project, or its admin key cannot be read.
    pub(super) fn of(args: &ProjectArgs) -> Result<Self, Failure> {
        let project = Project::open(&args.project)?;
        let gone = || {
            Failure::problem(format!("bedplate does not run in `{}`", project.dir.display()))
                .hint("Start it with `bedplate up`, or name its directory with `--project`.")
        };
        let said = project.running().ok_or_else(gone)?;
        let addresses: Value =
            said.lines().nth(1).and_then(|line| serde_json::from_str(line).ok()).ok_or_else(gone)?;
        let control = addresses["control"].as_str().and_then(|url| url.parse().ok()).ok_or_else(gone)?;
        let path = project.state()?.join(ADMIN_KEY);
        let key = std::fs::read_to_string(&path)
            .map_err(|e| Failure::usage(format!("the admin key `{}` cannot be read: {e}", path.display())))?;
        let ca_file = addresses["ca_file"].as_str().map(str::to_owned);
        Ok(Self { control, ca_file, key: Secret::new(key.trim()) })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, body.to_string().into()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        match tokio::time::timeout(LONGEST, self.exchange(method, path, body)).await {
            Ok(answered) => answered,
            Err(_) => Err(Failure::upstream(format!("{} does not answer", self.control))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        let failed =
            |e: &dyn std::fmt::Display| Failure::upstream(format!("{} cannot be asked: {e}", self.control));
        let authority = self.control.authority().ok_or_else(|| failed(&"it names no host"))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", authority.as_str())
            .header("authorization", format!("Bearer {}", self.key.expose()))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|e| failed(&e))?;
        let tcp = TcpStream::connect(authority.as_str()).await.map_err(|e| failed(&e))?;
        let (status, body) = if self.control.scheme_str() == Some("https") {
            let name = authority.host().trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|e| failed(&e))?;
            let tls = self.tls()?.connect(name, tcp).await.map_err(|e| failed(&e))?;
            send(request, tls).await
        } else {
            send(request, tcp).await
        }
        .map_err(|e| failed(&e))?;
        let answer: Value = serde_json::from_slice(&body).map_err(|e| failed(&e))?;
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let said = answer["error"]["message"].as_str().unwrap_or("no reason given");
        Err(Failure::upstream(format!("the gateway answered {status}: {said}")))
    }

    fn tls(&self) -> Result<TlsConnector, Failure> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(file) => {
                for certificate in CertificateDer::pem_file_iter(file).map_err(Failure::usage)? {
                    let _ = roots.add(certificate.map_err(Failure::usage)?);
                }
            }
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

async fn send(
    request: Request<Full<Bytes>>,
    io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<(u16, Bytes), hyper::Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    };
    // the connection is driven as long as the answer takes
    tokio::pin!(connection);
    tokio::select! {
        answered = exchange => answered,
        ended = &mut connection => match ended {
            Ok(()) => Ok((502, Bytes::from_static(b"{}"))),
            Err(e) => Err(e),
        },
    }
}
