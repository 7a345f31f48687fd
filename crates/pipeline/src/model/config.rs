//! `[[model]]`.

use std::fmt;

use bedplate_core::setting::Span;
use bedplate_core::view::Takes;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::line::Tried;
use crate::invoke::deadline::Timeouts;

/// An alias: a name that applications use, and what is called for it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// 1 to 64 of `a-z`, `0-9`, `-` and `_`: no name of Bedrock's looks so.
    pub name: String,
    /// What is called: `"PROVIDER/MODEL"`, one model in several regions, accounts or tiers; by weight, and each instead of
    /// another that fails.
    pub targets: Vec<TargetConfig>,
    /// What comes when all of them fail, in order.
    #[serde(default)]
    pub fallback: Vec<RungConfig>,
    /// Deadlines of its own; what is not said is that of `[timeout]`.
    #[serde(default)]
    pub timeout: AliasTimeouts,
    /// Requests to upstreams at most, for one call. One of them is left for each lighter model of `fallback`.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// Percent of calls that are sent to a lighter model of `fallback`, too, once the caller has its answer: so that
    /// it is known to work. Only small requests; recorded and paid for as the team's feature `bedplate:exercise`. 0 is
    /// none; 0.1 is one in a thousand.
    #[serde(default)]
    pub exercise: f64,
}

fn attempts() -> u32 {
    3
}

/// `timeout = { first_token = "8s" }`
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AliasTimeouts {
    /// Until a connection stands, TLS included; for each request.
    pub connect: Option<Span>,
    /// Until the first event of a stream; for each request.
    pub first_token: Option<Span>,
    /// Between two events of a stream.
    pub idle: Option<Span>,
    /// All of the call, with all of its requests.
    pub total: Option<Span>,
}

/// `"use1/us.amazon.nova-lite-v1:0"`, or `{ target = "use1/…", weight = 3, tier = "flex" }`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetConfig {
    /// `PROVIDER/MODEL`: a model id, an inference profile or an ARN.
    pub target: String,
    /// How many of the calls it gets against the others; 0 none, as long as another works.
    pub weight: u32,
    /// The service tier to ask for where the caller asks for none: `flex`, `priority`, `reserved`.
    pub tier: Option<String>,
    /// What its model takes of a request, where the embedded list does not say or is wrong.
    pub takes: Takes,
}

/// What comes instead.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RungConfig {
    /// Another model, usually a lighter one: `PROVIDER/MODEL`, or as a table.
    Target(TargetConfig),
    /// An earlier answer to the same question.
    Cache(Stale),
    /// This text.
    Answer(String),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stale {
    /// Also one beyond its time.
    Stale,
}

/// A member of the section, `fallback.0`, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelProblem {
    pub member: String,
    pub said: String,
}

impl TargetConfig {
    /// Provider and model.
    pub fn parts(&self) -> Option<(&str, &str)> {
        parts(&self.target)
    }
}

/// Provider and model of `PROVIDER/MODEL`.
pub(super) fn parts(target: &str) -> Option<(&str, &str)> {
    target.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
}

