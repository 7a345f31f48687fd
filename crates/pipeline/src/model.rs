//! Aliases: names that applications use, and what is called for them.

mod config;
mod line;

pub use config::{ModelConfig, ModelProblem, RungConfig, Stale, TargetConfig};
pub(crate) use line::{Alias, Rung, Target};
