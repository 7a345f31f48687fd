//! What the cache did, in the record.

use std::time::Duration;

use bedplate_core::cache::{Avoided, CacheUse, Entry, Mark, Skip};
use bedplate_core::money::{Cost, Nanos};
use bedplate_core::record::{Degraded, Ending};
use bedplate_cost::Ask;

use super::Record;
use crate::settle::notes::micros;

impl Record {
    pub(crate) fn cache(&mut self, mark: Mark, skip: Option<Skip>) {
        self.write(|call| call.cache = Some(Box::new(CacheUse { mark, skip, avoided: None })));
    }

    /// So long the call waited for somebody else's answer.
    pub(crate) fn waited_for(&mut self, waited: Duration) {
        self.notes.waited += micros(waited);
    }

    /// Settles a call that a kept answer is given to. What that would have cost is told apart from what was spent.
    pub(crate) fn finish_kept(mut self, entry: &Entry, mark: Mark) {
        let usage = entry.usage.clone().unwrap_or_default();
        let (model, region, tier) = (&*entry.target, &*entry.region, &*entry.tier);
        let cost = match &entry.usage {
            Some(usage) => self.prices().price(Ask { model, region, tier, usage }).cost,
            None => Cost::Unknown(Nanos::ZERO),
        };
        let age = self.notes.books.clock.now().0.saturating_sub(entry.made_at.0);
        let age_ms = u64::try_from(age / 1_000).unwrap_or(0);
        let avoided = Avoided { call: entry.call, age_ms, usage, cost };
        self.first_byte();
        self.sent(entry.body.len());
        if mark == Mark::Stale {
            self.degrade(Degraded::Stale);
        }
        self.write(|call| {
            call.stop_reason.clone_from(&entry.stop_reason);
            call.cache = Some(Box::new(CacheUse { mark, skip: None, avoided: Some(avoided) }));
        });
        self.finish(Ending::Answered, 200, None);
    }
}
