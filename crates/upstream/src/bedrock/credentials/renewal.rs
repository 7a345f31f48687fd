//! Looks for a pair before the current one expires.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use bedplate_core::BoxFuture;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::secret::Secret;
use tokio::sync::{Notify, watch};

use super::{Looked, Pair};
use crate::config::Config;

/// How soon a look that found nothing is repeated.
const AGAIN: Duration = Duration::from_secs(10);

/// Where pairs come from.
pub(in super::super) trait Source: Send + Sync + 'static {
    fn find(&self) -> BoxFuture<'_, Result<aws_credential_types::Credentials, CredentialsError>>;
}

/// The standard chain.
pub(super) struct Chain {
    profile: Option<String>,
    role: Option<String>,
    region: String,
}

impl Chain {
    pub(super) fn of(config: &Config) -> Self {
        let (profile, role) = (config.profile.clone(), config.role_arn.clone());
        Self { profile, role, region: config.region.clone() }
    }

    /// Built for each look: the SDK reads profile files once in a provider's life.
    async fn provider(&self) -> Result<Arc<dyn ProvideCredentials>, CredentialsError> {
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
            return Ok(Arc::new(assumed.build().await));
        }
        let found = config.credentials_provider();
        found.map(|p| Arc::new(p) as _).ok_or_else(CredentialsError::not_loaded_no_source)
    }
}

impl Source for Chain {
    fn find(&self) -> BoxFuture<'_, Result<aws_credential_types::Credentials, CredentialsError>> {
        Box::pin(async move { self.provider().await?.provide_credentials().await })
    }
}

/// When a pair is looked for anew.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Pace {
    /// So long before it expires,
    pub(in super::super) early: Duration,
    /// and at least so often.
    pub(in super::super) longest: Duration,
}

pub(super) struct Renewal<S> {
    source: S,
    pace: Pace,
    /// What the pairs are for, in log lines: empty, or with a space before it.
    whose: String,
    current: Arc<ArcSwapOption<Pair>>,
    told: watch::Sender<Looked>,
    wake: Arc<Notify>,
    clock: Arc<dyn Clock>,
    /// What was logged last: a failure that lasts is said once.
    logged: String,
}

impl<S: Source> Renewal<S> {
    pub(super) fn new(
        source: S,
        (pace, whose): (Pace, String),
        current: Arc<ArcSwapOption<Pair>>,
        (told, wake): (watch::Sender<Looked>, Arc<Notify>),
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { source, pace, whose, current, told, wake, clock, logged: String::new() }
    }

    pub(super) async fn run(mut self) {
        loop {
            let found = tokio::select! {
                found = self.source.find() => found,
                () = self.told.closed() => return,
            };
            let wait = self.take(found);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.wake.notified() => {}
                () = self.told.closed() => return,
            }
        }
    }

    /// Publishes what was found; gives the time until the next look.
    fn take(&mut self, found: Result<aws_credential_types::Credentials, CredentialsError>) -> Duration {
        let now = self.clock.now();
        let pair = found.map_err(|e| said(&e)).and_then(|found| {
            let pair = Pair::of(&found);
            match pair.expired(now) {
                Some(at) => Err(format!("the chain gave credentials that expired at {at}")),
                None => Ok(pair),
            }
        });
        match pair {
            Ok(pair) => self.found(pair, now),
            Err(said) => self.failed(said, now),
        }
    }

    fn found(&mut self, pair: Pair, now: Timestamp) -> Duration {
        let expires_at = pair.expires_at;
        // the same pair stays: signing keys are derived for it
        if self.current.load().as_deref() != Some(&pair) {
            self.current.store(Some(Arc::new(pair)));
        }
        self.told.send_replace(Looked::Found);
        if !std::mem::take(&mut self.logged).is_empty() {
            tracing::info!("there are AWS credentials{} again", self.whose);
        }
        let lives =
            expires_at.map(|at| Duration::from_secs(u64::try_from(at.secs() - now.secs()).unwrap_or(0)));
        let until = lives.map_or(self.pace.longest, |lives| lives.saturating_sub(self.pace.early));
        until.clamp(Duration::from_secs(5), self.pace.longest)
    }

    fn failed(&mut self, said: String, now: Timestamp) -> Duration {
        let whose = &self.whose;
        let line = match self.current.load().as_deref() {
            None => format!("no AWS credentials{whose}: {said}"),
            Some(pair) => match (pair.expired(now), pair.expires_at) {
                (Some(at), _) => {
                    format!("the AWS credentials{whose} expired at {at} and cannot be renewed: {said}")
                }
                (None, Some(until)) => {
                    format!(
                        "the AWS credentials{whose} cannot be renewed, and are used until {until}: {said}"
                    )
                }
                (None, None) => {
                    format!("the AWS credentials{whose} cannot be renewed, and are used on: {said}")
                }
            },
        };
        if self.logged != line {
            tracing::warn!("{line}");
            self.logged = line;
        }
        self.told.send_replace(Looked::Failed(said));
        AGAIN
    }
}

impl Pair {
    fn of(found: &aws_credential_types::Credentials) -> Self {
        let expires_at = found.expiry().and_then(|at| {
            let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(Timestamp(i64::try_from(since.as_micros()).ok()?))
        });
        Self {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: Secret::new(found.secret_access_key()),
            session_token: found.session_token().map(Secret::new),
            expires_at,
        }
    }
}

/// The whole chain of causes: the first alone says only that something failed.
fn said(e: &dyn Error) -> String {
    let mut said = e.to_string();
    let mut cause = e.source();
    while let Some(e) = cause {
        said.push_str(": ");
        said.push_str(&e.to_string());
        cause = e.source();
    }
    said
}