impl ModelConfig {
    /// What is wrong with it by itself; `providers` are the names that `[[provider]]` has, `base` is
    /// `[timeout]`.
    pub fn problems(&self, providers: &[&str], base: Timeouts) -> Vec<ModelProblem> {
        let mut wrong = Vec::new();
        let mut add = |member: String, said: String| wrong.push(ModelProblem { member, said });
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(fits) {
            let said = format!("`{}` is no alias: write 1 to 64 of `a-z`, `0-9`, `-` and `_`", self.name);
            add("name".into(), said);
        }
        if self.targets.is_empty() {
            add("targets".into(), "an alias needs a target".into());
        }
        if !self.targets.is_empty() && self.targets.iter().all(|target| target.weight == 0) {
            add("targets".into(), "every weight is 0: nothing would be called".into());
        }
        if self.targets.len() > Tried::MOST {
            add("targets".into(), format!("an alias has at most {} targets", Tried::MOST));
        }
        for (n, target) in self.targets.iter().enumerate() {
            if let Some(said) = wrong_target(&target.target, providers) {
                add(format!("targets.{n}"), said);
            }
            if let Some(said) = wrong_tier(target) {
                add(format!("targets.{n}.tier"), said);
            }
        }
        let mut last = None;
        for (n, rung) in self.fallback.iter().enumerate() {
            let place = format!("fallback.{n}");
            if let Some(last) = last {
                add(place.clone(), format!("nothing comes after `fallback.{last}`, which always answers"));
            }
            match rung {
                RungConfig::Target(target) => {
                    if let Some(said) = wrong_target(&target.target, providers) {
                        add(place.clone(), said);
                    }
                    if let Some(said) = wrong_tier(target) {
                        add(format!("{place}.tier"), said);
                    }
                }
                RungConfig::Answer(text) if text.trim().is_empty() => {
                    add(place, "an answer needs a text".into());
                }
                RungConfig::Answer(_) => last = Some(n),
                RungConfig::Cache(Stale::Stale) => {}
            }
        }
        if self.attempts == 0 || self.attempts > 20 {
            add("attempts".into(), format!("`{}` is not within 1 and 20", self.attempts));
        }
        let lighter = self.fallback.iter().filter(|rung| matches!(rung, RungConfig::Target(_))).count();
        if lighter > 0 && self.attempts as usize <= lighter {
            let said = format!(
                "`{}` leaves no request for the targets: `fallback` has {lighter} of its own",
                self.attempts
            );
            add("attempts".into(), said);
        }
        if !(0.0..=100.0).contains(&self.exercise) {
            add("exercise".into(), format!("`{}` is not within 0 and 100 percent", self.exercise));
        }
        if self.exercise > 0.0 && lighter == 0 {
            add("exercise".into(), "`fallback` has no lighter model that could be asked".into());
        }
        let total = self.timeout.total.map_or(base.total, |span| span.0);
        for (name, span) in [
            ("connect", self.timeout.connect),
            ("first_token", self.timeout.first_token),
            ("idle", self.timeout.idle),
        ] {
            if let Some(span) = span.filter(|span| span.0 > total) {
                add(
                    format!("timeout.{name}"),
                    format!("`{span}` does not fit into `total`, {}", Span(total)),
                );
            }
        }
        wrong
    }
}

const TIERS: [&str; 4] = ["default", "flex", "priority", "reserved"];

fn wrong_tier(target: &TargetConfig) -> Option<String> {
    let unknown = target.tier.as_deref().is_some_and(|tier| !TIERS.contains(&tier));
    unknown.then(|| format!("there is no such service tier; there are {}", TIERS.join(", ")))
}

fn wrong_target(target: &str, providers: &[&str]) -> Option<String> {
    let Some((provider, model)) = parts(target) else {
        return Some(format!(
            "`{target}` is no target: write `PROVIDER/MODEL`, `use1/us.amazon.nova-lite-v1:0`"
        ));
    };
    if !providers.contains(&provider) {
        return Some(format!("there is no `[[provider]]` `{provider}`; there are {}", providers.join(", ")));
    }
    // an alias of an alias could go round in circles
    let named = model.starts_with("arn:") || model.contains('.');
    (!named).then(|| format!("`{model}` is no model of Bedrock: an alias leads to models, not to aliases"))
}

impl<'de> Deserialize<'de> for TargetConfig {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(TextOrTable)
    }
}

/// Both ways to write a target, with errors that name what is wrong in the one that was meant.
struct TextOrTable;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Target")]
struct Table {
    target: String,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default)]
    tier: Option<String>,
    #[serde(default)]
    takes: Takes,
}

fn one() -> u32 {
    1
}

