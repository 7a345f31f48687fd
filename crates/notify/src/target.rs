//! What takes notices, one file a kind.

mod hook;
mod log;
mod signature;
mod slack;
mod smtp;
#[cfg(feature = "sns")]
mod sns;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::clock::Clock;
use bedplate_core::notice::Notice;

use crate::NotifyError;
use crate::config::{Config, Kind};

pub(crate) trait Target: Send + Sync {
    /// Tries once.
    ///
    /// # Errors
    /// Says why the notice was not taken, and whether another try can help.
    fn send<'a>(&'a self, notice: &'a Notice) -> BoxFuture<'a, Result<(), Trouble>>;
}

/// Why a notice was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    /// One line, without secrets.
    pub(crate) why: String,
    pub(crate) again: Again,
}

/// Whether another try can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Again {
    Soon,
    /// Not for any notice before this has passed: the target asked for it.
    After(Duration),
    Never,
}

impl Trouble {
    pub(crate) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: Again::Soon }
    }

    pub(crate) fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: Again::Never }
    }
}

/// # Errors
/// When a setting cannot be used, or a secret cannot be read.
pub(crate) fn build(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Target>, NotifyError> {
    if let Some((_, said)) = config.problems().into_iter().next() {
        return Err(NotifyError::Setting(said));
    }
    let built: Result<Arc<dyn Target>, String> = match config.kind {
        Kind::Webhook => webhook::Webhook::new(config, clock).map(|target| Arc::new(target) as _),
        Kind::Slack => slack::Slack::new(config, clock).map(|target| Arc::new(target) as _),
        #[cfg(feature = "sns")]
        Kind::Sns => sns::Sns::new(config).map(|target| Arc::new(target) as _),
        #[cfg(not(feature = "sns"))]
        Kind::Sns => Err("this bedplate was built without it".into()),
        Kind::Smtp => smtp::Smtp::new(config).map(|target| Arc::new(target) as _),
        Kind::Log => Ok(Arc::new(log::Log)),
    };
    built.map_err(|why| NotifyError::Target(config.name.clone(), why))
}

/// One try that ends within `timeout`.
///
/// # Errors
/// As [`Target::send`].
pub(crate) async fn attempt(target: &dyn Target, timeout: Duration, notice: &Notice) -> Result<(), Trouble> {
    let late = || Trouble::passing(format!("no answer within {}", bedplate_core::setting::Span(timeout)));
    tokio::time::timeout(timeout, target.send(notice)).await.unwrap_or_else(|_| Err(late()))
}

/// What must be set, which `problems` has seen to.
fn set<T>(key: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("`{key}` is not set"))
}
