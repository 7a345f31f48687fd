//! The way to the collector.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_core::record::Outcome;
use http::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::runtime::{Builder, Runtime};

use crate::inbox::Losses;
use crate::once::Once;
use crate::traces::spans::spans;
use crate::traces::{TracesConfig, TracesError, names};
use crate::writer::Work;

/// Calls in one export.
const AT_ONCE: usize = 256;

/// The writer's side, with a runtime of its own.
pub(crate) struct Out {
    runtime: Runtime,
    exporter: SpanExporter,
    scope: InstrumentationScope,
    losses: Arc<Losses>,
    said: Once,
}

impl Out {
    pub(crate) fn new(
        config: &TracesConfig,
        endpoint: &str,
        version: &str,
        losses: Arc<Losses>,
    ) -> Result<Self, TracesError> {
        let start = |e: &dyn std::fmt::Display| TracesError::Start(e.to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| start(&e))?;
        let client = {
            let _context = runtime.enter();
            let https = HttpsConnectorBuilder::new().with_tls_config(tls(config, endpoint)?);
            HyperClient::new(https.https_or_http().enable_http1().build(), config.timeout.0, None)
        };
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url(endpoint)?)
            .with_timeout(config.timeout.0)
            .with_headers(headers(config)?)
            .with_http_client(client)
            // whoever waits longer fills the queue; what comes next is as good as what came
            .with_retry_policy(RetryPolicy::recommended().with_max_retries(1))
            .build()
            .map_err(|e| start(&e))?;
        exporter.set_resource(
            &Resource::builder_empty()
                .with_attributes([
                    KeyValue::new(names::SERVICE_NAME, config.service.clone()),
                    KeyValue::new(names::SERVICE_VERSION, version.to_owned()),
                ])
                .build(),
        );
        let scope = InstrumentationScope::builder(names::SCOPE)
            .with_version(version.to_owned())
            .with_schema_url(names::SCHEMA_URL)
            .build();
        Ok(Self { runtime, exporter, scope, losses, said: Once::default() })
    }
}

impl Work for Out {
    fn turn(&mut self, batch: &mut Vec<Arc<Outcome>>) {
        let mut waiting = batch.len() as u64;
        for calls in batch.chunks(AT_ONCE) {
            let spans = calls.iter().flat_map(|outcome| spans(outcome, &self.scope)).collect();
            match self.runtime.block_on(self.exporter.export(spans)) {
                Ok(()) => self.said.well("traces are sent again"),
                Err(e) => {
                    // each further try could take as long again, while more calls come in
                    self.losses.add(waiting);
                    self.said.ill(&format!("traces cannot be sent and are dropped: {e}"));
                    break;
                }
            }
            waiting -= calls.len() as u64;
        }
        batch.clear();
    }

    fn close(&mut self) {}
}

fn url(endpoint: &str) -> Result<String, TracesError> {
    let bad = || TracesError::Endpoint(endpoint.to_owned());
    let uri: Uri = endpoint.parse().map_err(|_| bad())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
        return Err(bad());
    }
    Ok(match uri.path() {
        "" | "/" => format!("{}/v1/traces", endpoint.trim_end_matches('/')),
        _ => endpoint.to_owned(),
    })
}

fn headers(config: &TracesConfig) -> Result<HashMap<String, String>, TracesError> {
    let read = |(name, secret): (&String, &bedplate_core::setting::SecretRef)| {
        let bad = |why: &str| TracesError::Header(format!("`{name}` {why}"));
        http::HeaderName::try_from(name.as_str()).map_err(|_| bad("is not the name of a header"))?;
        let value = secret.read().map_err(TracesError::Header)?;
        http::HeaderValue::try_from(value.expose())
            .map_err(|_| bad("has a value that no header can have"))?;
        Ok((name.clone(), value.expose().to_owned()))
    };
    config.headers.iter().map(read).collect()
}

fn tls(config: &TracesConfig, endpoint: &str) -> Result<ClientConfig, TracesError> {
    let bad = |e: &dyn std::fmt::Display| TracesError::Certificates(e.to_string());
    let mut roots = RootCertStore::empty();
    if endpoint.starts_with("https:") {
        // what of the system's store cannot be read is missing when the collector is verified
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if let Some(path) = &config.ca_file {
        let certificates = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
        for certificate in certificates {
            roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|e| bad(&e))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_the_standard_one() {
        assert_eq!(url("http://localhost:4318").unwrap(), "http://localhost:4318/v1/traces");
        assert_eq!(url("http://localhost:4318/").unwrap(), "http://localhost:4318/v1/traces");
        assert_eq!(url("https://c.example/api/otel").unwrap(), "https://c.example/api/otel");
        for bad in ["localhost:4318", "grpc://c.example", "/v1/traces", "http://"] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
