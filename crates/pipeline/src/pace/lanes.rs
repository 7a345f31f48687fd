//! The lanes of a provider: which models have one, and by what they are bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bedplate_core::pace::Origin;
use bedplate_cost::named;
use foldhash::fast::FixedState;

use super::Pace;
use super::config::{LimitConfig, QuotaConfig, QuotaSource};
use super::lane::{Lane, LaneTerms};
use super::quota::QuotaTerms;
use super::told::{self, Told};
use crate::provider::ProviderFacts;

/// Whose quota it is, and of which model.
pub(super) type Key = (Arc<str>, Arc<str>);
pub(super) type All = HashMap<Key, Arc<Lane>, FixedState>;

/// Names that nobody vouches for must not grow the table.
const MOST: usize = 1_000;
/// A lane that was not used for so long may be forgotten: every quota is whole again.
const IDLE: Duration = Duration::from_secs(600);

/// The lanes of one provider of a configuration.
pub(crate) struct Lanes {
    pace: Arc<Pace>,
    /// AWS counts by account and region.
    place: Arc<str>,
    said: Said,
}

/// What a configuration says of the lanes of a place.
#[derive(Clone)]
pub(super) struct Said {
    quota: Option<Arc<QuotaConfig>>,
    adaptive: bool,
}

/// By place: what the configuration says that was put in force last.
pub(super) type InForce = HashMap<Arc<str>, Said, FixedState>;

impl Lanes {
    pub(crate) fn new(pace: &Arc<Pace>, facts: &ProviderFacts, adaptive: bool) -> Self {
        Self {
            pace: Arc::clone(pace),
            place: place(facts),
            said: Said { quota: facts.quota.clone(), adaptive },
        }
    }

    /// Lanes that are there already go by this configuration from now on, and so do those that calls of an earlier one
    /// come to first.
    pub(crate) fn put_in_force(&self) {
        self.pace.in_force.lock().insert(Arc::clone(&self.place), self.said.clone());
        self.pace.renew(&self.place, &self.said);
    }

    /// The lane of a model or profile, if anything bounds it; `listed` when a target of an alias names it.
    pub(crate) fn of(&self, model: &Arc<str>, listed: bool) -> Option<Arc<Lane>> {
        if self.said.quota.is_none() && !(listed && self.said.adaptive) {
            return None;
        }
        // mostly the name is the id, and nothing is copied
        let id = match named(model) {
            Some(id) if id.len() < model.len() => id.into(),
            _ => Arc::clone(model),
        };
        let key = (Arc::clone(&self.place), id);
        if let Some(lane) = self.pace.lanes.load().get(&key) {
            return Some(Arc::clone(lane));
        }
        let in_force = self.pace.in_force.lock().get(&self.place).cloned();
        let said = in_force.as_ref().unwrap_or(&self.said);
        let told = self.pace.told.of(&self.place);
        let terms = said.terms(&key.1, told.as_deref());
        // a quota that is still to be told has a lane, too: it is to be seen that there is none
        let bounded =
            terms.adaptive || terms.slots.is_some() || terms.quota.is_some() || terms.origin.is_some();
        let lane = bounded.then(|| self.pace.lane(key, terms)).flatten()?;
        // what was told meanwhile has not found this lane
        let now_told = self.pace.told.of(&self.place);
        if now_told.as_ref().map(Arc::as_ptr) != told.as_ref().map(Arc::as_ptr) {
            lane.set(said.terms(lane.name(), now_told.as_deref()), self.pace.clock.tick());
        }
        Some(lane)
    }
}

impl Said {
    fn terms(&self, model: &str, told: Option<&Told>) -> LaneTerms {
        let mut limit = self.quota.as_ref().map_or_else(LimitConfig::default, |quota| quota.of(model));
        let asks = self.quota.as_ref().is_some_and(|quota| quota.from == QuotaSource::ServiceQuotas);
        let origin = if asks { Some(told::fill(&mut limit, model, told)) } else { None };
        let limits = limit.rpm.is_some() || limit.tpm.is_some();
        LaneTerms {
            quota: limits.then(|| QuotaTerms {
                rpm: limit.rpm,
                tpm: limit.tpm,
                burndown: limit.burndown.unwrap_or_else(|| burndown(model)),
                learns: self.quota.as_ref().is_none_or(|quota| quota.learn),
            }),
            slots: limit.concurrency,
            adaptive: self.adaptive,
            origin: origin.or(limits.then_some(Origin::Config)),
        }
    }
}

