//! `[cache]`.

use std::sync::Arc;

use bedplate_core::clock::Clock;
use bedplate_core::setting::{Size, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::{Pattern, Rule};
use super::{Caching, InForce, Single};

/// Answers that are kept, so that equal questions are paid once. Nothing is, unless a rule says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// How many bytes of answers may be kept in memory, by each process; at least 16 times `largest` of any rule.
    pub memory: Size,
    /// How many answers may be kept in memory.
    pub entries: u64,
    /// How long Redis may take to answer; then the call goes on as if nothing had been found.
    pub deadline: Span,
    /// Whose answers are kept. The first rule that names the call's model, team and feature counts.
    pub rule: Vec<RuleConfig>,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { memory: Size(64 << 20), entries: 100_000, deadline: Span::millis(50), rule: Vec::new() }
    }
}

/// Whose answers are kept, and how long.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Model names as callers use them; `*` at the end matches any ending.
    pub models: Vec<String>,
    /// Teams; none means all.
    #[serde(default)]
    pub teams: Vec<String>,
    /// Features; none means all.
    #[serde(default)]
    pub features: Vec<String>,
    /// How long an answer is as good as a new one: 1s to 30d.
    #[serde(default = "ttl")]
    pub ttl: Span,
    /// The largest answer that is kept.
    #[serde(default = "largest")]
    pub largest: Size,
    /// Keep answers of calls that offer tools to the model, tool calls among them.
    #[serde(default)]
    pub tools: bool,
    /// Keep answers of calls whose temperature is above 0, or left to the model: all get the one answer that was drawn
    /// first.
    #[serde(default)]
    pub sampled: bool,
    /// How long beyond `ttl` an answer may stand in when the upstream fails or throttles: up to 30d; `0s` never.
    #[serde(default = "never")]
    pub stale_if_error: Span,
}

fn ttl() -> Span {
    Span::secs(600)
}

fn largest() -> Size {
    Size(256 << 10)
}

fn never() -> Span {
    Span::millis(0)
}

/// A key of the section, `rule.0.ttl`, and what is wrong with it.
pub type CacheProblem = (String, String);

const LONGEST: Span = Span::secs(30 * 86_400);

impl CacheConfig {
    /// Whether any answer may be kept.
    pub fn is_on(&self) -> bool {
        !self.rule.is_empty()
    }

    /// Whether answers of a model, as callers name it, may stand in beyond their time.
    pub fn keeps_stale(&self, model: &str) -> bool {
        let names =
            |rule: &&RuleConfig| rule.models.iter().any(|m| Pattern::read(m).is_some_and(|m| m.fits(model)));
        self.rule.iter().filter(names).any(|rule| rule.stale_if_error > never())
    }

    /// Compiles the rules over a cache that outlives them.
    pub fn build(&self, single: &Single, clock: &Arc<dyn Clock>) -> Caching {
        Caching {
            rules: self.rule.iter().map(RuleConfig::build).collect(),
            store: single.store(),
            flights: single.flights(),
            clock: Arc::clone(clock),
            in_force: InForce::default(),
        }
    }

    /// Everything that is wrong, each with its key.
    pub fn problems(&self) -> Vec<CacheProblem> {
        let mut found = Vec::new();
        let mut add = |key: String, said: String| found.push((key, said));
        if self.entries == 0 {
            add("entries".into(), "`[cache] entries` must be at least 1".into());
        }
        if !(Span::millis(1)..=Span::secs(5)).contains(&self.deadline) {
            add(
                "deadline".into(),
                format!("`[cache] deadline` must be from 1ms to 5s, not `{}`", self.deadline),
            );
        }
        for (n, rule) in self.rule.iter().enumerate() {
            let key = |key: &str| format!("rule.{n}.{key}");
            if rule.models.is_empty() {
                add(key("models"), "`[[cache.rule]]` needs a model: `models = [\"*\"]` names all".into());
            }
            for (of, names) in
                [("models", &rule.models), ("teams", &rule.teams), ("features", &rule.features)]
            {
                for name in names.iter().filter(|name| Pattern::read(name).is_none()) {
                    add(
                        key(of),
                        format!("`[[cache.rule]] {of}`: `{name}` is no name; `*` may stand at its end"),
                    );
                }
            }
            if !(Span::secs(1)..=LONGEST).contains(&rule.ttl) {
                add(key("ttl"), format!("`[[cache.rule]] ttl` must be from 1s to 30d, not `{}`", rule.ttl));
            }
            if rule.stale_if_error > LONGEST {
                let said = format!(
                    "`[[cache.rule]] stale_if_error` must be at most 30d, not `{}`",
                    rule.stale_if_error
                );
                add(key("stale_if_error"), said);
            }
            if rule.largest.0 == 0 || rule.largest.0 > self.memory.0 / 16 {
                let said = format!(
                    "`[[cache.rule]] largest` must be from 1B to a sixteenth of `[cache] memory`, {} bytes, not `{}`",
                    self.memory.0 / 16,
                    rule.largest
                );
                add(key("largest"), said);
            }
        }
        found
    }
}

impl RuleConfig {
    fn build(&self) -> Rule {
        let patterns = |names: &[String]| names.iter().filter_map(|name| Pattern::read(name)).collect();
        Rule {
            models: patterns(&self.models),
            teams: patterns(&self.teams),
            features: patterns(&self.features),
            ttl: self.ttl.0,
            stale: self.stale_if_error.0,
            largest: usize::try_from(self.largest.0).unwrap_or(usize::MAX),
            tools: self.tools,
            sampled: self.sampled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> CacheConfig {
        toml::from_str(text).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn nothing_said_keeps_nothing() {
        let config = read("");
        assert!(!config.is_on() && config.problems().is_empty());
        assert_eq!(config, CacheConfig::default());
    }

    #[test]
    fn every_problem_is_said_with_its_key() {
        let text = "memory = \"1MiB\"\nentries = 0\ndeadline = \"0ms\"\n[[rule]]\nmodels = []\nttl = \"0s\"\n\
                    [[rule]]\nmodels = [\"a*b\", \"*\"]\nlargest = \"128KiB\"\nstale_if_error = \"31d\"\n";
        let keys: Vec<String> = read(text).problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "entries",
                "deadline",
                "rule.0.models",
                "rule.0.ttl",
                "rule.0.largest",
                "rule.1.models",
                "rule.1.stale_if_error",
                "rule.1.largest"
            ]
        );
    }
}
