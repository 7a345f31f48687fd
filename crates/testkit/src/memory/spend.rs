//! Spending, summed in the plainest way.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use async_trait::async_trait;
use bedplate_core::money::Cost;
use bedplate_core::ports::{Progress, Spend, StoreError};
use bedplate_core::record::{AttemptRow, CallRow, Ending, Outcome};
use bedplate_core::spend::{Class, Dimension, SpendAsk, SpendLine, SpendSums};
use bedplate_core::usage::{Usage, UsageBasis};

use super::MemoryLedger;

/// An upstream request, or a call without any.
struct Entry<'a> {
    call: &'a CallRow,
    attempt: Option<&'a AttemptRow>,
    first: bool,
    usage: Usage,
    basis: UsageBasis,
    nanos: i64,
    known: bool,
}

impl<'a> Entry<'a> {
    fn all(outcome: &'a Outcome) -> Vec<Self> {
        let (call, attempts) = (&outcome.call, &outcome.attempts);
        let mut usage = call.usage.clone();
        let mut nanos = call.cost.priced().0;
        let later: Vec<Self> = attempts.iter().skip(1).map(|attempt| Self::later(call, attempt)).collect();
        for entry in &later {
            usage.input = usage.input.saturating_sub(entry.usage.input);
            usage.cache_read = usage.cache_read.saturating_sub(entry.usage.cache_read);
            usage.cache_write_5m = usage.cache_write_5m.saturating_sub(entry.usage.cache_write_5m);
            usage.cache_write_1h = usage.cache_write_1h.saturating_sub(entry.usage.cache_write_1h);
            usage.output = usage.output.saturating_sub(entry.usage.output);
            nanos -= entry.nanos;
        }
        let attempt = attempts.first();
        let alone = later.is_empty();
        let first = Self {
            call,
            attempt,
            first: true,
            usage,
            basis: attempt.map_or(UsageBasis::None, |a| a.basis),
            nanos,
            known: if alone { call.cost.is_known() } else { attempt.is_none_or(|a| a.cost.is_known()) },
        };
        std::iter::once(first).chain(later).collect()
    }

    fn later(call: &'a CallRow, attempt: &'a AttemptRow) -> Self {
        Self {
            call,
            attempt: Some(attempt),
            first: false,
            usage: attempt.usage.clone(),
            basis: attempt.basis,
            nanos: attempt.cost.priced().0,
            known: attempt.cost.is_known(),
        }
    }

    fn avoided(&self) -> Option<Cost> {
        let cache = self.call.cache.as_ref().filter(|_| self.first)?;
        Some(cache.avoided.as_ref()?.cost)
    }

    fn class(&self) -> Class {
        let units = self.attempt.is_some_and(|a| !a.usage.units.is_empty());
        match self.attempt {
            _ if !self.first => Class::Retry,
            _ if self.avoided().is_some() => Class::Cached,
            None => Class::None,
            _ if self.call.ending == Ending::Abandoned => Class::Abandoned,
            _ if !self.known => Class::Unpriced,
            _ if units => Class::Units,
            _ => Class::First,
        }
    }

    fn name(&self, of: Dimension) -> String {
        let (call, attempt) = (self.call, self.attempt);
        let of_attempt = |get: fn(&AttemptRow) -> &str| attempt.map_or("", get).to_owned();
        match of {
            Dimension::Team => call.team.to_string(),
            Dimension::Feature => call.feature.to_string(),
            Dimension::Environment => call.environment.to_string(),
            Dimension::Key => call.key.as_ref().map(|k| k.0.to_string()).unwrap_or_default(),
            Dimension::User => call.user.clone().unwrap_or_default(),
            Dimension::Chain => call.chain.clone().unwrap_or_default(),
            Dimension::Prompt => {
                call.prompt.as_ref().map(|p| format!("{}@{}", p.name, p.version)).unwrap_or_default()
            }
            Dimension::Alias => call.model.clone(),
            Dimension::Model => match attempt {
                Some(attempt) => attempt.model.as_ref().unwrap_or(&attempt.target).to_string(),
                None => call.model.clone(),
            },
            Dimension::Operation => call.operation.map(|o| o.name().to_owned()).unwrap_or_default(),
            Dimension::Provider => of_attempt(|a| &a.provider),
            Dimension::Region => of_attempt(|a| &a.region),
            Dimension::Account => of_attempt(|a| &a.account),
            Dimension::Tier => of_attempt(|a| &a.tier),
            Dimension::Outcome => call.ending.name().to_owned(),
            Dimension::Code => call.code.map(|c| c.to_string()).unwrap_or_default(),
            Dimension::Prices => of_attempt(|a| &a.price_version),
            Dimension::Class => self.class().name().to_owned(),
        }
    }

