//! Kept answers: equal questions are asked once, and paid once.
//!
//! The order of events: a rule of the configuration concerns the call ([`rule`]); its place is made of everything
//! that decides an answer and of who asks ([`place`]); a kept answer is given back; of several callers who miss at
//! once one asks the upstream and the others wait ([`flight`]); the answer is kept on its way ([`fill`]).

mod config;
mod fill;
pub(crate) mod flight;
mod kept;
pub(crate) mod look;
mod place;
mod rule;
mod single;

use std::sync::Arc;

use bedplate_core::cache::{Cache, Fingerprint};
use bedplate_core::clock::Clock;

pub use config::{CacheConfig, CacheProblem, RuleConfig};
pub(crate) use fill::{Fill, Filling};
use flight::Flights;
pub(crate) use kept::Kept;
pub(crate) use rule::Rule;
pub use single::Single;

/// The cache of one configuration; store and flights outlive it.
#[derive(Clone)]
pub struct Caching {
    pub(crate) rules: Arc<[Rule]>,
    pub(crate) store: Arc<dyn Cache>,
    pub(crate) flights: Arc<Flights>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) in_force: InForce,
}

/// What of the configuration an answer depends on, beside the call: an answer that was made under another one is not
/// found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct InForce {
    /// Released prompts and their versions.
    pub prompt: Fingerprint,
    /// What screens requests and answers, and how strictly.
    pub guard: Fingerprint,
    pub policy: Fingerprint,
}

impl Caching {
    /// The same cache, for answers that depend on `in_force`.
    #[must_use]
    pub fn under(self, in_force: InForce) -> Self {
        Self { in_force, ..self }
    }
}