impl<'de> Visitor<'de> for TextOrTable {
    type Value = TargetConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`\"PROVIDER/MODEL\"` or `{ target = \"PROVIDER/MODEL\", weight = 1 }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TargetConfig, E> {
        let (target, takes) = (text.to_owned(), Takes::default());
        Ok(TargetConfig { target, weight: one(), tier: None, takes })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TargetConfig, A::Error> {
        let Table { target, weight, tier, takes } = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(TargetConfig { target, weight, tier, takes })
    }
}

impl JsonSchema for TargetConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TargetConfig".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let table = Table::json_schema(generator);
        schemars::json_schema!({ "oneOf": [{ "type": "string", "examples": ["use1/us.amazon.nova-lite-v1:0"] }, table] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Timeouts {
        crate::TimeoutConfig::default().build()
    }

    fn read(toml: &str) -> Result<ModelConfig, String> {
        toml::from_str(toml).map_err(|e| e.message().to_owned())
    }

    fn problems(toml: &str) -> Vec<(String, String)> {
        let found = read(toml).unwrap().problems(&["use1", "usw2"], base());
        found.into_iter().map(|p| (p.member, p.said)).collect()
    }

    #[test]
    fn targets_are_texts_or_tables() {
        let config = read(
            "name = 'triage'\n\
             targets = ['use1/us.amazon.nova-lite-v1:0', { target = 'usw2/us.amazon.nova-lite-v1:0', weight = 3, tier = 'flex' }]\n\
             fallback = [{ target = 'use1/us.amazon.nova-micro-v1:0' }, { cache = 'stale' }, { answer = 'We are busy.' }]\n\
             timeout = { connect = '2s', first_token = '8s' }",
        )
        .unwrap();
        assert_eq!(
            config.targets[0],
            TargetConfig {
                target: "use1/us.amazon.nova-lite-v1:0".into(),
                weight: 1,
                tier: None,
                takes: Takes::default()
            }
        );
        assert_eq!((config.targets[1].weight, config.targets[1].tier.as_deref()), (3, Some("flex")));
        assert_eq!(config.fallback[1], RungConfig::Cache(Stale::Stale));
        assert_eq!(config.timeout.first_token, Some(Span::secs(8)));
        assert_eq!(config.problems(&["use1", "usw2"], base()), []);
        let wrong = |target: &str| read(&format!("name = 'a'\ntargets = [{target}]")).unwrap_err();
        assert!(wrong("7").contains("PROVIDER/MODEL"), "{}", wrong("7"));
        assert!(wrong("{ target = 'a/b', wait = 3 }").contains("unknown field `wait`"));
    }

    #[test]
    fn what_cannot_be_is_named_with_its_place() {
        let one = |toml: &str| problems(toml).remove(0);
        assert_eq!(one("name = 'a.b'\ntargets = ['use1/x.y']").0, "name");
        assert_eq!(one("name = 'a'\ntargets = []").0, "targets");
        assert_eq!(one("name = 'a'\ntargets = [{ target = 'use1/x.y', weight = 0 }]").0, "targets");
        assert!(one("name = 'a'\ntargets = ['x.y']").1.contains("is no target"));
        assert!(one("name = 'a'\ntargets = ['eu/x.y']").1.contains("there are use1, usw2"));
        let (place, said) = one("name = 'a'\ntargets = ['use1/x.y', 'use1/b']");
        assert!(place == "targets.1" && said.contains("not to aliases"), "{said}");
        let (place, said) =
            one("name = 'a'\ntargets = ['use1/x.y']\nfallback = [{ answer = 'x' }, { cache = 'stale' }]");
        assert!(place == "fallback.1" && said.contains("nothing comes after"), "{said}");
        assert_eq!(one("name = 'a'\ntargets = ['use1/x.y']\nfallback = [{ answer = ' ' }]").0, "fallback.0");
        assert_eq!(
            one("name = 'a'\ntimeout = { total = '2s', idle = '3s' }\ntargets = ['use1/x.y']").0,
            "timeout.idle"
        );
        let lighter =
            "name = 'a'\nattempts = 1\ntargets = ['use1/x.y']\nfallback = [{ target = 'use1/x.z' }]";
        assert_eq!(one(lighter).0, "attempts");
        assert_eq!(one("name = 'a'\nattempts = 0\ntargets = ['use1/x.y']").0, "attempts");
    }
}
