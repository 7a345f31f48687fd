//! Credentials for AWS: given, or from the standard chain, renewed in the background.
//!
//! The chain may ask an instance-metadata service that is not there, for seconds. So it runs off the
//! ready path and off the calls: a call takes what is there, and waits only when nothing came yet.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_credential_types::provider::ProvideCredentials;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::secret::Secret;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::config::Config;

/// A key pair to sign with.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
}

/// The current pair, and how the last attempt to get one went.
#[derive(Clone)]
pub struct Credentials {
    current: Arc<ArcSwapOption<Pair>>,
    state: watch::Receiver<CredentialsState>,
}

/// How things stand with credentials, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsState {
    /// The chain has not answered yet.
    Pending,
    Ready,
    /// The chain's own words.
    Failed(String),
}

impl Credentials {
    /// A pair that never changes.
    pub fn fixed(access_key_id: String, secret_access_key: Secret) -> Self {
        let pair = Pair { access_key_id, secret_access_key, session_token: None };
        let (_, state) = watch::channel(CredentialsState::Ready);
        Self { current: Arc::new(ArcSwapOption::from_pointee(pair)), state }
    }

    /// The standard chain (environment, profile files, web identity, container, instance), with the
    /// profile and role of `config`. Renewed on `runtime` until the last clone is dropped.
    pub fn chain(config: &Config, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        let (told, state) = watch::channel(CredentialsState::Pending);
        let current = Arc::new(ArcSwapOption::const_empty());
        let renewal = Renewal {
            current: Arc::clone(&current),
            told,
            clock,
            profile: config.profile.clone(),
            role: config.role_arn.clone(),
            region: config.region.clone(),
        };
        runtime.spawn(renewal.run());
        Self { current, state }
    }

    pub fn state(&self) -> CredentialsState {
        self.state.borrow().clone()
    }

    /// How things stand once the chain has answered.
    pub async fn settled(&self) -> CredentialsState {
        let mut state = self.state.clone();
        match state.wait_for(|s| *s != CredentialsState::Pending).await {
            Ok(settled) => settled.clone(),
            Err(_) => self.state(),
        }
    }

    /// The pair to use now; waits while the chain has not answered.
    ///
    /// # Errors
    /// The chain's own words when it found nothing.
    pub(crate) async fn get(&self) -> Result<Arc<Pair>, String> {
        if let Some(pair) = self.current.load_full() {
            return Ok(pair);
        }
        let mut state = self.state.clone();
        let settled = state.wait_for(|s| *s != CredentialsState::Pending).await;
        let said = match settled.as_deref() {
            Ok(CredentialsState::Failed(said)) => said.clone(),
            Ok(_) => String::new(),
            Err(_) => "the search for credentials has stopped".into(),
        };
        drop(settled);
        self.current.load_full().ok_or(said)
    }
}

struct Renewal {
    current: Arc<ArcSwapOption<Pair>>,
    told: watch::Sender<CredentialsState>,
    clock: Arc<dyn Clock>,
    profile: Option<String>,
    role: Option<String>,
    region: String,
}

impl Renewal {
    async fn run(self) {
        let provider = self.provider().await;
        loop {
            let wait = match provider.provide_credentials().await {
                Ok(found) => self.take(&found),
                Err(e) => {
                    let said = said(&e);
                    tracing::warn!("no AWS credentials: {said}");
                    // a pair that has not expired is better than none
                    self.told.send_replace(CredentialsState::Failed(said));
                    Duration::from_secs(10)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.told.closed() => return,
            }
        }
    }

    async fn provider(&self) -> Arc<dyn ProvideCredentials> {
        let region = aws_config::Region::new(self.region.clone());
        let mut loader = aws_config::defaults(aws_config::BehaviorVersion::latest()).region(region);
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        if let Some(role) = &self.role {
            let assumed = aws_config::sts::AssumeRoleProvider::builder(role)
                .session_name("bedplate")
                .configure(&config);
            return Arc::new(assumed.build().await);
        }
        match config.credentials_provider() {
            Some(provider) => Arc::new(provider),
            None => Arc::new(Nothing),
        }
    }

    /// Publishes a pair; gives the time until the next look.
    fn take(&self, found: &aws_credential_types::Credentials) -> Duration {
        let expires_at = found.expiry().and_then(|at| {
            let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(Timestamp(i64::try_from(since.as_micros()).ok()?))
        });
        let same = self.current.load().as_ref().is_some_and(|old| {
            old.access_key_id == found.access_key_id()
                && old.secret_access_key.expose() == found.secret_access_key()
                && old.session_token.as_ref().map(Secret::expose) == found.session_token()
        });
        if !same {
            self.current.store(Some(Arc::new(Pair {
                access_key_id: found.access_key_id().to_owned(),
                secret_access_key: Secret::new(found.secret_access_key()),
                session_token: found.session_token().map(Secret::new),
            })));
        }
        self.told.send_replace(CredentialsState::Ready);
        // five minutes before they expire, at least every ten: files and roles change under us
        let until = expires_at.map_or(600, |at| at.secs() - self.clock.now().secs() - 300);
        Duration::from_secs(u64::try_from(until).unwrap_or(5).clamp(5, 600))
    }
}

/// The whole chain of causes: the first alone says only that something failed.
fn said(e: &dyn std::error::Error) -> String {
    let mut said = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        said.push_str(": ");
        said.push_str(&e.to_string());
        cause = e.source();
    }
    said
}

#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> aws_credential_types::provider::future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none = aws_credential_types::provider::error::CredentialsError::not_loaded_no_source();
        aws_credential_types::provider::future::ProvideCredentials::ready(Err(none))
    }
}
