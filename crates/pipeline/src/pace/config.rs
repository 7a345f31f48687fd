//! `[pace]`, and `quota` of `[[provider]]`.

use std::time::Duration;

use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[pace]`: how calls wait for room at a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PaceConfig {
    /// How long an interactive call waits at most; `0s` turns it away at once.
    pub interactive: Span,
    /// How long a batch call waits.
    pub batch: Span,
    /// How long a background call waits.
    pub background: Span,
    /// As many calls wait for one target as this; then background calls are turned away first.
    pub queue: usize,
    /// Percent of each quota that background calls leave free for better ones; batch calls leave half of it.
    pub keep: u8,
    /// Learn how many calls at a time the targets of aliases can bear.
    pub adaptive: bool,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self {
            interactive: Span::secs(10),
            batch: Span::secs(30),
            background: Span::secs(60),
            queue: 1_000,
            keep: 10,
            adaptive: true,
        }
    }
}

impl PaceConfig {
    /// Everything that is wrong, each with its member.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if self.keep > 90 {
            wrong.push(("keep", format!("`[pace] keep`: `{}` is not within 0 and 90 percent", self.keep)));
        }
        wrong
    }

    pub(super) fn waits(&self) -> [Duration; 3] {
        [self.interactive.0, self.batch.0, self.background.0]
    }
}

/// `quota = { from = "config", rpm = 500, tpm = 400000 }`: what AWS allows this account in this region, for each model.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    pub from: QuotaSource,
    /// Requests a minute of each model that has no limit of its own.
    #[serde(default)]
    pub rpm: Option<u64>,
    /// Tokens a minute of each model that has no limit of its own.
    #[serde(default)]
    pub tpm: Option<u64>,
    /// Calls at a time to each model that has no limit of its own.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Limits of single models and inference profiles.
    #[serde(default)]
    pub model: Vec<LimitConfig>,
    /// Learn from throttles and waiting calls what AWS really lets through: others may share the quota, and it may be
    /// more than is written here. `false` never goes beyond.
    #[serde(default = "yes")]
    pub learn: bool,
}

fn yes() -> bool {
    true
}

/// Where limits come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaSource {
    /// What is written here.
    Config,
    /// What AWS Service Quotas says of each model, asked for every hour. What is written here stands over it.
    ServiceQuotas,
}

/// `[[provider.quota.model]]`: limits of one model or inference profile. What is not said is that of all.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitConfig {
    /// Of the model or inference profile: `us.amazon.nova-lite-v1:0`.
    pub id: String,
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Tokens a minute.
    pub tpm: Option<u64>,
    /// Calls at a time.
    pub concurrency: Option<u32>,
    /// How many tokens of the quota one token of output uses; default: 5 of Claude 3.7 and later, 1 of all others.
    pub burndown: Option<u64>,
}

impl QuotaConfig {
    /// Everything that is wrong, each with its member.
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut wrong = Vec::new();
        let mut look = |place: &str, limit: &LimitConfig| {
            let numbers = [
                ("rpm", limit.rpm),
                ("tpm", limit.tpm),
                ("concurrency", limit.concurrency.map(u64::from)),
                ("burndown", limit.burndown),
            ];
            for (name, _) in numbers.into_iter().filter(|(_, n)| *n == Some(0)) {
                wrong.push((format!("{place}{name}"), format!("`{name}` is 0: nothing could be called")));
            }
        };
        look("", &self.all());
        for (n, limit) in self.model.iter().enumerate() {
            look(&format!("model.{n}."), limit);
        }
        for (n, limit) in self.model.iter().enumerate() {
            if limit.id.is_empty() {
                let said = "a limit needs the `id` of its model or inference profile";
                wrong.push((format!("model.{n}.id"), said.into()));
            } else if self.model.iter().take(n).any(|other| other.id == limit.id) {
                let said = format!("`model.id`: two limits are for `{}`", limit.id);
                wrong.push((format!("model.{n}.id"), said));
            }
        }
        let says =
            |limit: &LimitConfig| limit.rpm.is_some() || limit.tpm.is_some() || limit.concurrency.is_some();
        if self.from == QuotaSource::Config && !says(&self.all()) && !self.model.iter().any(says) {
            let said =
                "it limits nothing: set `rpm`, `tpm` or `concurrency`, here or in `[[provider.quota.model]]`";
            wrong.push(("from".into(), said.into()));
        }
        wrong
    }

    pub(super) fn of(&self, model: &str) -> LimitConfig {
        let all = self.all();
        let Some(own) = self.model.iter().find(|limit| limit.id == model) else { return all };
        LimitConfig {
            rpm: own.rpm.or(all.rpm),
            tpm: own.tpm.or(all.tpm),
            concurrency: own.concurrency.or(all.concurrency),
            ..own.clone()
        }
    }

    fn all(&self) -> LimitConfig {
        let (rpm, tpm, concurrency) = (self.rpm, self.tpm, self.concurrency);
        LimitConfig { rpm, tpm, concurrency, ..LimitConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_that_cannot_be_are_named_with_their_place() {
        let places = |toml: &str| {
            let config: QuotaConfig = toml::from_str(toml).unwrap();
            config.problems().into_iter().map(|(place, _)| place).collect::<Vec<_>>()
        };
        assert_eq!(places("from = 'config'"), ["from"]);
        assert_eq!(places("from = 'config'\n[[model]]\nid = 'x.y'\nburndown = 5"), ["from"]);
        assert_eq!(places("from = 'service-quotas'"), [""; 0]);
        assert_eq!(places("from = 'config'\nconcurrency = 1"), [""; 0]);
        let own = "[[model]]\nid = 'x.y'\nrpm = 1\n";
        assert_eq!(places(&format!("from = 'config'\n{own}")), [""; 0]);
        assert_eq!(places(&format!("from = 'config'\n{own}{own}")), ["model.1.id"]);
        assert_eq!(places("from = 'config'\nrpm = 0\n[[model]]\ntpm = 1"), ["rpm", "model.0.id"]);
    }
}
