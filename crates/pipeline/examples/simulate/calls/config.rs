//! What is configured in a run, and how a reload changes it.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::setting::Span;
use bedplate_pipeline::{BreakerConfig, ModelConfig, PaceConfig, QuotaConfig, QuotaSource, Timeouts};

use crate::dice::Dice;

/// The last is a lighter one; the one before is of another family.
pub(super) const MODELS: [&str; 4] = [
    "us.amazon.nova-lite-v1:0",
    "us.amazon.nova-pro-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.amazon.nova-micro-v1:0",
];
pub(super) const FOREIGN: usize = 2;
const LIGHTER: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Config {
    /// What is said of the quota of each.
    pub upstreams: Vec<Option<Limits>>,
    pub aliases: Vec<Alias>,
    pub pace: PaceConfig,
    pub breaker: BreakerConfig,
    pub timeouts: Timeouts,
    /// Requests for one call that names no alias.
    pub retries: u32,
    pub drain: Duration,
    pub budgets: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Limits {
    pub rpm: Option<u64>,
    pub tpm: Option<u64>,
    pub slots: Option<u32>,
    pub burndown: u64,
    pub learn: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Alias {
    /// Upstream, model, weight.
    pub targets: Vec<(usize, usize, u32)>,
    pub lighter: Option<usize>,
    pub answer: bool,
    pub attempts: u32,
}

pub(super) fn upstream(at: usize) -> String {
    format!("p{at}")
}

pub(super) fn alias(at: usize) -> String {
    format!("alias-{at}")
}

impl Config {
    pub(super) fn new(dice: &Dice) -> Self {
        let upstreams: Vec<_> = (0..dice.within(1..4)).map(|_| Limits::new(dice)).collect();
        let aliases = (0..dice.within(1..3)).map(|_| Alias::new(dice, upstreams.len())).collect();
        let waits = *dice.pick(&[(2, 4, 8), (5, 10, 20), (10, 10, 10)]);
        let pace = PaceConfig {
            interactive: Span::secs(waits.0),
            batch: Span::secs(waits.1),
            background: Span::secs(waits.2),
            queue: if dice.percent(20) { dice.within(0..4) as usize } else { 1_000 },
            keep: *dice.pick(&[0, 10, 40]),
            adaptive: dice.percent(40),
        };
        let breaker = BreakerConfig {
            failures: *dice.pick(&[0, 2, 5]),
            open: Span::secs(1),
            longest: Span::secs(4),
            returning: Span::secs(2),
            ..BreakerConfig::default()
        };
        let timeouts = Timeouts {
            connect: Duration::from_secs(1),
            first_token: Duration::from_secs(3),
            idle: Duration::from_secs(4),
            total: Duration::from_secs(*dice.pick(&[6, 20])),
        };
        let drain = Duration::from_secs(*dice.pick(&[0, 1, 10]));
        let (retries, budgets) = (dice.within(1..4) as u32, dice.percent(15));
        Self { upstreams, aliases, pace, breaker, timeouts, retries, drain, budgets }
    }

    /// Another, as a reload may bring it.
    pub(super) fn changed(&self, dice: &Dice) -> Self {
        let mut new = self.clone();
        for limits in &mut new.upstreams {
            if let Some(limits) = limits.as_mut().filter(|_| dice.percent(70)) {
                limits.change(dice);
            }
            if dice.percent(10) {
                *limits = match limits {
                    Some(_) => None,
                    None => Limits::new(dice),
                };
            }
        }
        for alias in &mut new.aliases {
            if alias.targets.len() > 1 && dice.percent(30) {
                alias.targets.remove(dice.within(1..alias.targets.len() as u64) as usize);
                alias.weigh();
            }
            if dice.percent(20) {
                alias.attempts = dice.within(1..5) as u32;
            }
        }
        if dice.percent(30) {
            new.pace.adaptive = !new.pace.adaptive;
        }
        if dice.percent(20) {
            new.pace.keep = *dice.pick(&[0, 10, 40]);
        }
        new
    }

    pub(super) fn quota(&self, at: usize) -> Option<Arc<QuotaConfig>> {
        let limits = self.upstreams[at]?;
        let model = |id: &&str| bedplate_pipeline::LimitConfig {
            id: (*id).into(),
            burndown: Some(limits.burndown),
            ..Default::default()
        };
        Some(Arc::new(QuotaConfig {
            from: QuotaSource::Config,
            rpm: limits.rpm,
            tpm: limits.tpm,
            concurrency: limits.slots,
            learn: limits.learn,
            model: MODELS.iter().map(model).collect(),
        }))
    }

    pub(super) fn models(&self) -> Vec<ModelConfig> {
        self.aliases.iter().enumerate().map(|(at, one)| one.config(&alias(at))).collect()
    }

    /// Targets of a name that are asked by turns, as upstream and model; the first upstream of a bare model.
    pub(super) fn targets(&self, name: super::plan::Name) -> Vec<(usize, usize)> {
        match name {
            super::plan::Name::Bare(model) => vec![(0, model)],
            super::plan::Name::Alias(at) => {
                self.aliases[at].targets.iter().map(|(upstream, model, _)| (*upstream, *model)).collect()
            }
        }
    }

    /// Targets of a name where its calls wait: none without weight.
    pub(super) fn waits_at(&self, name: super::plan::Name) -> Vec<(usize, usize)> {
        match name {
            super::plan::Name::Bare(_) => self.targets(name),
            super::plan::Name::Alias(at) => {
                let weighty = self.aliases[at].targets.iter().filter(|(.., weight)| *weight > 0);
                weighty.map(|(upstream, model, _)| (*upstream, *model)).collect()
            }
        }
    }

    /// Whether such a request waits for room at all.
    pub(super) fn paces(&self, upstream: usize, listed: bool) -> bool {
        self.upstreams[upstream].is_some() || (listed && self.pace.adaptive)
    }
}

impl Limits {
    fn new(dice: &Dice) -> Option<Self> {
        if dice.percent(20) {
            return None;
        }
        let mut limits = Self {
            rpm: dice.percent(25).then(|| *dice.pick(&[5, 20, 100])),
            tpm: dice.percent(50).then(|| *dice.pick(&[2_000, 6_000, 30_000])),
            slots: dice.percent(50).then(|| *dice.pick(&[1, 2, 4])),
            burndown: *dice.pick(&[1, 5]),
            learn: dice.percent(30),
        };
        if limits.rpm.is_none() && limits.tpm.is_none() {
            limits.slots.get_or_insert(2);
        }
        Some(limits)
    }

    fn change(&mut self, dice: &Dice) {
        let up = dice.percent(50);
        let other = |n: u64| if up { n * 2 } else { (n / 2).max(1) };
        self.rpm = self.rpm.map(other);
        self.tpm = self.tpm.map(other);
        self.slots = self.slots.map(|n| if up { n + 1 } else { (n - 1).max(1) });
    }
}

impl Alias {
    fn new(dice: &Dice, upstreams: usize) -> Self {
        let upstream = || dice.within(0..upstreams as u64) as usize;
        let mut targets: Vec<(usize, usize, u32)> = Vec::new();
        for n in 0..dice.within(1..4) {
            // the body is written for the first
            let model = if n == 0 { dice.within(0..2) } else { dice.within(0..3) } as usize;
            let target = (upstream(), model, *dice.pick(&[1, 1, 3, 0]));
            if !targets.iter().any(|(u, m, _)| (*u, *m) == (target.0, target.1)) {
                targets.push(target);
            }
        }
        let (lighter, answer) = (dice.percent(30).then(upstream), dice.percent(20));
        let mut alias = Self { targets, lighter, answer, attempts: dice.within(1..5) as u32 };
        alias.weigh();
        alias
    }

    fn weigh(&mut self) {
        if self.targets.iter().all(|(.., weight)| *weight == 0) {
            self.targets[0].2 = 1;
        }
    }

    fn config(&self, name: &str) -> ModelConfig {
        let target = |at: usize, model: usize, weight: u32| {
            format!("{{ target = '{}/{}', weight = {weight} }}", upstream(at), MODELS[model])
        };
        let targets: Vec<_> =
            self.targets.iter().map(|(at, model, weight)| target(*at, *model, *weight)).collect();
        let lighter = self.lighter.map(|at| format!("{{ target = {} }}", target(at, LIGHTER, 1)));
        let answer = self.answer.then(|| "{ answer = 'We are busy.' }".to_owned());
        let fallback: Vec<_> = lighter.into_iter().chain(answer).collect();
        let (targets, fallback, attempts) = (targets.join(", "), fallback.join(", "), self.attempts);
        let said = format!(
            "name = '{name}'\nattempts = {attempts}\ntargets = [{targets}]\nfallback = [{fallback}]\n"
        );
        toml::from_str(&said).unwrap()
    }
}
