//! Answers that are kept, and what they are found by.
//!
//! A [`CacheKey`] is made of everything that decides an answer and of everything that says who may have it, so that
//! no answer crosses a boundary: there is no other way to make one than from all of [`KeyParts`].

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::call::{CallId, Headers, Operation};
use crate::clock::Timestamp;
use crate::content::Content;
use crate::money::Cost;
use crate::usage::Usage;

/// SHA-256 over named parts. Of content it is a hash of content: it is not shown, and leaves the process only
/// keyed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of something that is not there.
    pub const NONE: Self = Self([0; 32]);

    /// Of `parts`, each with its length, under the name of what they are.
    pub fn of<'a>(name: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(name.as_bytes());
        parts.into_iter().for_each(part);
        let mut out = [0; 32];
        out.copy_from_slice(hash.finish().as_ref());
        Self(out)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// What an answer is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CacheKey(Fingerprint);

/// Everything that a [`CacheKey`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct KeyParts<'a> {
    /// Team, environment and feature: an answer belongs to those it was made for.
    pub tenant: [&'a str; 3],
    /// What the caller's key may do.
    pub rights: Fingerprint,
    /// Whole and streamed answers are never made out of each other.
    pub operation: Operation,
    /// Name, region and account of the provider.
    pub provider: [&'a str; 3],
    /// The model or profile that is called.
    pub target: &'a str,
    /// The family of its bodies.
    pub family: &'a str,
    /// The released prompt and its version.
    pub prompt: Fingerprint,
    /// What screens requests and answers, and how strictly.
    pub guard: Fingerprint,
    /// The policies in force.
    pub policy: Fingerprint,
    /// The request without its volatile parts.
    pub request: Fingerprint,
}

impl CacheKey {
    pub fn of(parts: &KeyParts<'_>) -> Self {
        let KeyParts { tenant, rights, operation, provider, target, family, prompt, guard, policy, request } =
            parts;
        let texts = tenant.iter().chain(provider).chain([target, family]).map(|text| text.as_bytes());
        let prints = [rights, prompt, guard, policy, request].map(|print| &print.bytes()[..]);
        Self(Fingerprint::of(
            "bedplate cache key 1",
            texts.chain([operation.name().as_bytes()]).chain(prints),
        ))
    }

    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }
}

/// A request as the cache reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Canonical {
    /// Of all that may change the answer, in one order, without call ids, trace headers and request metadata.
    pub request: Fingerprint,
    /// The family of the model's bodies.
    pub family: &'static str,
    /// The model draws lots: the temperature is above 0, or left to the model.
    pub sampled: bool,
    /// The model is offered tools.
    pub tools: bool,
    /// A guardrail of AWS looks at it, whose verdict may change without the request.
    pub guarded: bool,
    /// It names content that lies elsewhere and may change there.
    pub refers: bool,
}

/// How an answer came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Finish {
    /// The model had said all.
    Complete,
    /// It asks for a tool.
    Tools,
    /// It was cut short, filtered, altered or refused, or nobody knows.
    #[default]
    Other,
}

/// A kept answer. Its body and headers are the upstream's own.
pub struct Entry {
    /// The call that paid for it.
    pub call: CallId,
    pub headers: Headers,
    /// A whole body, or all frames of a stream.
    pub body: Content,
    pub usage: Option<Usage>,
    /// What it was priced by.
    pub target: Arc<str>,
    pub region: Arc<str>,
    pub tier: String,
    pub stop_reason: Option<String>,
    pub made_at: Timestamp,
    /// Until when it is an answer like a new one.
    pub fresh_until: Timestamp,
    /// Until when it may stand in for an upstream that fails.
    pub kept_until: Timestamp,
}

impl Entry {
    /// The bytes it holds, about.
    pub fn weight(&self) -> u64 {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        (self.body.len() + headers + 512) as u64
    }
}

/// Where an answer lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub key: CacheKey,
    pub tags: Tags,
}

/// What answers can be purged by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tags {
    pub team: Arc<str>,
    pub feature: Arc<str>,
    /// As the caller named it.
    pub model: Arc<str>,
}

/// Which answers are dropped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purge {
    All,
    Team(String),
    Feature(String),
    Model(String),
}

impl Purge {
    pub fn concerns(&self, tags: &Tags) -> bool {
        match self {
            Self::All => true,
            Self::Team(team) => **team == *tags.team,
            Self::Feature(feature) => **feature == *tags.feature,
            Self::Model(model) => **model == *tags.model,
        }
    }
}

/// Which purges had been when a place was looked at: an answer that was asked for before a purge is not kept after
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Epoch(pub [u64; 4]);

/// What a look found.
#[derive(Clone, Default)]
pub struct Looked {
    /// Perhaps no longer fresh, never beyond what it is kept for.
    pub entry: Option<Arc<Entry>>,
    pub epoch: Epoch,
}

/// How full a cache is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stats {
    /// Where it is: `memory`, `redis cache.example:6379`.
    pub store: String,
    pub entries: u64,
    pub bytes: u64,
}

