//! What would be chosen now, and why.

use std::sync::Arc;

use bedplate_core::clock::{Tick, Timestamp};
use bedplate_core::route::{
    AliasStand, HedgeStand, LifeStand, RuleStand, RungStand, Standing, TargetStand, When,
};
use bedplate_cost::PriceBook;

use super::line::{Alias, Rung, Target};
use crate::invoke::hedges::{Hedge, Won};

/// When somebody looks, and what knows how long models live.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) tick: Tick,
    pub(crate) now: Timestamp,
    pub(crate) prices: &'a PriceBook,
}

impl Alias {
    pub(crate) fn stand(&self, look: Look<'_>) -> AliasStand {
        let rule = |(when, line): &(When, Arc<Alias>)| RuleStand {
            when: when.clone(),
            targets: line.target_stands(look),
        };
        let rung = |rung: &Rung| match rung {
            Rung::Target(target) => RungStand::Target {
                provider: Arc::clone(&target.provider.facts().name),
                model: Arc::clone(&target.model),
                breaker: target.breaker.standing(look.tick),
                exercised: target.exercises.last(),
                life: look.life(target),
            },
            Rung::Stale => RungStand::Stale,
            Rung::Answer(text) => RungStand::Answer(Arc::clone(text)),
        };
        AliasStand {
            name: Arc::clone(&self.name),
            attempts: self.attempts,
            targets: self.target_stands(look),
            rules: self.rules.iter().map(rule).collect(),
            fallback: self.fallback.iter().map(rung).collect(),
            hedge: self.hedge.as_ref().map(hedge),
            right_sizing: self.outputs.as_ref().map(|outputs| outputs.stand()),
        }
    }

    fn target_stands(&self, look: Look<'_>) -> Vec<TargetStand> {
        let standings: Vec<Standing> = self.targets.iter().map(|t| t.breaker.standing(look.tick)).collect();
        // one that returns or is probed gets part of its calls, and the others the rest
        let asked = |at: usize| standings.get(at).is_some_and(|standing| *standing == Standing::Closed);
        let weigh = |at: usize| self.targets.get(at).map_or(0, |t| u64::from(t.weight));
        let closed: Vec<usize> = (0..self.targets.len()).filter(|at| asked(*at)).collect();
        let sum: u64 = closed.iter().map(|at| weigh(*at)).sum();
        let share = |at: usize| match (closed.is_empty(), sum) {
            // somebody has to be asked
            (true, _) if self.fallback.is_empty() && self.heaviest(|_| true) == Some(at) => 100.0,
            (true, _) => 0.0,
            (false, 0) if closed.contains(&at) => percent(1, closed.len() as u64),
            (false, 0) => 0.0,
            (false, sum) if closed.contains(&at) => percent(weigh(at), sum),
            (false, _) => 0.0,
        };
        let target = |(at, target): (usize, &Target)| {
            let breaker = standings.get(at).copied().unwrap_or(Standing::Closed);
            let share = share(at);
            let why = why(breaker, target.weight, share, closed.len() == self.targets.len());
            TargetStand {
                provider: Arc::clone(&target.provider.facts().name),
                region: Arc::clone(&target.provider.facts().region),
                model: Arc::clone(&target.model),
                weight: target.weight,
                tier: target.tier.clone(),
                breaker,
                share,
                why,
                life: look.life(target),
            }
        };
        self.targets.iter().enumerate().map(target).collect()
    }
}

impl Look<'_> {
    fn life(self, target: &Target) -> Option<LifeStand> {
        let life = self.prices.life(&target.model, self.now)?;
        Some(LifeStand { legacy: life.legacy, days: life.days, replacement: target.replacement.clone() })
    }
}

fn hedge(hedge: &Hedge) -> HedgeStand {
    let went = |won| hedge.hedges.went(won);
    HedgeStand {
        after_ms: u64::try_from(hedge.after.as_millis()).unwrap_or(u64::MAX),
        most: hedge.most,
        may: hedge.may(),
        first: went(Won::First),
        second: went(Won::Second),
        neither: went(Won::Neither),
    }
}

fn why(breaker: Standing, weight: u32, share: f64, all: bool) -> String {
    match breaker {
        Standing::Open if share > 0.0 => "its breaker is open, and somebody has to be asked".into(),
        Standing::Open => "its breaker is open: it failed too often".into(),
        Standing::HalfOpen => "its breaker is half open: the next call tries it".into(),
        Standing::Returning => "its breaker closed lately: it gets a growing part of its calls".into(),
        Standing::Closed if weight == 0 && share == 0.0 => "weight 0: only when another fails".into(),
        Standing::Closed if weight == 0 => "weight 0, but no other may be asked".into(),
        Standing::Closed if all => format!("weight {weight}"),
        Standing::Closed => format!("weight {weight} among those that may be asked"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "weights are small, and people read it")]
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 * 1_000.0 / whole.max(1) as f64).round() / 10.0
}