/// Where the quotas of a provider count.
pub(super) fn place(facts: &ProviderFacts) -> Arc<str> {
    match &*facts.account {
        "" => Arc::clone(&facts.name),
        account => format!("{account}/{}", facts.region).into(),
    }
}

impl Pace {
    /// The lanes of a place go by what is said and told of it now.
    fn renew(&self, place: &Arc<str>, said: &Said) {
        let now = self.clock.tick();
        let told = self.told.of(place);
        for ((of, model), lane) in self.lanes.load().iter() {
            if of == place {
                lane.set(said.terms(model, told.as_deref()), now);
            }
        }
    }

    /// The same, after something else was told.
    pub(super) fn take_told(&self, place: &Arc<str>) {
        let said = self.in_force.lock().get(place).cloned();
        if let Some(said) = said {
            self.renew(place, &said);
        }
    }

    fn lane(&self, key: Key, terms: LaneTerms) -> Option<Arc<Lane>> {
        let now = self.clock.tick();
        let (place, name) = key.clone();
        let lane = Lane::new(place, name, terms, Arc::clone(&self.common), now);
        self.lanes.rcu(|lanes| {
            if lanes.contains_key(&key) {
                return Arc::clone(lanes);
            }
            let mut lanes = All::clone(lanes);
            if lanes.len() >= MOST {
                lanes.retain(|_, lane| lane.idle_for(now) < IDLE);
            }
            // a target without a lane would not be bounded: the one that nobody used for longest goes
            if lanes.len() >= MOST {
                let idle = lanes.iter().map(|(key, lane)| (lane.idle_for(now), key));
                let longest = idle.filter(|(idle, _)| !idle.is_zero()).max_by_key(|(idle, _)| *idle);
                if let Some(key) = longest.map(|(_, key)| key.clone()) {
                    lanes.remove(&key);
                }
            }
            lanes.insert(key.clone(), Arc::clone(&lane));
            Arc::new(lanes)
        });
        self.lanes.load().get(&key).map(Arc::clone)
    }
}

/// How many tokens of its quota a token of output uses, where configuration does not say: 5 of Claude 3.7 and later, 1
/// of all others (AWS user guide, quotas-token-burndown).
fn burndown(model: &str) -> u64 {
    const BEFORE: [&str; 7] = ["3-5-", "3-haiku", "3-opus", "3-sonnet", "instant", "v1", "v2"];
    let claude = model.split_once("anthropic.claude-").map(|(_, rest)| rest);
    match claude {
        Some(rest) if !BEFORE.iter().any(|old| rest.starts_with(old)) => 5,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::Want;
    use bedplate_testkit::ManualClock;

    #[test]
    fn names_that_somebody_makes_up_take_no_lane_away_from_others() {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let pace = Pace::new(Arc::new(clock.clone()));
        let facts = ProviderFacts {
            name: "a".into(),
            region: "us-east-1".into(),
            account: "".into(),
            stamps: true,
            quota: Some(Arc::new(toml::from_str("from = 'config'\nconcurrency = 1").unwrap())),
        };
        let lanes = Lanes::new(&pace, &facts, false);
        let busy = lanes.of(&"real.model".into(), false).unwrap();
        let room = busy.take_now(Want::default(), pace.clock.tick()).unwrap();
        for n in 0..MOST + 10 {
            clock.advance(Duration::from_millis(1));
            assert!(lanes.of(&format!("made.up-{n}").into(), false).is_some(), "bounded, too");
        }
        assert!(Arc::ptr_eq(&busy, &lanes.of(&"real.model".into(), false).unwrap()));
        assert_eq!(pace.lanes.load().len(), MOST);
        drop(room);
    }

    #[test]
    fn claude_from_3_7_on_burns_five() {
        for (model, burns) in [
            ("anthropic.claude-3-haiku-20240307-v1:0", 1),
            ("us.anthropic.claude-3-5-sonnet-20241022-v2:0", 1),
            ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", 5),
            ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 5),
            ("anthropic.claude-opus-5", 5),
            ("us.amazon.nova-lite-v1:0", 1),
        ] {
            assert_eq!(burndown(model), burns, "{model}");
        }
    }
}
