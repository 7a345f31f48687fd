//! `bedplate run -- CMD`: endpoint, CA and key for that child alone.
//!
//! Only variables that concern Bedrock are set: the child's other AWS clients keep their own
//! credentials. The agent services are not covered, as `AWS_BEARER_TOKEN_BEDROCK` does not cover them.

mod passage;
mod summary;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use bedplate_core::ports::CallFilter;
use bedplate_gateway::tls::Mode;
use bedplate_telemetry::call_log::Calls;
use rustls_pki_types::CertificateDer;

use super::runtime;
use super::up::{FirstKey, Stop, ready, tracing, with_aws};
use crate::app::{App, Offline, Source};
use crate::cli::RunArgs;
use crate::exit::Failure;
use crate::out::note;
use crate::project::{Project, write_private};
use crate::settings::Settings;
use passage::Passage;

/// Where the child's calls go.
struct Through {
    data: String,
    ca_file: String,
    bearer: String,
    key_id: String,
    /// On the way to a gateway without TLS.
    _passage: Option<Passage>,
}

pub(crate) fn run(args: RunArgs) -> Result<ExitCode, Failure> {
    // standard error belongs to the application
    tracing("warn");
    let project = Project::open(&args.project.project)?;
    let mut settings = Settings::load(&project)?;
    if args.aws {
        with_aws(&mut settings, &project)?;
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let began = bedplate_core::clock::SystemClock::shared().now();
        let (app, through, ledger) = match project.running() {
            Some(text) => {
                let (through, ledger) = running(&text, &project, &settings).await?;
                (None, through, ledger)
            }
            None => {
                let source = Source::new(project.clone(), move |settings, project| {
                    if args.aws {
                        with_aws(settings, project)?;
                    }
                    for_a_child(settings);
                    Ok(())
                });
                let mut app = App::start(source, runtime.handle()).await?;
                let ready = ready(&mut app).await?;
                let through = Through {
                    data: ready.data,
                    ca_file: ready.ca_file.unwrap_or_default(),
                    bearer: ready.key.bearer_token,
                    key_id: ready.key.key_id,
                    _passage: None,
                };
                let ledger = app.ledger.clone();
                (Some(app), through, ledger)
            }
        };
        let status = child(&args.command, &through, &project).await?;
        if let Some(app) = &app {
            app.flush().await;
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        }
        let filter = CallFilter { since: Some(began), ..CallFilter::default() };
        let calls = ledger.recent(&filter, 100_000).await?;
        let mine: Vec<_> = calls
            .into_iter()
            .filter(|o| {
                o.call.key.as_ref().is_none_or(|k| through.key_id.is_empty() || *k.0 == *through.key_id)
            })
            .collect();
        summary::print(&mine, args.project.format)?;
        if let Some(app) = app {
            let shutdown = app.shutdown();
            app.drain(shutdown).await;
        }
        Ok(ExitCode::from(u8::try_from(status).unwrap_or(1)))
    })
}

fn for_a_child(settings: &mut Settings) {
    // a port of its own, and TLS: SDKs send bearer keys over TLS alone
    settings.listen.data.set_port(0);
    settings.listen.control.set_port(0);
    if settings.listen.tls.mode == Mode::Off {
        settings.listen.tls.mode = Mode::SelfSigned;
    }
    // standard error belongs to the application
    if settings.log.calls == Calls::Stderr {
        settings.log.calls = Calls::Off;
    }
}

/// A bedplate that already runs in this project.
async fn running(
    text: &str,
    project: &Project,
    settings: &Settings,
) -> Result<(Through, std::sync::Arc<dyn bedplate_core::ports::Ledger>), Failure> {
    let line = text.lines().nth(1).unwrap_or_default();
    let told: serde_json::Value = serde_json::from_str(line)
        .map_err(|_| Failure::usage("bedplate is just starting in this project: try again in a moment"))?;
    let told = |name| told.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
    let data = told("data").unwrap_or_default();
    let key: FirstKey = std::fs::read_to_string(project.state()?.join("first-key.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .ok_or_else(|| Failure::usage("`.bedplate/first-key.json` cannot be read"))?;
    let (data, ca_file, passage) = match (plain(&data), told("ca_file")) {
        (Some(to), _) => {
            let passage = Passage::open(to, project).await?;
            (passage.data.clone(), passage.ca_file.display().to_string(), Some(passage))
        }
        (None, Some(ca_file)) => (data, ca_file, None),
        (None, None) => {
            let said = format!(
                "the bedplate that runs in this project listens on {data} with a certificate of yours"
            );
            return Err(Failure::usage(said).hint(
                "Only you know which name the certificate vouches for: set AWS_ENDPOINT_URL_BEDROCK_RUNTIME to https:// and that name, AWS_BEARER_TOKEN_BEDROCK to a key, and start the application without `bedplate run`.",
            ));
        }
    };
    let ledger = Offline::open(project, settings).await?.ledger;
    let through = Through { data, ca_file, bearer: key.bearer_token, key_id: key.key_id, _passage: passage };
    Ok((through, ledger))
}

/// Where a gateway without TLS is reached from this machine; `None` when it has TLS.
fn plain(data: &str) -> Option<SocketAddr> {
    let mut to: SocketAddr = data.strip_prefix("http://")?.parse().ok()?;
    match to.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => to.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => to.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Some(to)
}

/// Runs the command and waits for it; signals to stop go to the child too, as it shares our terminal.
async fn child(command: &[String], through: &Through, project: &Project) -> Result<i32, Failure> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::usage("no command was given"));
    };
    let ca = bundle(&through.ca_file, project)?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments);
    for name in ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL_BEDROCK"] {
        child.env(name, &through.data);
    }
    child.env("AWS_BEARER_TOKEN_BEDROCK", &through.bearer);
    for name in ["AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"] {
        child.env(name, &ca);
    }
    // an application that never needed a region would otherwise not even start to call
    if crate::app::environment_region().is_none() {
        // boto3 reads the second, the other SDKs the first
        child.env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
    }
    let mut child =
        child.spawn().map_err(|e| Failure::usage(format!("`{program}` cannot be started: {e}")))?;
    let mut stop = Stop::listen()?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status?,
            () = stop.asked() => note("waiting for the application to stop"),
        }
    };
    use std::os::unix::process::ExitStatusExt;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

/// The system's authorities and ours in one file: the child goes on trusting what it trusted.
fn bundle(ours: &str, project: &Project) -> Result<String, Failure> {
    let mut text = std::fs::read_to_string(ours)
        .map_err(|e| Failure::usage(format!("the certificate `{ours}` cannot be read: {e}")))?;
    for certificate in rustls_native_certs::load_native_certs().certs {
        text.push_str(&pem(&certificate));
    }
    let path = project.state()?.join("ca-bundle.pem");
    write_private(&path, &text)
        .map_err(|e| Failure::usage(format!("`{}` cannot be written: {e}", path.display())))?;
    Ok(absolute(&path))
}

fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}
