//! `[[model]]`.

use std::fmt;

use bedplate_core::route::is_bedrocks;
use bedplate_core::setting::Span;
use bedplate_core::view::Takes;
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::hedge::HedgeConfig;
use super::line::Tried;
use super::rule::{ModelRuleConfig, problems_of_rules};
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
    /// Other targets for some calls; the first rule that fits is the call's.
    #[serde(default)]
    pub rule: Vec<ModelRuleConfig>,
    /// Keeps the calls of a conversation on one target, where its prompt cache is. A conversation is what
    /// `x-bedplate-conversation` says, else what begins with the same system prompt and the same first turn.
    #[serde(default)]
    pub sticky: Option<Sticking>,
    /// How long a conversation stays, after its last call, on a target that it had to move to: `5m`, as long as most prompt
    /// caches are warm.
    #[serde(default)]
    pub sticky_for: Option<Span>,
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
    /// A second request to another target when the first is slow; none unless it is said.
    #[serde(default)]
    pub hedge: Option<HedgeConfig>,
    /// How long answers may be of which the caller does not say it.
    #[serde(default)]
    pub max_tokens: MaxTokens,
}

/// How long answers may be of which the caller does not say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MaxTokens {
    /// As long as the model's longest: its quota must have room for that.
    #[default]
    Model,
    /// Half as much again as 99 of 100 answers of this alias are, as far as was seen. A few answers may be cut.
    Measured,
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
    /// Between two events of a stream, or two pieces of a whole answer.
    pub idle: Option<Span>,
    /// All of the call, with all of its requests.
    pub total: Option<Span>,
}

/// `"use1/us.amazon.nova-lite-v1:0"`, or `{ target = "use1/…", weight = 3, tier = "flex" }`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetConfig {
    /// `PROVIDER/MODEL`: a model id, an inference profile or an ARN; of a server that is not Bedrock the name it has there,
    /// everything after the first `/`.
    pub target: String,
    /// How many of the calls it gets against the others; 0 none, as long as another works.
    pub weight: u32,
    /// The service tier to ask for where the caller asks for none: `flex`, `priority`, `reserved`.
    pub tier: Option<String>,
    /// What its model takes of a request, where the embedded list does not say or is wrong.
    pub takes: Takes,
    /// `PROVIDER/MODEL` that was tested in its place. It is named when the target's model nears its end, and not called.
    pub replacement: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticking {
    Conversation,
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

/// A provider that targets may name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Named<'a> {
    pub name: &'a str,
    /// Its models are named as Bedrock names them; else anyhow.
    pub bedrocks: bool,
}

/// A member of the section, `fallback.0`, and what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelProblem {
    pub member: String,
    pub said: String,
}

