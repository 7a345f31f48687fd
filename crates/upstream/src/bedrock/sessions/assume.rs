//! AssumeRole, with the tags and the name of a tenant.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials as Found;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::IdentityCache;
use aws_sdk_sts::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Tag;
use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use tokio::sync::{OnceCell, Semaphore};

use super::Counts;
use crate::bedrock::credentials::Credentials;
use crate::bedrock::credentials::provided::Provided;
use crate::bedrock::credentials::renewal::Source;
use crate::config::Config;

/// Questions to AWS at once: a gateway that starts into a thousand tenants does not storm it.
const AT_ONCE: usize = 16;
/// How long one question may take, its repetitions included.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Answer = Result<Found, CredentialsError>;

/// Who assumes roles.
pub(super) trait Assume: Send + Sync + 'static {
    fn assume<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer>;
}

/// What a session is asked for with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Asked {
    pub(super) role: Arc<str>,
    pub(super) name: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) transitive: Arc<[String]>,
    pub(super) lifetime: Duration,
}

/// Where the pairs of one session come from.
pub(super) struct Assumed {
    pub(super) assume: Arc<dyn Assume>,
    pub(super) asked: Asked,
    pub(super) counts: Arc<Counts>,
}

impl Source for Assumed {
    fn find(&self) -> BoxFuture<'_, Answer> {
        Box::pin(async {
            let answer = self.assume.assume(&self.asked).await;
            let count = if answer.is_ok() { &self.counts.assumed } else { &self.counts.failed };
            count.fetch_add(1, Ordering::Relaxed);
            answer
        })
    }
}

/// AWS STS in the provider's region, or where `AWS_ENDPOINT_URL_STS` says.
pub(super) struct Sts {
    base: Provided,
    profile: Option<String>,
    region: String,
    client: OnceCell<Client>,
    turns: Semaphore,
}

impl Sts {
    pub(super) fn new(config: &Config, base: Credentials, clock: Arc<dyn Clock>) -> Self {
        let base = Provided { credentials: base, clock };
        let (profile, region) = (config.profile.clone(), config.region.clone());
        Self { base, profile, region, client: OnceCell::new(), turns: Semaphore::new(AT_ONCE) }
    }

    async fn client(&self) -> &Client {
        let make = || async {
            let region = aws_config::Region::new(self.region.clone());
            let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
            let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest())
                .region(region)
                .credentials_provider(self.base.clone())
                // ours are renewed as they come, and taken as they stand
                .identity_cache(IdentityCache::no_cache())
                .retry_config(RetryConfig::standard().with_max_attempts(2))
                .timeout_config(timeouts);
            if let Some(profile) = &self.profile {
                loader = loader.profile_name(profile);
            }
            Client::new(&loader.load().await)
        };
        self.client.get_or_init(make).await
    }

    async fn ask(&self, asked: &Asked) -> Answer {
        let _turn = self.turns.acquire().await.map_err(CredentialsError::provider_error)?;
        let seconds = i32::try_from(asked.lifetime.as_secs()).unwrap_or(3_600);
        let mut question = self
            .client()
            .await
            .assume_role()
            .role_arn(&*asked.role)
            .role_session_name(&asked.name)
            .duration_seconds(seconds);
        for (key, value) in &asked.tags {
            let tag =
                Tag::builder().key(key).value(value).build().map_err(CredentialsError::provider_error)?;
            question = question.tags(tag);
        }
        for key in &*asked.transitive {
            question = question.transitive_tag_keys(key);
        }
        let answer = question.send().await.map_err(|e| CredentialsError::provider_error(said(&e)))?;
        let found = answer
            .credentials
            .ok_or_else(|| CredentialsError::provider_error("AssumeRole gave no credentials"))?;
        let expires = SystemTime::try_from(found.expiration).map_err(CredentialsError::provider_error)?;
        let token = Some(found.session_token);
        Ok(Found::new(found.access_key_id, found.secret_access_key, token, Some(expires), "AssumeRole"))
    }
}

impl Assume for Sts {
    fn assume<'a>(&'a self, asked: &'a Asked) -> BoxFuture<'a, Answer> {
        Box::pin(self.ask(asked))
    }
}

/// `AssumeRole answered AccessDenied: …`
fn said<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static, R: std::fmt::Debug>(
    e: &SdkError<E, R>,
) -> String {
    match (e.code(), e.message()) {
        (Some(code), Some(message)) => format!("AssumeRole answered {code}: {message}"),
        (Some(code), None) => format!("AssumeRole answered {code}"),
        (None, _) => format!("AssumeRole: {}", DisplayErrorContext(e)),
    }
}
