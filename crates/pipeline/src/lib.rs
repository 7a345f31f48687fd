//! What happens to a call, in order.
//!
//! Six phases, whose names sort in the order of events:
//!
//! > **admit** (who, may they) → **compose** (what the model will be sent) → **guard** (may it go in)
//! > → **invoke** (an answer) → **review** (may it go out) → **settle** (write it down, once)
//!
//! [`Pipeline::run`] is the whole order. What a phase proves is a value that only it can make:
//! [`Call`] → `Admitted` → `Composed` → `Cleared` → [`Reply`]. This crate knows no HTTP, no SQL, no
//! dialect and no provider; those come in through [`Provider`], [`Native`], [`Evidence`] and the
//! storage ports of `core`.

mod admit;
pub mod budget;
mod cache;
mod call;
mod compose;
mod config;
mod estimate;
mod guard;
mod invoke;
mod model;
mod pace;
mod pipeline;
mod provider;
mod reply;
mod reserve;
mod review;
mod scoped;
mod settle;
mod throttle;

pub use admit::keyring::{Keyring, Presented};
pub use cache::{CacheConfig, CacheProblem, Caching, InForce, RuleConfig, Single};
pub use call::{Call, Evidence, Native, Tags};
pub use compose::routes::{Routes, TargetEnd};
pub use config::{BudgetsConfig, DrainConfig, OperationsConfig, TimeoutConfig};
pub use estimate::Estimates;
pub use invoke::breaker::BreakerConfig;
pub use invoke::deadline::{Deadlines, Timeouts};
pub use model::health::{Health, Hedged, TargetStanding};
pub use model::{
    AliasTimeouts, HedgeConfig, MaxTokens, Means, ModelConfig, ModelProblem, ModelRuleConfig, Named,
    RetryConfig, RungConfig, Share, Stale, Sticking, TargetConfig,
};
pub use pace::{Allowed, AwsQuota, LimitConfig, Pace, PaceConfig, QuotaConfig, QuotaSource};
pub use pipeline::{Drain, Pipeline, Refused};
pub use provider::{
    Answer, AnswerBody, Ask, Billed, Broke, Failed, Flow, Heard, Lead, Leading, Metered, Piece, Provider,
    ProviderFacts, Targets, Tenancy,
};
pub use reply::{Outflow, Reply, ReplyBody};
pub use settle::record::Record;
pub use settle::{Admission, Books};
pub use throttle::config::{Throttle, ThrottleConfig, ThrottleProblem, all as throttles};
pub use throttle::{Rated, Throttles, TurnedAway};
