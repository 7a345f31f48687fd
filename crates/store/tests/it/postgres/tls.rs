//! The database behind TLS, with an authority of the test's own.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bedplate_core::ports::{CallFilter, StoreError};
use bedplate_core::setting::Span;
use bedplate_testkit::SeededIds;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sqlx::{Connection as _, PgConnection};

use super::server::Server;
use super::{clock, config};
use crate::outcomes::{answered, at, shared};

/// An authority in a file, and what it vouches for 127.0.0.1 with.
struct Authority {
    file: PathBuf,
    certificate: String,
    key: String,
}

impl Authority {
    fn new(dir: &Path, name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let file = dir.join(format!("{name}.pem"));
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = server.signed_by(&key, &issuer).unwrap().pem();
        Self { file, certificate, key: key.serialize_pem() }
    }
}

/// Gives the server its certificate, with a key that only the server's user may read.
async fn switch_on(server: &Server, authority: &Authority) {
    let mut admin = PgConnection::connect(&server.url).await.unwrap();
    let folder: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&mut admin).await.unwrap();
    let owner = std::fs::metadata(&folder).unwrap();
    for (file, text) in [("server.crt", &authority.certificate), ("server.key", &authority.key)] {
        let file = Path::new(&folder).join(file);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    run(&mut admin, "ALTER SYSTEM SET ssl = on").await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    // the server takes it up for connections made afterwards
    let (url, mut tries) = (format!("{}?sslmode=require", server.url), 0);
    while let Err(e) = PgConnection::connect(&url).await {
        tries += 1;
        assert!(tries < 200, "the server does not switch TLS on: {e}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_is_who_its_certificate_says_or_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, another) = (Authority::new(dir.path(), "ours"), Authority::new(dir.path(), "another"));
    let server = Server::start();
    let open = async |host: &str, mode: &str, authority: &Authority| {
        let url = server.url.replace("127.0.0.1", host);
        let url = format!("{url}?sslmode={mode}&sslrootcert={}", authority.file.display());
        config(dir.path(), &url, Span::secs(5)).open(dir.path(), clock()).await
    };

    // a server without TLS is not talked to in the clear by somebody who asked for TLS
    for mode in ["require", "verify-ca", "verify-full"] {
        let e = open("127.0.0.1", mode, &ours).await.err().unwrap();
        assert!(matches!(e, StoreError::Unavailable(_)), "{mode}: {e}");
    }

    switch_on(&server, &ours).await;
    let ledger = open("127.0.0.1", "verify-full", &ours).await.unwrap();
    let row = answered(&SeededIds::new(1), at("2026-11-22T12:00:00Z"));
    ledger.append(&shared([row.clone()])).await.unwrap();
    assert_eq!(ledger.recent(&CallFilter::default(), 9).await.unwrap(), [row]);
    let mut admin = PgConnection::connect(&format!("{}?sslmode=disable", server.url)).await.unwrap();
    let encrypted = "SELECT COUNT(*) FILTER (WHERE ssl), COUNT(*) FILTER (WHERE NOT ssl)
                     FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'bedplate'";
    let (with, without): (i64, i64) = sqlx::query_as(encrypted).fetch_one(&mut admin).await.unwrap();
    assert!(with > 0 && without == 0, "{with} connections with TLS, {without} without");
    ledger.close().await;

    for (host, mode, authority) in [
        ("127.0.0.1", "verify-full", &another),
        ("127.0.0.1", "verify-ca", &another),
        // the certificate names the address alone
        ("localhost", "verify-full", &ours),
    ] {
        let e = open(host, mode, authority).await.err().unwrap();
        assert!(matches!(e, StoreError::Unavailable(_)), "{host} {mode}: {e}");
        assert!(e.to_string().to_lowercase().contains("certificate"), "{host} {mode}: {e}");
    }
    let ledger = open("localhost", "verify-ca", &ours).await.unwrap();
    ledger.ping().await.unwrap();
    ledger.close().await;
}
