//! A model of a lane: what is under way there, and what its quota counts, by what upstreams saw.

use std::time::Duration;

use bedplate_core::pace::{Class, LaneStand};
use bedplate_pipeline::PaceConfig;
use tokio::time::Instant;

use super::config::Limits;

#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub limits: Option<Limits>,
    pub adaptive: bool,
    /// Requests whose answers have not ended.
    pub under_way: u32,
    tokens: f64,
    requests: f64,
    at: Instant,
    /// Whether all that it counts was seen from the start: not when a quota comes into force while calls are under way.
    known: bool,
    /// Since when somebody waits here though there is room, and how many had passed then.
    pub free: Option<(Instant, u64)>,
    /// Others are counted to wait than do, at the last look.
    pub odd: bool,
}

/// What holds for all lanes now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Common {
    pub nodes: u32,
    pub pace: PaceConfig,
}

impl Common {
    fn share(&self) -> f64 {
        1.0 / f64::from(self.nodes)
    }

    /// What calls of this class may use of what is ours.
    fn part(&self, class: Class) -> f64 {
        let keep = f64::from(self.pace.keep) / 100.0;
        1.0 - [0.0, keep / 2.0, keep][class.index()]
    }

    pub(super) fn patience(&self, class: Class) -> Duration {
        [self.pace.interactive, self.pace.batch, self.pace.background][class.index()].0
    }
}

impl Lane {
    pub(super) fn new(limits: Option<Limits>, adaptive: bool, now: Instant) -> Self {
        Self {
            limits,
            adaptive,
            under_way: 0,
            tokens: 0.0,
            requests: 0.0,
            at: now,
            known: true,
            free: None,
            odd: false,
        }
    }

    pub(super) fn set(&mut self, limits: Option<Limits>, adaptive: bool) {
        let counts = |limits: Option<Limits>| limits.is_some_and(|l| l.rpm.is_some() || l.tpm.is_some());
        self.known &= counts(limits) == counts(self.limits);
        let members = |limits: Option<Limits>| limits.map(|l| (l.rpm.is_some(), l.tpm.is_some(), l.burndown));
        self.known &= members(limits) == members(self.limits);
        (self.limits, self.adaptive) = (limits, adaptive);
    }

    pub(super) fn burndown(&self) -> u64 {
        self.limits.filter(|l| l.rpm.is_some() || l.tpm.is_some()).map_or(1, |l| l.burndown)
    }

    /// Whether what is configured is what holds, so that it is known to the token what there is room for.
    fn exact(&self) -> bool {
        self.known && self.limits.is_some_and(|l| !l.learn)
    }

    pub(super) fn flow(&mut self, common: &Common, now: Instant) {
        let minutes = now.duration_since(self.at).as_secs_f64() / 60.0;
        self.at = now;
        let Some(limits) = self.limits else { return };
        let gone = |limit: Option<u64>| minutes * limit.unwrap_or(0) as f64 * common.share();
        self.tokens = (self.tokens - gone(limits.tpm)).max(0.0);
        self.requests = (self.requests - gone(limits.rpm)).max(0.0);
    }

    /// Calls at a time, as configured.
    fn bound(&self, common: &Common, class: Class) -> Option<u32> {
        let slots = f64::from(self.limits?.slots?);
        Some((slots * common.share() * common.part(class)).max(1.0) as u32)
    }

    /// Why no slot is free.
    pub(super) fn no_slot(&self, common: &Common, class: Class) -> Option<String> {
        let bound = self.bound(common, class)?;
        (self.under_way >= bound).then(|| format!("{} under way, and {bound} may be", self.under_way))
    }

    /// Why there is no room in the quota for so many tokens.
    pub(super) fn no_room(&self, need: u64, common: &Common, class: Class) -> Option<String> {
        let limits = self.limits.filter(|_| self.exact())?;
        let over = |limit: Option<u64>, used: f64, need: f64| {
            let most = (limit? as f64 * common.share() * common.part(class)).max(1.0);
            let over = used + need.min(most) - most;
            (over > 0.01).then(|| format!("{used:.2} used and {need} wanted of {most:.2}"))
        };
        over(limits.tpm, self.tokens, need as f64).or_else(|| over(limits.rpm, self.requests, 1.0))
    }

    pub(super) fn take(&mut self, need: u64) {
        self.under_way += 1;
        self.requests += 1.0;
        self.tokens += need as f64;
    }

    /// A request ended; `None` when nobody knows what it used.
    pub(super) fn end(&mut self, need: u64, used: Option<u64>, throttled: bool, common: &Common) {
        self.under_way -= 1;
        if let Some(used) = used {
            self.tokens = (self.tokens - need as f64 + used as f64).max(0.0);
        }
        let Some(limits) = self.limits.filter(|_| throttled) else { return };
        match (limits.tpm, limits.rpm) {
            // what was larger than all of it was refused for its size
            (Some(tpm), _) if need as f64 > tpm as f64 * common.share() => {}
            (Some(tpm), _) => self.tokens = tpm as f64 * common.share(),
            (None, Some(rpm)) => self.requests = rpm as f64 * common.share(),
            (None, None) => {}
        }
    }

    /// How what the gateway counts differs.
    pub(super) fn differs(&self, stand: &LaneStand) -> Option<String> {
        if stand.under_way != self.under_way {
            return Some(format!("{} under way, and {} are counted", self.under_way, stand.under_way));
        }
        if !self.exact() {
            return None;
        }
        let other = |counted: Option<bedplate_core::pace::RateStand>, ours: f64| {
            let counted = counted?.used;
            ((counted as f64 - ours).abs() > 1.0)
                .then(|| format!("{ours:.2} used, and {counted} are counted"))
        };
        other(stand.tokens, self.tokens).or_else(|| other(stand.requests, self.requests))
    }

    /// Whether the best who wait there would get room, whichever of them asks.
    pub(super) fn has_room(&self, stand: &LaneStand, need: u64, common: &Common) -> bool {
        let Some(class) = Class::ALL.into_iter().find(|class| stand.waiting[class.index()] > 0) else {
            return false;
        };
        let part = common.part(class);
        let slots = stand.slots.is_none_or(|slots| {
            f64::from(stand.under_way) + 1.0 <= f64::from(slots) * part || stand.under_way == 0
        });
        let learned = stand.learned.unwrap_or(1.0);
        let rate = |rate: Option<bedplate_core::pace::RateStand>, need: f64| {
            rate.is_none_or(|rate| {
                let most = (rate.limit as f64 * common.share() * learned * part).max(1.0);
                rate.used as f64 + 1.0 + need.min(most) <= most || rate.used == 0
            })
        };
        slots && rate(stand.tokens, need as f64) && rate(stand.requests, 1.0)
    }
}
