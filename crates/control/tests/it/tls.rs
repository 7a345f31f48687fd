//! The control listener over TLS, and its end.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsConnector;

use crate::client::{self, Reply};
use crate::rig::{KEY, Rig};

fn pair() -> (Arc<ServerConfig>, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), TlsConnector::from(Arc::new(client)))
}

async fn ask(
    rig: &Rig,
    tls: &TlsConnector,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let tcp = tokio::net::TcpStream::connect(rig.server.addr()).await.unwrap();
    let stream = tls.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    client::ask_on(stream, method, path, headers, body).await
}

#[tokio::test]
async fn over_tls_cookies_are_secure() {
    let (server, tls) = pair();
    let rig = Rig::over(Some(server), Vec::new()).await;
    let form = ask(&rig, &tls, Method::GET, "/login", &[], "").await;
    let nonce = form.set_cookies()[0].split(';').next().unwrap().to_owned();
    assert!(nonce.starts_with("__Host-bedplate-login-"));
    let token = form.text.split_once("name=\"token\" value=\"").unwrap().1.split('"').next().unwrap();
    let headers = [("cookie", &*nonce), ("content-type", "application/x-www-form-urlencoded")];
    let body = format!("key={KEY}&token={token}&call=");
    let entered = ask(&rig, &tls, Method::POST, "/login", &headers, &body).await;
    assert_eq!(entered.status, StatusCode::SEE_OTHER);
    assert!(entered.set_cookies()[0].ends_with("; Secure"), "{:?}", entered.set_cookies());
    let session = entered.set_cookies()[0].split(';').next().unwrap().to_owned();
    let page = ask(&rig, &tls, Method::GET, "/", &[("cookie", &session)], "").await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn a_listener_that_stops_answers_nobody() {
    let rig = Rig::start().await;
    let addr = rig.server.addr();
    assert_eq!(rig.plain(Method::GET, "/livez", &[], "").await.status, StatusCode::OK);
    tokio::time::timeout(Duration::from_secs(5), rig.server.stop()).await.expect("it stops by itself");
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let rig = Rig::start().await;
    let addr = rig.server.addr();
    let parts = bedplate_control::Parts {
        ledger: rig.ledger.clone(),
        keymaker: Arc::new(crate::rig::keymaker(&rig.ledger, &rig.clock)),
        admin_key: bedplate_core::secret::Secret::new(KEY),
        health: rig.health.clone(),
        metrics: Arc::new(String::new),
        live: rig.live.clone(),
        cache: crate::rig::desk(&rig.clock),
        models: Arc::new(Vec::new),
        limits: Arc::new(|| Box::pin(std::future::ready(bedplate_core::pace::LimitStands::default()))),
        treasurer: rig.treasurer.clone(),
        clock: Arc::new(rig.clock.clone()),
        version: "0",
    };
    let refused = bedplate_control::Server::start(addr, None, parts).await.err().unwrap();
    assert!(refused.to_string().starts_with(&format!("cannot listen on {addr}: ")), "{refused}");
}
