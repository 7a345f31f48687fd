//! An alias, compiled, and which of its targets a call asks.

use std::sync::Arc;

use bedplate_core::clock::Tick;
use bedplate_core::route::{Seen, When};
use bedplate_core::view::Takes;

use super::outputs::Outputs;
use super::sticky::{Conversation, Sticky};
use crate::invoke::breaker::{Breaker, Pass};
use crate::invoke::chances::Chances;
use crate::invoke::deadline::Timeouts;
use crate::invoke::exercise::Exercises;
use crate::invoke::hedges::Hedge;
use crate::invoke::retries::Retries;
use crate::pace::{Lanes, Want};
use crate::provider::Provider;

/// One alias of a configuration. Breakers and retries outlive it.
pub(crate) struct Alias {
    pub(crate) name: Arc<str>,
    pub(crate) targets: Vec<Target>,
    pub(crate) fallback: Vec<Rung>,
    pub(crate) timeouts: Timeouts,
    /// Requests to upstreams at most.
    pub(crate) attempts: u32,
    /// Calls that a lighter model is tried with, too: those whose chance is no larger.
    pub(crate) exercise: u32,
    pub(crate) retries: Arc<Retries>,
    pub(crate) hedge: Option<Hedge>,
    /// Whether conversations stay on a target.
    pub(crate) sticky: Option<Sticky>,
    /// In order. Each is the alias with other targets.
    pub(crate) rules: Vec<(When, Arc<Alias>)>,
    /// How long answers are, where callers leave that open; `None` when that does not matter.
    pub(crate) outputs: Option<Arc<Outputs>>,
}

/// A model at a provider.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) model: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) tier: Option<Arc<str>>,
    /// What the configuration says of its model.
    pub(crate) takes: Takes,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) exercises: Arc<Exercises>,
    /// Where its calls wait for room.
    pub(crate) lanes: Arc<Lanes>,
    /// What was tested in its place, `PROVIDER/MODEL`.
    pub(crate) replacement: Option<Arc<str>>,
    /// What conversations are shared out by.
    pub(crate) seed: u64,
}

/// What comes when all targets fail.
pub(crate) enum Rung {
    Target(Target),
    Stale,
    Answer(Arc<str>),
}

/// Places of targets that were asked already.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tried(u64);

impl Tried {
    /// As many targets as an alias may have.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn add(&mut self, at: usize) {
        self.0 |= 1 << (at % Self::MOST);
    }

    fn has(self, at: usize) -> bool {
        self.0 & 1 << (at % Self::MOST) != 0
    }
}

impl Target {
    /// Whether a request would go at once.
    pub(crate) fn has_room(&self, want: Want, now: Tick) -> bool {
        let lane = self.lanes.of(&self.model, true);
        lane.is_none_or(|lane| lane.has_room(want.tokens, want.class, now))
    }
}

/// The alias as it is for a call: with the targets of the first rule that is for the call, some of which read its
/// body; else with its own.
pub(crate) fn for_call(alias: &Arc<Alias>, seen: Seen<'_>, fits: impl Fn(&str) -> bool) -> Arc<Alias> {
    let reads = |alias: &Alias| alias.targets.iter().any(|target| fits(&target.model));
    let rule = alias.rules.iter().find(|(when, line)| when.fits(seen) && reads(line));
    Arc::clone(rule.map_or(alias, |(_, line)| line))
}

impl Alias {
    /// Every target, those of the fallback last.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Target> {
        let rungs = self.fallback.iter().filter_map(|rung| match rung {
            Rung::Target(target) => Some(target),
            Rung::Stale | Rung::Answer(_) => None,
        });
        self.targets.iter().chain(rungs)
    }

    /// Every target of every call.
    pub(crate) fn every(&self) -> impl Iterator<Item = &Target> {
        self.all().chain(self.rules.iter().flat_map(|(_, line)| &line.targets))
    }

    /// A target that may be asked now and was not tried: where the conversation is, or by weight, those first that have
    /// room. One without weight only when no other may be asked: others that are full are waited for.
    pub(crate) fn choose(
        &self,
        tried: Tried,
        fits: impl Fn(&str) -> bool,
        want: Want,
        now: Tick,
        chances: &mut Chances,
        whose: Option<Conversation>,
    ) -> Option<(usize, Pass)> {
        let left = |at: &usize| !tried.has(*at) && fits(&self.targets[*at].model);
        let weighs = |at: &usize| {
            // a conversation that a target without weight has answered stays there
            let is_there = || whose.is_some_and(|whose| self.stays_at(whose, *at, now));
            self.targets[*at].weight > 0 || is_there()
        };
        let (weighty, others) = (0..self.targets.len()).filter(left).partition(weighs);
        for among in [weighty, others] {
            let (roomy, full) = self.with_room(among, want, now);
            for mut some in [roomy, full] {
                while !some.is_empty() {
                    let by_home = whose.and_then(|whose| self.place_of(whose, &some, now));
                    let at = some.swap_remove(by_home.unwrap_or_else(|| self.pick(&some, chances.next())));
                    if let Some(pass) = self.targets[at].breaker.pass(now, chances.next()) {
                        return Some((at, pass));
                    }
                }
            }
        }
        None
    }

    /// Those that have room now, and those that are full.
    fn with_room(&self, among: Vec<usize>, want: Want, now: Tick) -> (Vec<usize>, Vec<usize>) {
        if among.len() > 1 {
            return among.into_iter().partition(|at| self.targets[*at].has_room(want, now));
        }
        // one that is alone is asked for room when its turn comes
        (among, Vec::new())
    }

    /// Targets that were not tried, in order.
    pub(crate) fn untried(&self, tried: Tried, fits: impl Fn(&str) -> bool) -> Vec<usize> {
        (0..self.targets.len()).filter(|at| !tried.has(*at) && fits(&self.targets[*at].model)).collect()
    }

    /// The target of most weight among those that read the call: asked when none may be, for somebody has to.
    pub(crate) fn heaviest(&self, fits: impl Fn(&str) -> bool) -> Option<usize> {
        // of equals the first
        let reads = (0..self.targets.len()).rev().filter(|at| fits(&self.targets[*at].model));
        reads.max_by_key(|at| self.targets[*at].weight)
    }

    /// A place in `among`, by weight; of those without weight any.
    fn pick(&self, among: &[usize], chance: u32) -> usize {
        let weightless = among.iter().all(|at| self.targets[*at].weight == 0);
        let weight = |at: &usize| if weightless { 1 } else { u64::from(self.targets[*at].weight) };
        let sum: u64 = among.iter().map(weight).sum();
        let mut rest = u64::try_from((u128::from(chance) * u128::from(sum)) >> 32).unwrap_or(0);
        for (place, at) in among.iter().enumerate() {
            if rest < weight(at) {
                return place;
            }
            rest -= weight(at);
        }
        0
    }
}