impl TargetConfig {
    /// `PROVIDER/MODEL` and nothing more.
    pub(super) fn of(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            weight: one(),
            tier: None,
            takes: Takes::default(),
            replacement: None,
        }
    }

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
    /// Everything that calls of the alias may go to, with where it stands in the section.
    pub fn everything(&self) -> Vec<(String, TargetConfig)> {
        let at = |place: String, targets: &[TargetConfig]| {
            let placed =
                targets.iter().enumerate().map(|(n, target)| (format!("{place}.{n}"), target.clone()));
            placed.collect::<Vec<_>>()
        };
        let mut all = at("targets".into(), &self.targets);
        for (n, rule) in self.rule.iter().enumerate() {
            all.extend(at(format!("rule.{n}.targets"), &rule.targets));
        }
        let rungs = self.fallback.iter().enumerate().filter_map(|(n, rung)| match rung {
            RungConfig::Target(target) => Some((format!("fallback.{n}"), target.clone())),
            RungConfig::Cache(_) | RungConfig::Answer(_) => None,
        });
        all.extend(rungs);
        all
    }

    /// What is wrong with it by itself; `providers` are those of `[[provider]]`, `base` is `[timeout]`.
    pub fn problems(&self, providers: &[Named<'_>], base: Timeouts) -> Vec<ModelProblem> {
        let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_');
        let mut wrong = Vec::new();
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(fits) {
            let said = format!("`{}` is no alias: write 1 to 64 of `a-z`, `0-9`, `-` and `_`", self.name);
            wrong.push(ModelProblem { member: "name".into(), said });
        }
        wrong.extend(problems_of_targets("targets", &self.targets, providers));
        wrong.extend(problems_of_rules(&self.rule, providers));
        let mut add = |member: String, said: String| wrong.push(ModelProblem { member, said });
        let mut last = None;
        for (n, rung) in self.fallback.iter().enumerate() {
            let place = format!("fallback.{n}");
            if let Some(last) = last {
                add(place.clone(), format!("nothing comes after `fallback.{last}`, which always answers"));
            }
            match rung {
                RungConfig::Target(target) => {
                    for wrong in problems_of_target(&place, target, providers) {
                        add(wrong.member, wrong.said);
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
        if let Some(hedge) = self.hedge {
            hedge.problems(self, base).into_iter().for_each(|(member, said)| add(member.into(), said));
        }
        match self.sticky_for {
            Some(_) if self.sticky.is_none() => {
                add("sticky_for".into(), "nothing is kept together: set `sticky`".into());
            }
            Some(span) if span < Span::secs(1) || span > Span::secs(86_400) => {
                add("sticky_for".into(), format!("`{span}` is not within 1s and 1d"));
            }
            _ => {}
        }
        let total = self.timeout.total.map_or(base.total, |span| span.0);
        for (name, span) in [
            ("connect", self.timeout.connect),
            ("first_token", self.timeout.first_token),
            ("idle", self.timeout.idle),
            ("total", self.timeout.total),
        ] {
            let Some(span) = span else { continue };
            if span.0.is_zero() {
                add(format!("timeout.{name}"), format!("`timeout.{name}`: `0s` leaves no call any time"));
            } else if span.0 > total && !total.is_zero() {
                let said = format!("`timeout.{name}`: `{span}` does not fit into `total`, {}", Span(total));
                add(format!("timeout.{name}"), said);
            }
        }
        for (place, target) in self.twice() {
            add(place, format!("`{target}` comes twice: what failed is not asked again by another name"));
        }
        wrong
    }
}

/// What is wrong with the targets that stand at `place`.
pub(super) fn problems_of_targets(
    place: &str,
    targets: &[TargetConfig],
    providers: &[Named<'_>],
) -> Vec<ModelProblem> {
    let mut wrong = Vec::new();
    let mut add = |member: String, said: String| wrong.push(ModelProblem { member, said });
    if targets.is_empty() {
        add(place.into(), "an alias needs a target".into());
    }
    if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
        add(place.into(), "every weight is 0: nothing would be called".into());
    }
    if targets.len() > Tried::MOST {
        add(place.into(), format!("an alias has at most {} targets", Tried::MOST));
    }
    for (n, target) in targets.iter().enumerate() {
        wrong.extend(problems_of_target(&format!("{place}.{n}"), target, providers));
    }
    wrong
}

fn problems_of_target(place: &str, target: &TargetConfig, providers: &[Named<'_>]) -> Vec<ModelProblem> {
    let mut wrong = Vec::new();
    let mut add = |member: String, said: Option<String>| {
        wrong.extend(said.map(|said| ModelProblem { member, said }));
    };
    add(place.into(), wrong_target(&target.target, providers));
    add(format!("{place}.tier"), wrong_tier(target));
    if let Some(other) = &target.replacement {
        let itself = (*other == target.target).then(|| "a target does not replace itself".to_owned());
        add(format!("{place}.replacement"), itself.or_else(|| wrong_target(other, providers)));
    }
    wrong
}

const TIERS: [&str; 4] = ["default", "flex", "priority", "reserved"];

fn wrong_tier(target: &TargetConfig) -> Option<String> {
    let unknown = target.tier.as_deref().is_some_and(|tier| !TIERS.contains(&tier));
    unknown.then(|| format!("there is no such service tier; there are {}", TIERS.join(", ")))
}

fn wrong_target(target: &str, providers: &[Named<'_>]) -> Option<String> {
    let Some((provider, model)) = parts(target) else {
        return Some(format!(
            "`{target}` is no target: write `PROVIDER/MODEL`, `use1/us.amazon.nova-lite-v1:0`"
        ));
    };
    let Some(provider) = providers.iter().find(|one| one.name == provider) else {
        let names: Vec<&str> = providers.iter().map(|one| one.name).collect();
        let (verb, names) = (if names.len() == 1 { "is" } else { "are" }, names.join(", "));
        return Some(format!("there is no `[[provider]]` `{provider}`; there {verb} {names}"));
    };
    // an alias of an alias could go round in circles
    (provider.bedrocks && !is_bedrocks(model))
        .then(|| format!("`{model}` is no model of Bedrock: an alias leads to models, not to aliases"))
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
    replacement: Option<String>,
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
        Ok(TargetConfig::of(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TargetConfig, A::Error> {
        let Table { target, weight, tier, takes, replacement } =
            Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(TargetConfig { target, weight, tier, takes, replacement })
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

    const PROVIDERS: [Named<'_>; 3] = [
        Named { name: "use1", bedrocks: true },
        Named { name: "usw2", bedrocks: true },
        Named { name: "local", bedrocks: false },
    ];

    fn base() -> Timeouts {
        crate::TimeoutConfig::default().build()
    }

    fn read(toml: &str) -> Result<ModelConfig, String> {
        toml::from_str(toml).map_err(|e| e.message().to_owned())
    }

    fn problems(toml: &str) -> Vec<(String, String)> {
        let found = read(toml).unwrap().problems(&PROVIDERS, base());
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
        assert_eq!(config.targets[0], TargetConfig::of("use1/us.amazon.nova-lite-v1:0"));
        assert_eq!((config.targets[1].weight, config.targets[1].tier.as_deref()), (3, Some("flex")));
        assert_eq!(config.fallback[1], RungConfig::Cache(Stale::Stale));
        assert_eq!(config.timeout.first_token, Some(Span::secs(8)));
        assert_eq!(config.problems(&PROVIDERS, base()), []);
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
        assert!(one("name = 'a'\ntargets = ['eu/x.y']").1.contains("there are use1, usw2, local"));
        for model in ["llama3.2:1b", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M", "phi"] {
            assert_eq!(problems(&format!("name = 'a'\ntargets = ['local/{model}']")), []);
            assert_eq!(TargetConfig::of(&format!("local/{model}")).parts(), Some(("local", model)));
        }
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
        assert_eq!(one("name = 'a'\nsticky_for = '1m'\ntargets = ['use1/x.y']").0, "sticky_for");
        let long = "name = 'a'\nsticky = 'conversation'\nsticky_for = '2d'\ntargets = ['use1/x.y']";
        assert!(one(long).1.contains("not within"));
        let same = "name = 'a'\ntargets = [{ target = 'use1/x.y', replacement = 'use1/x.y' }]";
        assert_eq!(one(same).0, "targets.0.replacement");
        assert_eq!(one("name = 'a'\nattempts = 0\ntargets = ['use1/x.y']").0, "attempts");
        let (place, said) = one("name = 'a'\ntimeout = { total = '0s' }\ntargets = ['use1/x.y']");
        assert!(place == "timeout.total" && said.contains("`timeout.total`"), "{said}");
        assert_eq!(one("name = 'a'\ntimeout = { idle = '0s' }\ntargets = ['use1/x.y']").0, "timeout.idle");
    }
}
