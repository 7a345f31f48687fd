//! An alias, compiled, and the order in which a call asks its targets.

use std::sync::Arc;

use bedplate_core::clock::Tick;

use crate::invoke::breaker::{Breaker, Pass};
use crate::invoke::deadline::Timeouts;
use crate::invoke::retries::Retries;
use crate::provider::Provider;

/// One alias of a configuration. Breakers and retries outlive it: a reload does not forget what is broken.
pub(crate) struct Alias {
    pub(crate) name: Arc<str>,
    pub(crate) targets: Vec<Target>,
    pub(crate) fallback: Vec<Rung>,
    pub(crate) timeouts: Timeouts,
    pub(crate) attempts: u32,
    pub(crate) retries: Arc<Retries>,
}

/// A model at a provider.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) model: Arc<str>,
    pub(crate) weight: u32,
    pub(crate) tier: Option<Arc<str>>,
    pub(crate) breaker: Arc<Breaker>,
}

/// What comes when all targets fail.
pub(crate) enum Rung {
    Target(Target),
    Stale,
    Answer(Arc<str>),
}

impl Alias {
    /// The target to ask first, by weight among those that may be asked now; `chance` gives any number, each as likely as
    /// another. When none may, the one of most weight is asked all the same: somebody has to.
    pub(crate) fn first(&self, now: Tick, mut chance: impl FnMut() -> u32) -> Option<(&Target, Option<Pass>)> {
        let mut left: Vec<&Target> = self.targets.iter().filter(|target| target.weight > 0).collect();
        while !left.is_empty() {
            let at = pick(&left, chance());
            let target = left.swap_remove(at);
            if let Some(pass) = target.breaker.pass(now, chance()) {
                return Some((target, Some(pass)));
            }
        }
        self.targets.iter().max_by_key(|target| target.weight).map(|target| (target, None))
    }
}

/// A place in `targets`, by weight.
fn pick(targets: &[&Target], chance: u32) -> usize {
    let sum: u64 = targets.iter().map(|target| u64::from(target.weight)).sum();
    let mut rest = u64::from(chance) * sum >> 32;
    for (at, target) in targets.iter().enumerate() {
        let weight = u64::from(target.weight);
        if rest < weight {
            return at;
        }
        rest -= weight;
    }
    0
}
