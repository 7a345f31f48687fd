//! Aliases: names that applications use, and what is called for them.

mod build;
mod config;
pub(crate) mod health;
mod line;
mod rule;
mod stand;
mod sticky;
mod warm;

pub use build::{Means, RetryConfig};
pub use config::{AliasTimeouts, ModelConfig, ModelProblem, RungConfig, Stale, Sticking, TargetConfig};
pub(crate) use line::{Alias, Rung, Target, Tried, for_call};
pub use rule::ModelRuleConfig;
pub(crate) use sticky::Conversation;
