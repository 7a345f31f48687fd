//! From configuration to aliases.

use std::sync::Arc;

use bedplate_core::setting::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{MaxTokens, ModelConfig, RungConfig, Stale, Sticking, TargetConfig};
use super::health::Health;
use super::line::{Alias, Rung, Target};
use super::sticky::{Sticky, seed};
use crate::invoke::breaker::BreakerConfig;
use crate::invoke::deadline::Timeouts;
use crate::invoke::hedges::Hedge;
use crate::pace::{Lanes, Pace};
use crate::provider::{Provider, ProviderFacts};

/// `[retry]`: calls that name a model of Bedrock and no alias.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Requests to the upstream at most, for one call that names no alias; an alias says its own. SDKs ask again by
    /// themselves, so that 1 is what they expect of Bedrock.
    pub attempts: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 1 }
    }
}

impl RetryConfig {
    /// What is wrong with it, if anything.
    pub fn problem(&self) -> Option<String> {
        let good = (1..=20).contains(&self.attempts);
        (!good).then(|| format!("`[retry] attempts`: `{}` is not within 1 and 20", self.attempts))
    }
}

/// How long the prompt cache of most models is warm.
const WARM: Span = Span::secs(300);

/// What aliases are made of, beside their sections.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    pub providers: &'a [Arc<dyn Provider>],
    /// `[timeout]`.
    pub timeouts: Timeouts,
    pub breaker: BreakerConfig,
    pub health: &'a Health,
    pub pace: &'a Arc<Pace>,
    /// Whether it is learned how many calls at a time targets can bear.
    pub adaptive: bool,
}

impl Means<'_> {
    /// The lanes of a provider.
    pub(crate) fn lanes(&self, facts: &ProviderFacts) -> Arc<Lanes> {
        Arc::new(Lanes::new(self.pace, facts, self.adaptive))
    }
}

/// The number that as many of all chances do not exceed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
fn chance(percent: f64) -> u32 {
    (percent / 100.0 * f64::from(u32::MAX)).round() as u32
}

impl ModelConfig {
    /// # Errors
    /// Names the target that cannot be.
    pub(crate) fn build(&self, means: Means<'_>) -> Result<Alias, String> {
        let target = |config: &TargetConfig| self.target(config, means);
        let rung = |rung: &RungConfig| match rung {
            RungConfig::Target(config) => Ok(Rung::Target(target(config)?)),
            RungConfig::Cache(Stale::Stale) => Ok(Rung::Stale),
            RungConfig::Answer(text) => Ok(Rung::Answer(text.as_str().into())),
        };
        let (own, base) = (&self.timeout, means.timeouts);
        let name: Arc<str> = self.name.as_str().into();
        let with = |targets: &[TargetConfig]| -> Result<Alias, String> {
            Ok(Alias {
                targets: targets.iter().map(target).collect::<Result<_, String>>()?,
                fallback: self.fallback.iter().map(rung).collect::<Result<_, String>>()?,
                timeouts: Timeouts {
                    connect: own.connect.map_or(base.connect, |span| span.0),
                    first_token: own.first_token.map_or(base.first_token, |span| span.0),
                    idle: own.idle.map_or(base.idle, |span| span.0),
                    total: own.total.map_or(base.total, |span| span.0),
                },
                attempts: self.attempts,
                exercise: chance(self.exercise),
                retries: means.health.retries(&name),
                outputs: (self.max_tokens == MaxTokens::Measured).then(|| means.health.outputs(&name)),
                hedge: self.hedge.map(|hedge| Hedge {
                    after: hedge.after.0,
                    most: hedge.most.0,
                    hedges: means.health.hedges(&name),
                }),
                name: Arc::clone(&name),
                sticky: self.sticky.map(|Sticking::Conversation| Sticky {
                    warm: means.health.warm(&name),
                    lasts: self.sticky_for.unwrap_or(WARM).0,
                }),
                rules: Vec::new(),
            })
        };
        let rules = self.rule.iter().map(|rule| Ok((rule.when.clone(), Arc::new(with(&rule.targets)?))));
        Ok(Alias { rules: rules.collect::<Result<_, String>>()?, ..with(&self.targets)? })
    }

    fn target(&self, config: &TargetConfig, means: Means<'_>) -> Result<Target, String> {
        let unknown = || format!("`[[model]]` `{}`: there is no target `{}`", self.name, config.target);
        let (provider, model) = config.parts().ok_or_else(unknown)?;
        let provider = means.providers.iter().find(|p| *p.facts().name == *provider).ok_or_else(unknown)?;
        let model: Arc<str> = model.into();
        // what everybody gets need not be asked for
        let tier = config.tier.as_deref().filter(|tier| *tier != "default");
        Ok(Target {
            seed: seed(&provider.facts().name, &model, tier),
            breaker: means.health.breaker(&provider.facts().name, &model, means.breaker),
            exercises: means.health.exercises(&provider.facts().name, &model),
            lanes: means.lanes(provider.facts()),
            provider: Arc::clone(provider),
            model,
            weight: config.weight,
            takes: config.takes,
            tier: tier.map(Arc::from),
            replacement: config.replacement.as_deref().map(Arc::from),
        })
    }
}
