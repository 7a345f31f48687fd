//! Notices on their way to operators: never in the way of a call, at least once, and not over and over.
//!
//! ```text
//! notify() ─► inbox ─► desk: known already? ─► journal ─► a lane for each target ─► webhook, Slack, SNS, SMTP, log
//!  returns    bounded   memory, shared claim    on disk     retries, own pace         └► dead letters, on disk
//!  at once
//! ```
//!
//! Everything behind the inbox is one thread with a runtime of its own, so a disk or a receiver that hangs holds
//! up notices and nothing else. What the journal holds survives a restart. What cannot be delivered within the
//! deadline of its target, or never can be, is a dead letter that an operator sends again.
//!
//! [`config::Config`] is `[[notify]]`, [`Notifier`] the running whole, [`dead`] and [`send_once`] are for commands.

pub mod config;
mod counts;
pub mod dead;
mod desk;
mod journal;
mod lane;
mod lines;
mod notifier;
mod once;
mod target;
#[cfg(test)]
mod trial;
mod words;

use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::notice::Notice;

use crate::config::Config;
pub use crate::notifier::{Notifier, Parts};

/// Why notices cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    #[error("{0}")]
    Setting(String),
    #[error("`[[notify]]` `{0}`: {1}")]
    Target(String, String),
    #[error("notices cannot be kept in `{0}`: {1}")]
    Folder(String, std::io::Error),
    #[error("the thread of notices cannot start: {0}")]
    Start(std::io::Error),
}

/// Tries once to deliver a notice to a target, whatever the target wants to be told of.
///
/// # Errors
/// Says why it was not delivered.
pub async fn send_once(config: &Config, clock: &Arc<dyn Clock>, notice: &Notice) -> Result<(), String> {
    let target = target::build(config, clock).map_err(|e| e.to_string())?;
    target::attempt(&*target, config.timeout.0, notice).await.map_err(|trouble| trouble.why)
}
