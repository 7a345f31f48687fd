//! What is written down about a call: one row for the call, one for each attempt. No content.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::attribution::{Attribution, PromptUse};
use crate::budget::{Blocked, Charge};
use crate::cache::CacheUse;
use crate::call::{CallId, Dialect, Operation};
use crate::clock::Timestamp;
use crate::key::KeyId;
use crate::money::Cost;
use crate::rate::Throttled;
use crate::refusal::{Code, Stage};
use crate::usage::{Usage, UsageBasis};

/// Everything the ledger keeps of one call. Settled once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    pub call: CallRow,
    pub attempts: Vec<AttemptRow>,
}

/// How a call ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Answered in full.
    Answered,
    /// Refused by us.
    Refused,
    /// The upstream answered with an error, which was passed on.
    Failed,
    /// A stream that ended with an error event after it had begun.
    Cut,
    /// The caller hung up; what was used until the upstream ended, or was let go, is counted.
    Abandoned,
}

impl Ending {
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRow {
    pub id: CallId,
    pub admitted_at: Timestamp,
    pub dialect: Dialect,
    /// `None` when the path belongs to no operation.
    pub operation: Option<Operation>,
    /// The model (or guardrail) as the caller named it; at most 2,048 characters; may be empty.
    pub model: String,
    /// `None` when the caller was not recognised.
    pub key: Option<KeyId>,
    pub team: Arc<str>,
    pub feature: Arc<str>,
    pub environment: Arc<str>,
    /// Opaque; from `x-bedplate-user`.
    pub user: Option<String>,
    /// Groups the calls of one prompt chain or agent run; from `x-bedplate-chain`.
    pub chain: Option<String>,
    /// The released prompt that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Box<PromptUse>>,
    /// W3C trace id, 32 hexadecimal digits.
    pub trace: Option<String>,
    /// The caller's span, 16 hexadecimal digits; the call's own span is [`CallId::span`].
    pub parent_span: Option<String>,
    pub ending: Ending,
    /// The HTTP status sent, or that would have been sent.
    pub status: u16,
    /// Set for refusals and for broken streams.
    pub code: Option<Code>,
    pub stage: Option<Stage>,
    /// The error's AWS name, ours or the upstream's: `ThrottlingException`.
    pub error: Option<String>,
    pub usage: Usage,
    pub basis: UsageBasis,
    pub cost: Cost,
    pub stop_reason: Option<String>,
    pub timings: Timings,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// What was changed in the request, in words: `requestMetadata +112 bytes`.
    pub edits: Vec<String>,
    /// The caller's own pairs of request metadata.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metadata: Vec<(String, String)>,
    /// How many pairs bedplate added to them: of [`Attribution::pairs`], the first so many.
    #[serde(default)]
    pub stamped: u8,
    /// How many of ours found no room there.
    #[serde(default)]
    pub unstamped: u8,
    /// What the call spends of budgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<Charge>,
    /// The budget that blocked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Box<Blocked>>,
    /// The throttle that refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Box<Throttled>>,
    /// The output tokens that the answer was bounded to, because a budget had room for no more or the model's maximum
    /// is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounded: Option<u64>,
    /// What the cache did; `None` when no rule concerns the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Box<CacheUse>>,
    /// The answer is not what was asked for, but what there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degraded>,
}

/// What an answer is that is less than was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Degraded {
    /// Another model's than those of the alias.
    LighterModel,
    /// An earlier answer to the same question, beyond its time.
    Stale,
    /// The text that the configuration has for it.
    Static,
}

impl Degraded {
    pub const ALL: [Self; 3] = [Self::LighterModel, Self::Stale, Self::Static];

    pub fn name(self) -> &'static str {
        match self {
            Self::LighterModel => "lighter-model",
            Self::Stale => "stale",
            Self::Static => "static",
        }
    }
}

impl CallRow {
    /// What the call is counted on.
    pub fn attribution(&self) -> Attribution<'_> {
        Attribution {
            team: &self.team,
            feature: &self.feature,
            environment: &self.environment,
            user: self.user.as_deref(),
            chain: self.chain.as_deref(),
            alias: &self.model,
            prompt: self.prompt.as_deref(),
        }
    }
}

/// What stands for the service tier of latency-optimised inference (`performanceConfig.latency`).
pub const OPTIMIZED: &str = "optimized";

/// What prices know a way to be served by: the service tier, [`OPTIMIZED`], or both, which no price list has.
pub fn way_served(tier: String, latency: Option<&str>) -> String {
    match (latency, &*tier) {
        (Some(OPTIMIZED), "" | "default") => OPTIMIZED.to_owned(),
        (Some(OPTIMIZED), _) => format!("{tier}, {OPTIMIZED}"),
        _ => tier,
    }
}

/// One upstream request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// From 1.
    pub n: u16,
    pub provider: Arc<str>,
    pub region: Arc<str>,
    /// Twelve digits, or empty when unknown.
    pub account: Arc<str>,
    /// The model or profile that was called.
    pub target: Arc<str>,
    /// The model that `target` led to, where its name does not say: of an application inference profile, a
    /// prompt router.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// The service tier the upstream said it used, empty when it said none; [`OPTIMIZED`] for latency-optimised
    /// inference.
    pub tier: String,
    /// 0 when no answer came.
    pub status: u16,
    pub upstream_request_id: Option<String>,
    pub code: Option<Code>,
    /// The upstream's error name.
    pub error: Option<String>,
    pub usage: Usage,
    pub basis: UsageBasis,
    /// Which price book: its date, and `+overrides.` with the beginning of the file's SHA-256 when an operator's file
    /// stands over it.
    pub price_version: Arc<str>,
    /// Which price of it applied, or why none did, in words; empty when nothing was priced.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub price_basis: Cow<'static, str>,
    pub cost: Cost,
    /// Prompt tokens that were expected before the request was sent, by what was learned of the model; 0 where none
    /// were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expected: u64,
    pub timings: AttemptTimings,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Microseconds from the start of the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Timings {
    /// Until the request's body had been read.
    pub body_read: Option<u64>,
    /// How long it waited for room at a target, all waits together; `None` when it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<u64>,
    /// Until the call was admitted, composed and cleared.
    pub cleared: Option<u64>,
    /// Until the first bytes of the answer went to the caller.
    pub first_byte: Option<u64>,
    /// Until the first token of a stream.
    pub first_token: Option<u64>,
    /// All of it.
    pub total: u64,
    /// What bedplate itself added: the total less the time spent waiting for the caller's body and
    /// for the upstream.
    pub overhead: u64,
}

/// Microseconds from the start of the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct AttemptTimings {
    /// `None` when a kept connection was used.
    pub connect: Option<u64>,
    pub first_byte: Option<u64>,
    pub first_token: Option<u64>,
    pub total: u64,
    /// What the upstream says it took, in milliseconds.
    pub upstream_latency_ms: Option<u64>,
}
