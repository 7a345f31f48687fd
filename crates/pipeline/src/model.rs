//! Aliases: names that applications use, and what is called for them.

mod build;
mod config;
pub(crate) mod health;
mod hedge;
mod line;
mod outputs;
mod rule;
mod stand;
mod sticky;
mod twice;
mod warm;

pub use build::{Means, RetryConfig};
pub use config::{
    AliasTimeouts, MaxTokens, ModelConfig, ModelProblem, Named, RungConfig, Stale, Sticking, TargetConfig,
};
pub use hedge::{HedgeConfig, Share};
pub(crate) use line::{Alias, Rung, Target, Tried, for_call};
pub(crate) use outputs::Outputs;
pub use rule::ModelRuleConfig;
pub(crate) use stand::Look;
pub(crate) use sticky::Conversation;