/// What a cache knows of itself without asking anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Gauges {
    /// Whether it can be asked.
    pub up: bool,
    /// Questions that were not answered in time, or not at all; each was a miss.
    pub failures: u64,
    /// Answers put in.
    pub puts: u64,
    /// Entries and their bytes, where they lie in this process.
    pub held: Option<(u64, u64)>,
}

/// A cache that could not do what was asked. A call goes on as if nothing had been found.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CacheError {
    #[error("the cache is unavailable: {0}")]
    Unavailable(String),
}

/// Where answers are kept. Every method answers within a bound of its own.
#[async_trait]
pub trait Cache: Send + Sync {
    /// What is damaged, or another key sealed, is not there.
    async fn get(&self, place: &Place) -> Result<Looked, CacheError>;

    /// Keeps an answer to a question that was asked in `epoch`; drops it when a purge has concerned it since.
    async fn put(&self, place: &Place, entry: &Arc<Entry>, epoch: Epoch) -> Result<(), CacheError>;

    /// Drops answers; when this returns none of them is found any more. Gives their number.
    async fn purge(&self, what: &Purge) -> Result<u64, CacheError>;

    /// Counts what is there. May take a while.
    async fn stats(&self) -> Result<Stats, CacheError>;

    fn gauges(&self) -> Gauges;
}

/// What a caller wishes, in `x-bedplate-cache`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Neither look nor keep.
    Bypass,
    /// Do not look, but keep.
    Refresh,
}

/// What the cache did for a call; of one whose model no rule names there is nothing to say.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Hit,
    Miss,
    Bypass,
    /// An answer beyond its time, because the upstream failed.
    Stale,
}

impl Mark {
    pub const ALL: [Self; 4] = [Self::Hit, Self::Miss, Self::Bypass, Self::Stale];

    pub fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
            Self::Stale => "stale",
        }
    }
}

/// Why the cache was passed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The caller wished so.
    Asked,
    /// The temperature is above 0 or not said, and the rule does not allow it.
    Sampled,
    /// The model is offered tools, and the rule does not allow it.
    Tools,
    /// A guardrail of AWS looks at the call.
    Guarded,
    /// The request names content that lies elsewhere.
    Refers,
    /// The request cannot be brought into one form.
    Unreadable,
}

impl Skip {
    /// For people.
    pub fn said(self) -> &'static str {
        match self {
            Self::Asked => "the caller asked for it",
            Self::Sampled => "its temperature is above 0 or left to the model",
            Self::Tools => "the model is offered tools",
            Self::Guarded => "a guardrail of AWS looks at it",
            Self::Refers => "it names content that lies elsewhere",
            Self::Unreadable => "the request cannot be brought into one form",
        }
    }
}

/// The cache in the record of a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CacheUse {
    pub mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<Skip>,
    /// Of a kept answer: what was not used and not paid again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoided: Option<Avoided>,
}

/// What a kept answer spared, by the prices of the moment it was given. Never part of what was spent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Avoided {
    /// The call that paid.
    pub call: CallId,
    /// How old the answer is.
    pub age_ms: u64,
    pub usage: Usage,
    pub cost: Cost,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts<'a>() -> KeyParts<'a> {
        KeyParts {
            tenant: ["support", "prod", "triage"],
            rights: Fingerprint::NONE,
            operation: Operation::Converse,
            provider: ["use1", "us-east-1", ""],
            target: "us.amazon.nova-lite-v1:0",
            family: "nova",
            prompt: Fingerprint::NONE,
            guard: Fingerprint::NONE,
            policy: Fingerprint::NONE,
            request: Fingerprint::of("x", [&b"hello"[..]]),
        }
    }

    #[test]
    fn every_part_makes_another_key() {
        let other = Fingerprint::of("x", [&b"other"[..]]);
        let all = [
            parts(),
            KeyParts { tenant: ["support", "prod", "billing"], ..parts() },
            KeyParts { tenant: ["support", "dev", "triage"], ..parts() },
            KeyParts { tenant: ["supportprod", "", "triage"], ..parts() },
            KeyParts { rights: other, ..parts() },
            KeyParts { operation: Operation::ConverseStream, ..parts() },
            KeyParts { provider: ["euc1", "us-east-1", ""], ..parts() },
            KeyParts { provider: ["use1", "us-west-2", ""], ..parts() },
            KeyParts { target: "us.amazon.nova-micro-v1:0", ..parts() },
            KeyParts { family: "unknown", ..parts() },
            KeyParts { prompt: other, ..parts() },
            KeyParts { guard: other, ..parts() },
            KeyParts { policy: other, ..parts() },
            KeyParts { request: other, ..parts() },
        ];
        let keys: std::collections::HashSet<CacheKey> = all.iter().map(CacheKey::of).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(CacheKey::of(&parts()), CacheKey::of(&parts()));
    }

    #[test]
    fn a_key_shows_nothing() {
        assert_eq!(format!("{:?}", CacheKey::of(&parts())), "CacheKey(Fingerprint(…))");
    }
}
