//! The client of Service Quotas: AWS's own, by the provider's way to AWS.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_servicequotas::Client;
use aws_sdk_servicequotas::config::{Builder, IdentityCache, SharedHttpClient};
use aws_sdk_servicequotas::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_servicequotas::types::ServiceQuota;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder as HttpBuilder, Connector};
use bedplate_core::clock::Clock;
use bedplate_core::setting::SecretRef;
use bedplate_pipeline::AwsQuota;
use tokio::sync::OnceCell;

use crate::bedrock::credentials::Credentials;
use crate::bedrock::credentials::provided::Provided;
use crate::config::Config;
use crate::roots::roots;

/// How Service Quotas names Bedrock.
const SERVICE: &str = "bedrock";
/// How many quotas a page holds at most (the service's own bound).
const PAGE: i32 = 100;
/// How long one page may take, its repetitions included.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long all pages may take, and the credentials before them.
const ALL: Duration = Duration::from_secs(60);

pub(super) struct Asker {
    config: Config,
    own: Provided,
    /// Made with the first question.
    client: OnceCell<Client>,
}

impl Asker {
    pub(super) fn new(config: &Config, credentials: &Credentials, clock: &Arc<dyn Clock>) -> Self {
        let own = Provided { credentials: credentials.clone(), clock: Arc::clone(clock) };
        Self { config: config.clone(), own, client: OnceCell::new() }
    }

    /// What is applied to this account, and the defaults of what is not listed there.
    pub(super) async fn ask(&self) -> Result<Vec<AwsQuota>, String> {
        let asked = tokio::time::timeout(ALL, self.all()).await;
        asked.unwrap_or_else(|_| Err(format!("no whole answer within {} s", ALL.as_secs())))
    }

    async fn all(&self) -> Result<Vec<AwsQuota>, String> {
        let client = self.client.get_or_try_init(|| client(&self.config, &self.own)).await?;
        let applied = client.list_service_quotas().service_code(SERVICE).max_results(PAGE);
        let applied: Result<Vec<ServiceQuota>, _> =
            applied.into_paginator().items().send().collect::<Result<_, _>>().await;
        let applied = applied.map_err(|e| said("ListServiceQuotas", &e))?;
        let defaults = client.list_aws_default_service_quotas().service_code(SERVICE).max_results(PAGE);
        let defaults: Result<Vec<ServiceQuota>, _> =
            defaults.into_paginator().items().send().collect::<Result<_, _>>().await;
        let defaults = defaults.map_err(|e| said("ListAWSDefaultServiceQuotas", &e))?;
        let codes: HashSet<String> = applied.iter().filter_map(|q| q.quota_code.clone()).collect();
        let rest = defaults.into_iter().filter(|q| q.quota_code().is_none_or(|code| !codes.contains(code)));
        let quota = |q: ServiceQuota| Some(AwsQuota { name: q.quota_name?, value: q.value? });
        Ok(applied.into_iter().chain(rest).filter_map(quota).collect())
    }
}

async fn client(config: &Config, own: &Provided) -> Result<Client, String> {
    let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new(config.region.clone()))
        .credentials_provider(own.clone())
        // ours are renewed as they come, and taken as they stand
        .identity_cache(IdentityCache::no_cache())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
        .http_client(http(config)?);
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    let mut builder = Builder::from(&loader.load().await);
    if let Some(url) = &config.endpoints.service_quotas {
        builder = builder.endpoint_url(url);
    }
    Ok(Client::from_conf(builder.build()))
}

/// Trusts whom the provider trusts, and goes by its proxy.
fn http(config: &Config) -> Result<SharedHttpClient, String> {
    let mut trusted = TrustStore::default();
    if let Some(file) = &config.ca_file {
        // the SDK would fall over a file that holds no certificate
        roots(Some(file)).map_err(|e| e.to_string())?;
        let pem = std::fs::read(file)
            .map_err(|e| format!("the CA file `{}` cannot be read: {e}", file.display()))?;
        trusted.add_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(trusted).build().map_err(|e| e.to_string())?;
    let proxy = proxy(config)?;
    Ok(HttpBuilder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder().proxy_config(proxy.clone());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        let rustls = tls::Provider::Rustls(CryptoMode::AwsLc);
        builder.tls_provider(rustls).tls_context(context.clone()).build()
    }))
}

fn proxy(config: &Config) -> Result<ProxyConfig, String> {
    let Some(url) = &config.proxy else { return Ok(ProxyConfig::disabled()) };
    let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
    // a password may stand in it
    let proxy = ProxyConfig::all(url).map_err(|_| "the provider's `proxy` is no URL".to_owned())?;
    Ok(match config.proxy_login.as_ref().map(SecretRef::read).transpose()? {
        None => proxy,
        Some(login) => {
            let (user, password) = login.expose().split_once(':').unwrap_or((login.expose(), ""));
            proxy.with_basic_auth(user, password)
        }
    })
}

/// `ListServiceQuotas answered AccessDeniedException: …`
fn said<E, R>(question: &str, e: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug,
{
    match (e.code(), e.message()) {
        (Some(code), Some(message)) => format!("{question} answered {code}: {message}"),
        (Some(code), None) => format!("{question} answered {code}"),
        (None, _) => format!("{question}: {}", DisplayErrorContext(e)),
    }
}
