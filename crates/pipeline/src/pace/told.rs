//! What AWS Service Quotas told of the places where quotas count, and how it stands with that.

use std::collections::HashMap;
use std::sync::Arc;

use bedplate_core::clock::Timestamp;
use bedplate_core::pace::{Answered, Origin, QuotaStand};
use bedplate_cost::named;
use foldhash::fast::FixedState;
use parking_lot::Mutex;

use super::allowed::Allowed;
use super::config::{LimitConfig, QuotaConfig};
use super::{Pace, lanes};
use crate::provider::ProviderFacts;

/// What was told of a place.
pub(super) struct Told {
    allowed: Allowed,
    at: Timestamp,
}

/// By place.
#[derive(Default)]
pub(super) struct Tellings(Mutex<HashMap<Arc<str>, Telling, FixedState>>);

#[derive(Default)]
struct Telling {
    told: Option<Arc<Told>>,
    failing: Option<Arc<str>>,
}

impl Tellings {
    pub(super) fn of(&self, place: &str) -> Option<Arc<Told>> {
        self.0.lock().get(place)?.told.clone()
    }
}

/// What is configured stands over what was told; says where the numbers are from.
pub(super) fn fill(limit: &mut LimitConfig, model: &str, told: Option<&Told>) -> Origin {
    let configured = limit.rpm.is_some() || limit.tpm.is_some();
    let Some(Told { allowed, at }) = told else {
        return if configured { Origin::Config } else { Origin::Awaited };
    };
    let (rpm, tpm) = allowed.of(model);
    let used = (limit.rpm.is_none() && rpm.is_some()) || (limit.tpm.is_none() && tpm.is_some());
    limit.rpm = limit.rpm.or(rpm);
    limit.tpm = limit.tpm.or(tpm);
    match (configured, used) {
        (true, false) => Origin::Config,
        (true, true) => Origin::Both { at: *at },
        (false, true) => Origin::ServiceQuotas { at: *at },
        (false, false) => Origin::NotFound { at: *at },
    }
}

impl Pace {
    /// Where the quotas of a provider count: providers of one account and region share them.
    pub fn place(facts: &ProviderFacts) -> Arc<str> {
        lanes::place(facts)
    }

    /// Whether anything bounds requests or tokens a minute of a model, with this answer of Service Quotas.
    pub fn quoted(quota: Option<&QuotaConfig>, allowed: &Allowed, model: &str) -> bool {
        let model = named(model).unwrap_or(model);
        let limit = quota.map_or_else(LimitConfig::default, |quota| quota.of(model));
        let (rpm, tpm) = allowed.of(model);
        limit.rpm.or(rpm).is_some() || limit.tpm.or(tpm).is_some()
    }

    /// Service Quotas answered for a place, or why it did not: then what it said before stays. Lanes go by it from now
    /// on.
    pub fn tell(&self, place: &Arc<str>, answer: Result<Allowed, &str>) {
        let at = self.clock.now();
        let good = answer.is_ok();
        {
            let mut all = self.told.0.lock();
            let telling = all.entry(Arc::clone(place)).or_default();
            match answer {
                Ok(allowed) => {
                    *telling = Telling { told: Some(Arc::new(Told { allowed, at })), failing: None };
                }
                Err(why) => telling.failing = Some(why.into()),
            }
        }
        if good {
            self.take_told(place);
        }
    }

    /// Lanes of a place that Service Quotas has no quota of, by name.
    pub fn unquoted(&self, place: &str) -> Vec<Arc<str>> {
        let all = self.stands().into_iter();
        let without = all.filter(|lane| matches!(lane.origin, Some(Origin::NotFound { .. })));
        without.filter(|lane| &*lane.place == place).map(|lane| lane.name).collect()
    }

    /// What was told of other places than these is forgotten: nobody asks for it any more.
    pub fn tell_only(&self, places: &[Arc<str>]) {
        let gone: Vec<Arc<str>> = {
            let mut all = self.told.0.lock();
            let gone = all.keys().filter(|place| !places.contains(place)).cloned().collect::<Vec<_>>();
            gone.iter().for_each(|place| drop(all.remove(place)));
            gone
        };
        gone.iter().for_each(|place| self.take_told(place));
    }

