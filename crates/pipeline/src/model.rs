//! Aliases: names that applications use, and what is called for them.

mod build;
mod config;
pub(crate) mod health;
mod line;
mod stand;

pub use build::{Means, RetryConfig};
pub use config::{AliasTimeouts, ModelConfig, ModelProblem, RungConfig, Stale, TargetConfig};
pub(crate) use line::{Alias, Rung, Target, Tried};
