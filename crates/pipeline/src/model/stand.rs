//! What would be chosen now, and why.

use std::sync::Arc;

use bedplate_core::clock::Tick;
use bedplate_core::route::{AliasStand, RuleStand, RungStand, Standing, TargetStand, When};

use super::line::{Alias, Rung, Target};

impl Alias {
    pub(crate) fn stand(&self, now: Tick) -> AliasStand {
        let rule = |(when, line): &(When, Arc<Alias>)| RuleStand {
            when: when.clone(),
            targets: line.target_stands(now),
        };
        let rung = |rung: &Rung| match rung {
            Rung::Target(target) => RungStand::Target {
                provider: Arc::clone(&target.provider.facts().name),
                model: Arc::clone(&target.model),
                breaker: target.breaker.standing(now),
                exercised: target.exercises.last(),
            },
            Rung::Stale => RungStand::Stale,
            Rung::Answer(text) => RungStand::Answer(Arc::clone(text)),
        };
        AliasStand {
            name: Arc::clone(&self.name),
            attempts: self.attempts,
            targets: self.target_stands(now),
            rules: self.rules.iter().map(rule).collect(),
            fallback: self.fallback.iter().map(rung).collect(),
            right_sizing: self.outputs.as_ref().map(|outputs| outputs.stand()),
        }
    }

    fn target_stands(&self, now: Tick) -> Vec<TargetStand> {
        let standings: Vec<Standing> = self.targets.iter().map(|t| t.breaker.standing(now)).collect();
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
            }
        };
        self.targets.iter().enumerate().map(target).collect()
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
