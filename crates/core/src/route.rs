//! Aliases as operators see them.

mod when;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

pub use when::{Input, Seen, When};

/// Whether a name is one of Bedrock's, an id or an ARN; anything else is an alias.
pub fn is_bedrocks(name: &str) -> bool {
    name.starts_with("arn:") || name.contains('.')
}

/// How an alias stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AliasStand {
    pub name: Arc<str>,
    /// Requests to upstreams at most, for one call.
    pub attempts: u32,
    /// Of calls that no rule is for.
    pub targets: Vec<TargetStand>,
    /// In order: the first that fits a call is its rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleStand>,
    /// In order.
    pub fallback: Vec<RungStand>,
    /// When another target is asked as well; `None` when never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<HedgeStand>,
    /// How long answers are of which callers do not say it; `None` when they may be as long as the model's longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right_sizing: Option<RightSizing>,
}

/// How second requests beside slow ones stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HedgeStand {
    /// Milliseconds.
    pub after_ms: u64,
    /// Percent of calls at most.
    pub most: u8,
    /// Whether one may be sent now: calls have earned it.
    pub may: bool,
    /// Whose answer callers got, since the start.
    pub first: u64,
    pub second: u64,
    /// Both failed, or the caller left.
    pub neither: u64,
}

/// Where the model of a target stands in its life.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LifeStand {
    /// AWS calls it LEGACY.
    pub legacy: bool,
    /// Days until it is gone; below zero when it is. `None` when no day is known.
    pub days: Option<i64>,
    /// What was tested in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<Arc<str>>,
}

/// What was learned of the length of an alias' answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RightSizing {
    /// What an answer is bounded to, in tokens; `None` before enough were seen.
    pub ceiling: Option<u64>,
    /// Answers by which that is known; older ones count less.
    pub answers: u32,
    /// Calls that were bounded, since the start.
    pub bounded: u64,
    /// Answers among them that went to the end of what they were bounded to.
    pub cut: u64,
    /// Tokens of quota that were not reserved for them.
    pub regained: u64,
}

/// How a rule stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RuleStand {
    pub when: When,
    pub targets: Vec<TargetStand>,
}

/// How a target stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TargetStand {
    pub provider: Arc<str>,
    pub region: Arc<str>,
    pub model: Arc<str>,
    pub weight: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Arc<str>>,
    pub breaker: Standing,
    /// Percent of calls that ask it first, as things stand now.
    pub share: f64,
    /// Why so many.
    pub why: String,
    /// `None` when no end is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub life: Option<LifeStand>,
}

/// How what comes instead stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RungStand {
    /// A lighter model.
    Target {
        provider: Arc<str>,
        model: Arc<str>,
        breaker: Standing,
        /// How it did when it was last asked while nothing failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exercised: Option<Exercised>,
        /// `None` when no end is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        life: Option<LifeStand>,
    },
    /// An earlier answer to the same question.
    Stale,
    /// A text.
    Answer(Arc<str>),
}

/// A request to a lighter model whose answer went to nobody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Exercised {
    pub at: Timestamp,
    /// It answered.
    pub well: bool,
    /// What became of it, in words.
    pub said: String,
}

/// The feature that such requests are recorded as.
pub const FEATURE: &str = "bedplate:exercise";

/// How a breaker stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The target gets its calls.
    Closed,
    /// It gets more and more of its calls.
    Returning,
    /// It gets one call, and if that goes well the others.
    HalfOpen,
    /// It gets none.
    Open,
}

impl Standing {
    /// For people.
    pub fn said(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Returning => "returning",
            Self::HalfOpen => "half open",
            Self::Open => "open",
        }
    }
}
