//! How calls are paced, as callers and operators see it.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, text};
use crate::rate::RateStands;

/// Which calls go first when there is not room for all.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    /// Work that is to be done soon.
    Batch,
    /// Work that can wait, and be turned away first.
    Background,
}

impl Class {
    pub const ALL: [Self; 3] = [Self::Interactive, Self::Batch, Self::Background];

    pub fn name(self) -> &'static str {
        match self {
            Self::Interactive => "interactive",
            Self::Batch => "batch",
            Self::Background => "background",
        }
    }

    pub fn index(self) -> usize {
        match self {
            Self::Interactive => 0,
            Self::Batch => 1,
            Self::Background => 2,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Class {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|class| class.name() == s).ok_or(())
    }
}

/// What there is no room for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lacks {
    /// Requests a minute.
    Requests,
    /// Tokens a minute.
    Tokens,
    /// Calls at a time.
    Slots,
}

impl Lacks {
    pub const ALL: [Self; 3] = [Self::Requests, Self::Tokens, Self::Slots];

    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Slots => "slots",
        }
    }
}

/// Why a call did not wait, or did not wait on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shed {
    /// As many wait as may.
    Full,
    /// It would not come to its turn in time.
    Late,
    /// It made place for one of a better class.
    Displaced,
    /// It waited as long as it may.
    Waited,
}

impl Shed {
    pub const ALL: [Self; 4] = [Self::Full, Self::Late, Self::Displaced, Self::Waited];

    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Late => "late",
            Self::Displaced => "displaced",
            Self::Waited => "waited",
        }
    }
}

/// What bounds calls, and how it stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct LimitStands {
    /// Where calls wait for room: every target, then the busiest slots of throttles.
    pub lanes: Vec<LaneStand>,
    /// Slots of throttles that are not shown.
    pub more_slots: u64,
    /// Requests and tokens a minute, of throttles.
    pub rates: RateStands,
    /// Places whose limits come from AWS Service Quotas.
    #[serde(default)]
    pub quotas: Vec<QuotaStand>,
}

/// How a place stands where calls wait for room: a model at a provider, or a throttle's slots.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LaneStand {
    /// The provider; of slots the throttle.
    pub place: Arc<str>,
    /// The model; of slots whose they are: `team=support`.
    pub name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<RateStand>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<RateStand>,
    /// Where the numbers of its quota come from; `None` when no quota is kept of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What was learned of the quota: the part of what is configured that AWS lets through; 1 when it is as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<f64>,
    /// Calls under way.
    pub under_way: u32,
    /// As many as may be; `None` when nothing limits them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// By class, as [`Class::ALL`] has them.
    pub waiting: [u32; 3],
    /// Calls that got room, by class, since the start.
    pub passed: [u64; 3],
    /// Calls that did not, by class and by [`Shed::ALL`].
    pub shed: [[u64; 4]; 3],
    /// Answers that say that AWS had no room, since the start.
    pub throttled: u64,
}

/// Where the numbers of a quota come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum Origin {
    /// What is configured.
    Config,
    /// What AWS Service Quotas said then.
    ServiceQuotas {
        #[serde(with = "text")]
        at: Timestamp,
    },
    /// Requests or tokens are configured, and the other is what AWS Service Quotas said then.
    Both {
        #[serde(with = "text")]
        at: Timestamp,
    },
    /// AWS Service Quotas has not answered yet.
    Awaited,
    /// AWS Service Quotas had none then that is surely of this model.
    NotFound {
        #[serde(with = "text")]
        at: Timestamp,
    },
}

/// How a place stands with AWS Service Quotas.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuotaStand {
    /// As lanes have it.
    pub place: Arc<str>,
    #[serde(flatten)]
    pub answered: Option<Answered>,
    /// Why the last question was not answered, when it was not: what was said before stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Arc<str>>,
}

/// The last answer of AWS Service Quotas.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answered {
    #[serde(with = "text")]
    pub at: Timestamp,
    /// How many quotas of models it named.
    pub named: u32,
}

/// How a count over a minute stands.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct RateStand {
    /// As configured.
    pub limit: u64,
    /// What is reserved and used of it now.
    pub used: u64,
}
