//! What calls came to in some length of time. Bounded, whatever callers name.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::{Ending, Outcome};
use bedplate_core::refusal::Code;

use super::latency::Latency;

/// How many names a sum tells apart; the calls of later ones are counted under [`OTHERS`].
const NAMES: usize = 64;
/// What stands for all names beyond [`NAMES`].
pub(super) const OTHERS: &str = "(others)";
/// A model name's first characters tell it apart.
const LONGEST_MODEL: usize = 200;

#[derive(Clone, Default)]
pub(super) struct Sums {
    pub(super) calls: u64,
    /// In the order of [`Ending`].
    pub(super) endings: [u64; 5],
    pub(super) spend: Spend,
    pub(super) who: HashMap<(Arc<str>, Arc<str>), Spend>,
    pub(super) models: HashMap<Arc<str>, Spend>,
    pub(super) codes: HashMap<Code, u64>,
    /// Calls that reached an upstream.
    pub(super) total: Latency,
    pub(super) first_token: Latency,
    pub(super) overhead: Latency,
}

/// What some calls cost.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Spend {
    pub(super) calls: u64,
    pub(super) prompt: u64,
    pub(super) output: u64,
    pub(super) nanos: Nanos,
    /// Calls whose cost is not fully known.
    pub(super) unpriced: u64,
}

impl Sums {
    pub(super) fn count(&mut self, outcome: &Outcome) {
        let call = &outcome.call;
        let spend = Spend::of(outcome);
        self.calls += 1;
        self.endings[call.ending as usize] += 1;
        self.spend.add(&spend);
        if call.key.is_some() {
            let who = (Arc::clone(&call.team), Arc::clone(&call.feature));
            entry(&mut self.who, who, || (OTHERS.into(), "".into())).add(&spend);
        }
        if !outcome.attempts.is_empty() {
            // who is refused may make names up: only models that an upstream was asked for count
            let name = &call.model[..call.model.floor_char_boundary(LONGEST_MODEL)];
            entry(&mut self.models, name.into(), || OTHERS.into()).add(&spend);
            self.total.record(call.timings.total);
        }
        if let Some(code) = call.code {
            *self.codes.entry(code).or_default() += 1;
        }
        if let Some(first) = call.timings.first_token {
            self.first_token.record(first);
        }
        self.overhead.record(call.timings.overhead);
    }

    pub(super) fn add(&mut self, other: &Sums) {
        self.calls += other.calls;
        for (sum, n) in self.endings.iter_mut().zip(other.endings) {
            *sum += n;
        }
        self.spend.add(&other.spend);
        for (who, spend) in &other.who {
            entry(&mut self.who, who.clone(), || (OTHERS.into(), "".into())).add(spend);
        }
        for (model, spend) in &other.models {
            entry(&mut self.models, Arc::clone(model), || OTHERS.into()).add(spend);
        }
        for (code, n) in &other.codes {
            *self.codes.entry(*code).or_default() += n;
        }
        self.total.add(&other.total);
        self.first_token.add(&other.first_token);
        self.overhead.add(&other.overhead);
    }

    /// Forgets everything but keeps the room.
    pub(super) fn clear(&mut self) {
        let Self { calls, endings, spend, who, models, codes, total, first_token, overhead } = self;
        *calls = 0;
        *endings = [0; 5];
        *spend = Spend::default();
        who.clear();
        models.clear();
        codes.clear();
        for latency in [total, first_token, overhead] {
            latency.clear();
        }
    }

    pub(super) fn ended(&self, ending: Ending) -> u64 {
        self.endings[ending as usize]
    }
}

impl Spend {
    fn of(outcome: &Outcome) -> Self {
        let call = &outcome.call;
        Self {
            calls: 1,
            prompt: call.usage.prompt(),
            output: call.usage.output,
            nanos: call.cost.priced(),
            unpriced: u64::from(!call.cost.is_known()),
        }
    }

    fn add(&mut self, other: &Spend) {
        self.calls += other.calls;
        self.prompt = self.prompt.saturating_add(other.prompt);
        self.output = self.output.saturating_add(other.output);
        self.nanos = self.nanos.saturating_add(other.nanos);
        self.unpriced += other.unpriced;
    }

    pub(super) fn cost(&self) -> Cost {
        if self.unpriced == 0 { Cost::Known(self.nanos) } else { Cost::Unknown(self.nanos) }
    }
}

fn entry<K: Hash + Eq>(map: &mut HashMap<K, Spend>, key: K, others: impl FnOnce() -> K) -> &mut Spend {
    let key = if map.len() < NAMES || map.contains_key(&key) { key } else { others() };
    map.entry(key).or_default()
}
