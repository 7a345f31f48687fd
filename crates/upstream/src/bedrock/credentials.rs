//! Credentials for AWS: given, or from the standard chain, renewed in the background.
//!
//! The chain may ask an instance-metadata service that is not there, for seconds. So it runs off the
//! ready path and off the calls: a call takes what is there, and waits only when nothing came yet or
//! what came has expired. A pair is used until it expires, however renewal fares, and never after.

pub(crate) mod provided;
pub(super) mod renewal;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bedplate_core::clock::{Clock, Timestamp};
use bedplate_core::secret::Secret;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use self::renewal::{Chain, Pace, Renewal};
use crate::config::Config;

/// A key pair to sign with.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Pair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    pub(crate) session_token: Option<Secret>,
    /// When AWS stops taking it; `None` when that was not said.
    pub(crate) expires_at: Option<Timestamp>,
}

/// The current pair, and how the last attempt to get one went.
#[derive(Clone)]
pub struct Credentials {
    current: Arc<ArcSwapOption<Pair>>,
    looked: watch::Receiver<Looked>,
    /// Asks for a look at once.
    wake: Arc<Notify>,
}

/// How the last look for a pair ended.
#[derive(Clone, Debug)]
enum Looked {
    NotYet,
    Found,
    /// The chain's own words.
    Failed(String),
}

/// How things stand with credentials, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsState {
    /// The chain has not answered yet.
    Pending,
    Ready,
    /// There is a pair, used until it expires; renewing it fails, in the chain's own words.
    Stale {
        until: Option<Timestamp>,
        said: String,
    },
    /// The pair has expired, and there is no other.
    Expired {
        at: Timestamp,
        said: String,
    },
    /// There never was a pair. The chain's own words.
    Failed(String),
}

impl CredentialsState {
    /// Whether calls can be signed.
    pub fn usable(&self) -> bool {
        matches!(self, Self::Ready | Self::Stale { .. })
    }
}

impl Credentials {
    /// A pair that never changes.
    pub fn fixed(access_key_id: String, secret_access_key: Secret) -> Self {
        let pair = Pair { access_key_id, secret_access_key, session_token: None, expires_at: None };
        let (_, looked) = watch::channel(Looked::Found);
        Self { current: Arc::new(ArcSwapOption::from_pointee(pair)), looked, wake: Arc::default() }
    }

    /// The standard chain (environment, profile files, web identity, container, instance), with the
    /// profile and role of `config`. Renewed on `runtime` until the last clone is dropped.
    pub fn chain(config: &Config, clock: Arc<dyn Clock>, runtime: &Handle) -> Self {
        Self::renewed(Chain::of(config), CHAIN, String::new(), clock, runtime)
    }

    /// Pairs of `source`, renewed at its pace; `whose` says in the log what they are for.
    pub(super) fn renewed(
        source: impl renewal::Source,
        pace: Pace,
        whose: String,
        clock: Arc<dyn Clock>,
        runtime: &Handle,
    ) -> Self {
        let (told, looked) = watch::channel(Looked::NotYet);
        let current = Arc::new(ArcSwapOption::const_empty());
        let wake = Arc::new(Notify::new());
        let renewal =
            Renewal::new(source, (pace, whose), Arc::clone(&current), (told, Arc::clone(&wake)), clock);
        runtime.spawn(renewal.run());
        Self { current, looked, wake }
    }

    /// Looks for a newer pair now, instead of when it is due. What there is goes on being used.
    pub fn renew(&self) {
        self.wake.notify_one();
    }

    pub fn state(&self, now: Timestamp) -> CredentialsState {
        let looked = self.looked.borrow().clone();
        match (self.current.load().as_deref(), looked) {
            (None, Looked::Failed(said)) => CredentialsState::Failed(said),
            (None, _) => CredentialsState::Pending,
            (Some(pair), looked) => match (pair.expired(now), looked) {
                (Some(at), Looked::Failed(said)) => CredentialsState::Expired { at, said },
                (Some(at), _) => CredentialsState::Expired { at, said: UNRENEWED.into() },
                (None, Looked::Failed(said)) => CredentialsState::Stale { until: pair.expires_at, said },
                (None, _) => CredentialsState::Ready,
            },
        }
    }

    /// How things stand once the chain has answered.
    pub async fn settled(&self, now: Timestamp) -> CredentialsState {
        let mut looked = self.looked.clone();
        let _ = looked.wait_for(|looked| !matches!(looked, Looked::NotYet)).await;
        self.state(now)
    }

    /// The pair to use now; waits while the chain has not answered.
    ///
    /// # Errors
    /// The chain's own words when it found nothing, or nothing newer than a pair that has expired.
    pub(crate) async fn get(&self, now: Timestamp) -> Result<Arc<Pair>, String> {
        match self.current.load_full() {
            Some(pair) if pair.expired(now).is_none() => Ok(pair),
            _ => self.wait(now).await,
        }
    }

    async fn wait(&self, now: Timestamp) -> Result<Arc<Pair>, String> {
        let mut looked = self.looked.clone();
        loop {
            // from here on every answer counts as a change, also one that comes before we wait
            looked.mark_unchanged();
            let last = looked.borrow().clone();
            let expired = match self.current.load_full() {
                None => None,
                Some(pair) => match pair.expired(now) {
                    None => return Ok(pair),
                    at => at,
                },
            };
            match (expired, last) {
                (Some(at), Looked::Failed(said)) => {
                    return Err(format!("the AWS credentials expired at {at} and cannot be renewed: {said}"));
                }
                (None, Looked::Failed(said)) => return Err(said),
                // this machine slept past their end: the look that is due comes now
                (Some(_), _) => self.renew(),
                (None, _) => {}
            }
            if looked.changed().await.is_err() {
                return Err("the search for credentials has stopped".into());
            }
        }
    }
}

/// Files and roles change under us: the chain is asked every ten minutes at least.
const CHAIN: Pace = Pace { early: Duration::from_secs(300), longest: Duration::from_secs(600) };

/// What is said of an expired pair before its renewal has failed.
const UNRENEWED: &str = "they have not been renewed yet";

impl Pair {
    /// The moment it expired, when that has come.
    fn expired(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|at| *at <= now)
    }
}

#[cfg(test)]
mod tests;