    /// How each place stands with Service Quotas, by name.
    pub fn quotas(&self) -> Vec<QuotaStand> {
        let all = self.told.0.lock();
        let stand = |(place, telling): (&Arc<str>, &Telling)| QuotaStand {
            place: Arc::clone(place),
            answered: telling.told.as_ref().map(|told| Answered {
                at: told.at,
                named: u32::try_from(told.allowed.named()).unwrap_or(u32::MAX),
            }),
            failing: telling.failing.clone(),
        };
        let mut all: Vec<QuotaStand> = all.iter().map(stand).collect();
        all.sort_by(|a, b| a.place.cmp(&b.place));
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bedplate_core::clock::Clock;
    use bedplate_core::pace::LaneStand;
    use bedplate_testkit::ManualClock;

    use super::super::{AwsQuota, Lanes};
    use super::*;

    const LITE: &str = "us.amazon.nova-lite-v1:0";

    fn said(value: f64) -> Allowed {
        let name = "Cross-region model inference tokens per minute for Amazon Nova Lite".into();
        Allowed::read([AwsQuota { name, value }])
    }

    fn facts(quota: &str) -> ProviderFacts {
        let quota: QuotaConfig = toml::from_str(quota).unwrap();
        ProviderFacts {
            name: "a".into(),
            region: "us-east-1".into(),
            account: "".into(),
            stamps: true,
            quota: Some(Arc::new(quota)),
        }
    }

    fn setting(quota: &str) -> (ManualClock, Arc<Pace>, Lanes) {
        let clock = ManualClock::at("2026-11-22T12:00:00Z");
        let pace = Pace::new(Arc::new(clock.clone()));
        let lanes = Lanes::new(&pace, &facts(quota), false);
        lanes.put_in_force();
        (clock, pace, lanes)
    }

    fn lane(pace: &Pace) -> LaneStand {
        let [lane] = <[_; 1]>::try_from(pace.stands()).unwrap();
        lane
    }

    fn tokens(pace: &Pace) -> Option<u64> {
        lane(pace).tokens.map(|rate| rate.limit)
    }

    #[test]
    fn lanes_are_unquoted_until_it_answers_and_keep_what_it_said_last() {
        let (clock, pace, lanes) = setting("from = 'service-quotas'");
        let place: Arc<str> = "a".into();
        lanes.of(&LITE.into(), false).unwrap();
        assert_eq!((tokens(&pace), lane(&pace).origin), (None, Some(Origin::Awaited)));
        pace.tell(&place, Err("AccessDenied"));
        assert_eq!(lane(&pace).origin, Some(Origin::Awaited));
        let first = clock.now();
        pace.tell(&place, Ok(said(4_000.0)));
        assert!(pace.unquoted(&place).is_empty());
        assert_eq!(
            (tokens(&pace), lane(&pace).origin),
            (Some(4_000), Some(Origin::ServiceQuotas { at: first }))
        );
        clock.advance(Duration::from_secs(3_600));
        pace.tell(&place, Err("AccessDenied"));
        assert_eq!(tokens(&pace), Some(4_000));
        let [stand] = <[_; 1]>::try_from(pace.quotas()).unwrap();
        assert_eq!(stand.answered, Some(Answered { at: first, named: 1 }));
        assert_eq!(stand.failing.as_deref(), Some("AccessDenied"));
        pace.tell(&place, Ok(said(9_000.0)));
        assert_eq!((tokens(&pace), pace.quotas()[0].failing.clone()), (Some(9_000), None));
        pace.tell(&place, Ok(Allowed::default()));
        assert_eq!(pace.unquoted(&place), [Arc::from(LITE)]);
        assert_eq!((tokens(&pace), lane(&pace).origin), (None, Some(Origin::NotFound { at: clock.now() })));
        pace.tell(&place, Ok(said(9_000.0)));
        pace.tell_only(&[]);
        assert_eq!((tokens(&pace), lane(&pace).origin), (None, Some(Origin::Awaited)));
    }

    #[test]
    fn what_is_configured_stands_over_it() {
        let own = format!("from = 'service-quotas'\nrpm = 7\n[[model]]\nid = '{LITE}'\ntpm = 100");
        let (clock, pace, lanes) = setting(&own);
        lanes.of(&LITE.into(), false).unwrap();
        pace.tell(&"a".into(), Ok(said(4_000.0)));
        assert_eq!((tokens(&pace), lane(&pace).origin), (Some(100), Some(Origin::Config)));
        let (_, pace, lanes) = setting("from = 'service-quotas'\nrpm = 7");
        pace.tell(&"a".into(), Ok(said(4_000.0)));
        lanes.of(&LITE.into(), false).unwrap();
        assert_eq!(lane(&pace).requests.map(|rate| rate.limit), Some(7));
        assert_eq!(
            (tokens(&pace), lane(&pace).origin),
            (Some(4_000), Some(Origin::Both { at: clock.now() }))
        );
    }

    #[test]
    fn who_does_not_ask_for_it_does_not_get_it() {
        let (_, pace, lanes) = setting("from = 'config'\nconcurrency = 3");
        pace.tell(&"a".into(), Ok(said(4_000.0)));
        lanes.of(&LITE.into(), false).unwrap();
        assert_eq!((tokens(&pace), lane(&pace).origin), (None, None));
    }
}
