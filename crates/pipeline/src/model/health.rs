//! What is known of targets and aliases beyond one configuration: a reload does not forget what is broken.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bedplate_core::clock::Tick;
use bedplate_core::route::Standing;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::outputs::Outputs;
use super::warm::Warm;
use crate::invoke::breaker::{Breaker, BreakerConfig};
use crate::invoke::exercise::Exercises;
use crate::invoke::hedges::{Hedges, Won};
use crate::invoke::retries::Retries;

/// The breakers of all targets, by provider and model, and of all aliases the retry budgets and the conversations that
/// are away from home. What no configuration uses
/// any more is let go.
#[derive(Default)]
pub struct Health {
    breakers: Mutex<HashMap<Place, Weak<Breaker>, FixedState>>,
    retries: Mutex<HashMap<Arc<str>, Weak<Retries>, FixedState>>,
    exercises: Mutex<HashMap<Place, Weak<Exercises>, FixedState>>,
    warm: Mutex<HashMap<Arc<str>, Weak<Warm>, FixedState>>,
    outputs: Mutex<HashMap<Arc<str>, Weak<Outputs>, FixedState>>,
    hedges: Mutex<HashMap<Arc<str>, Weak<Hedges>, FixedState>>,
}

/// Provider and model.
type Place = (Arc<str>, Arc<str>);

/// How a target stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetStanding {
    pub provider: Arc<str>,
    pub model: Arc<str>,
    pub standing: Standing,
}

/// How many calls of an alias were asked a second time, while the first request was under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hedged {
    pub alias: Arc<str>,
    /// Whose answer the caller got: `first`, `second` or `neither`.
    pub won: &'static str,
    pub calls: u64,
}

impl Health {
    pub(crate) fn breaker(
        &self,
        provider: &Arc<str>,
        model: &Arc<str>,
        terms: BreakerConfig,
    ) -> Arc<Breaker> {
        let mut breakers = self.breakers.lock();
        breakers.retain(|_, breaker| breaker.strong_count() > 0);
        let key = (Arc::clone(provider), Arc::clone(model));
        if let Some(kept) = breakers.get(&key).and_then(Weak::upgrade) {
            kept.set(terms);
            return kept;
        }
        let breaker = Breaker::new(terms);
        breakers.insert(key, Arc::downgrade(&breaker));
        breaker
    }

    /// What is known of a lighter model from requests that nobody waited for.
    pub(crate) fn exercises(&self, provider: &Arc<str>, model: &Arc<str>) -> Arc<Exercises> {
        let mut exercises = self.exercises.lock();
        exercises.retain(|_, exercises| exercises.strong_count() > 0);
        let key = (Arc::clone(provider), Arc::clone(model));
        if let Some(kept) = exercises.get(&key).and_then(Weak::upgrade) {
            return kept;
        }
        let new = Arc::<Exercises>::default();
        exercises.insert(key, Arc::downgrade(&new));
        new
    }

    /// The retry budget of an alias; that of bare model ids has no name.
    pub(crate) fn retries(&self, alias: &Arc<str>) -> Arc<Retries> {
        shared(&self.retries, alias)
    }

    /// Conversations of an alias that are away from home.
    pub(crate) fn warm(&self, alias: &Arc<str>) -> Arc<Warm> {
        shared(&self.warm, alias)
    }

    /// What was learned of the answers of an alias.
    pub(crate) fn outputs(&self, alias: &Arc<str>) -> Arc<Outputs> {
        shared(&self.outputs, alias)
    }

    /// What calls of an alias have earned in second requests.
    pub(crate) fn hedges(&self, alias: &Arc<str>) -> Arc<Hedges> {
        shared(&self.hedges, alias)
    }

    /// How second requests went, by alias.
    pub fn hedged(&self) -> Vec<Hedged> {
        let hedges = self.hedges.lock();
        let mut all = Vec::new();
        for (alias, hedges) in hedges.iter().filter_map(|(alias, weak)| Some((alias, weak.upgrade()?))) {
            let hedged =
                |won: Won| Hedged { alias: Arc::clone(alias), won: won.name(), calls: hedges.went(won) };
            all.extend(Won::ALL.map(hedged));
        }
        all.sort_by(|a, b| a.alias.cmp(&b.alias));
        all
    }

    /// How every target stands, in the order of their names.
    pub fn standings(&self, now: Tick) -> Vec<TargetStanding> {
        let breakers = self.breakers.lock();
        let standing = |((provider, model), breaker): (&Place, &Weak<Breaker>)| {
            let standing = breaker.upgrade()?.standing(now);
            Some(TargetStanding { provider: Arc::clone(provider), model: Arc::clone(model), standing })
        };
        let mut all: Vec<TargetStanding> = breakers.iter().filter_map(standing).collect();
        all.sort_by(|a, b| (&a.provider, &a.model).cmp(&(&b.provider, &b.model)));
        all
    }
}

/// What an alias of that name has already, else a new one.
fn shared<T: Default>(all: &Mutex<HashMap<Arc<str>, Weak<T>, FixedState>>, alias: &Arc<str>) -> Arc<T> {
    let mut all = all.lock();
    all.retain(|_, kept| kept.strong_count() > 0);
    if let Some(kept) = all.get(alias).and_then(Weak::upgrade) {
        return kept;
    }
    let new = Arc::<T>::default();
    all.insert(Arc::clone(alias), Arc::downgrade(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invoke::breaker::Verdict;

    #[test]
    fn a_target_stays_as_it_stood_while_somebody_uses_it() {
        let health = Health::default();
        let (provider, model): (Arc<str>, Arc<str>) = ("use1".into(), "us.amazon.nova-lite-v1:0".into());
        let terms = BreakerConfig { failures: 1, ..BreakerConfig::default() };
        let first = health.breaker(&provider, &model, terms);
        if let Some(pass) = first.pass(Tick(0), 0) {
            pass.judge(Verdict::Ill, Tick(0), 0);
        }
        let again = health.breaker(&provider, &model, BreakerConfig::default());
        drop(first);
        assert_eq!(again.standing(Tick(0)), Standing::Open);
        assert_eq!(health.standings(Tick(0)).len(), 1);
        drop(again);
        assert_eq!(health.breaker(&provider, &model, terms).standing(Tick(0)), Standing::Closed);
    }
}