    fn sums(&self) -> SpendSums {
        let one = u64::from;
        let (retry, abandoned) = (!self.first, self.call.ending == Ending::Abandoned && self.first);
        let estimated = self.basis == UsageBasis::Estimated;
        let avoided = self.avoided();
        let nanos = |when: bool| if when { i128::from(self.nanos) } else { 0 };
        SpendSums {
            calls: one(self.first),
            requests: one(self.attempt.is_some()),
            retries: one(retry),
            abandoned: one(abandoned),
            cached: one(avoided.is_some()),
            unpriced: one(!self.known),
            estimated: one(estimated),
            unmetered: one(self.basis == UsageBasis::Unmetered),
            avoided_unpriced: one(avoided.is_some_and(|cost| !cost.is_known())),
            input: self.usage.input,
            cache_read: self.usage.cache_read,
            cache_write_5m: self.usage.cache_write_5m,
            cache_write_1h: self.usage.cache_write_1h,
            output: self.usage.output,
            spent: nanos(true),
            spent_retries: nanos(retry),
            spent_abandoned: nanos(abandoned),
            spent_estimated: nanos(estimated),
            avoided: avoided.map_or(0, |cost| i128::from(cost.priced().0)),
        }
    }
}

type Names = Vec<String>;

#[async_trait]
impl Spend for MemoryLedger {
    async fn spend(&self, ask: &SpendAsk, progress: Progress<'_>) -> Result<Vec<SpendLine>, StoreError> {
        let mut lines = BTreeMap::<(usize, Names), SpendSums>::new();
        let mut over_all = BTreeMap::<Names, SpendSums>::new();
        for outcome in self.tables.lock().calls.values() {
            let at = outcome.call.admitted_at;
            let Some(slot) = ask.slots.iter().position(|(from, until)| (*from..*until).contains(&at)) else {
                continue;
            };
            for entry in Entry::all(outcome) {
                if ask.only.iter().any(|(of, value)| entry.name(*of) != *value) {
                    continue;
                }
                let names: Names = ask.by.iter().map(|of| entry.name(*of)).collect();
                lines.entry((slot, names.clone())).or_default().add(&entry.sums());
                over_all.entry(names).or_default().add(&entry.sums());
            }
        }
        progress(1, 1);
        Ok(ranked(lines, over_all, ask.top as usize))
    }
}

fn ranked(
    lines: BTreeMap<(usize, Names), SpendSums>,
    over_all: BTreeMap<Names, SpendSums>,
    top: usize,
) -> Vec<SpendLine> {
    let mut ranks: Vec<(Names, SpendSums)> = over_all.into_iter().collect();
    ranks.sort_by_key(|(_, s)| Reverse((s.spent, s.avoided, s.calls)));
    let rank = |names: &Names| ranks.iter().position(|(n, _)| n == names).filter(|n| *n < top);
    let mut out = BTreeMap::<(usize, usize), SpendLine>::new();
    for ((slot, names), sums) in lines {
        let rank = rank(&names);
        let line = out.entry((slot, rank.unwrap_or(usize::MAX))).or_insert_with(|| SpendLine {
            slot,
            names: rank.map(|_| names),
            sums: SpendSums::default(),
        });
        line.sums.add(&sums);
    }
    out.into_values().collect()
}
