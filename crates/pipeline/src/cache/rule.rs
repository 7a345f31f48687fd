//! Whose answers are kept.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Canonical, Entry, Finish, Skip};
use bedplate_core::clock::Timestamp;
use bedplate_core::principal::Principal;

/// One `[[cache.rule]]`, compiled.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) models: Vec<Pattern>,
    pub(crate) teams: Vec<Pattern>,
    pub(crate) features: Vec<Pattern>,
    pub(crate) ttl: Duration,
    pub(crate) stale: Duration,
    pub(crate) largest: usize,
    pub(crate) tools: bool,
    pub(crate) sampled: bool,
}

/// A name, or the beginning of names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Pattern {
    Name(Arc<str>),
    Start(Arc<str>),
}

impl Pattern {
    /// `None` for what is empty, or has a `*` elsewhere than at its end.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (start, any) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        if start.contains('*') || text.is_empty() {
            return None;
        }
        Some(if any { Self::Start(start.into()) } else { Self::Name(start.into()) })
    }

    pub(crate) fn fits(&self, name: &str) -> bool {
        match self {
            Self::Name(this) => **this == *name,
            Self::Start(start) => name.starts_with(&**start),
        }
    }
}

impl Rule {
    pub(crate) fn concerns(&self, model: &str, who: &Principal) -> bool {
        let fits = |patterns: &[Pattern], name: &str| patterns.iter().any(|p| p.fits(name));
        fits(&self.models, model)
            && (self.teams.is_empty() || fits(&self.teams, &who.team))
            && (self.features.is_empty() || fits(&self.features, &who.feature))
    }

    /// Why answers to such a request are not kept, if they are not.
    pub(crate) fn skips(&self, request: &Canonical) -> Option<Skip> {
        match request {
            Canonical { guarded: true, .. } => Some(Skip::Guarded),
            Canonical { refers: true, .. } => Some(Skip::Refers),
            Canonical { tools: true, .. } if !self.tools => Some(Skip::Tools),
            Canonical { sampled: true, .. } if !self.sampled => Some(Skip::Sampled),
            _ => None,
        }
    }

    /// Whether an answer that ended so may be kept.
    pub(crate) fn keeps(&self, finish: Finish) -> bool {
        match finish {
            Finish::Complete => true,
            Finish::Tools => self.tools,
            Finish::Other => false,
        }
    }

    /// Whether an answer is as good as a new one, also by this rule when another one kept it.
    pub(crate) fn is_fresh(&self, entry: &Entry, now: Timestamp) -> bool {
        now < entry.fresh_until && now < entry.made_at.plus(self.ttl)
    }

    /// Whether an answer may stand in for an upstream that fails.
    pub(crate) fn is_of_use(&self, entry: &Entry, now: Timestamp) -> bool {
        self.stale > Duration::ZERO
            && now < entry.kept_until
            && now < entry.made_at.plus(self.ttl).plus(self.stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_matches_any_ending() {
        let fits = |pattern: &str, name: &str| Pattern::read(pattern).is_some_and(|p| p.fits(name));
        assert!(fits("us.amazon.*", "us.amazon.nova-lite-v1:0"));
        assert!(fits("*", "anything"));
        assert!(!fits("us.amazon", "us.amazon.nova-lite-v1:0"));
        assert!(Pattern::read("a*b").is_none() && Pattern::read("").is_none());
    }
}
