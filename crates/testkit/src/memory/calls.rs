use std::sync::Arc;

use async_trait::async_trait;
use bedplate_core::call::CallId;
use bedplate_core::clock::Timestamp;
use bedplate_core::money::Cost;
use bedplate_core::ports::{CallFilter, Calls, StoreError, Total};
use bedplate_core::record::{CallRow, Ending, Outcome};
use bedplate_core::usage::Usage;

use super::{MemoryLedger, Tables};

const DAY: i64 = 86_400_000_000;

/// Day, team, feature, environment and model.
pub(super) type Line = (Timestamp, [String; 4]);

fn day(at: Timestamp) -> Timestamp {
    Timestamp(at.0.max(0) / DAY * DAY)
}

impl Tables {
    fn count(&mut self, c: &CallRow) {
        // who is not recognised may make names up
        let model = if c.key.is_some() { &*c.model } else { "" };
        let names = [&*c.team, &*c.feature, &*c.environment, model].map(str::to_owned);
        let [team, feature, environment, model] = names.clone();
        let day = day(c.admitted_at);
        let total = self.totals.entry((day, names)).or_insert(Total {
            day,
            team,
            feature,
            environment,
            model,
            calls: 0,
            refused: 0,
            usage: Usage::default(),
            cost: Cost::FREE,
            unpriced: 0,
        });
        total.calls += 1;
        total.refused += u64::from(c.ending == Ending::Refused);
        total.usage.add(&c.usage);
        total.usage.units.sort_by_key(|(unit, _)| serde_json::to_string(unit).unwrap());
        total.cost = total.cost.plus(c.cost);
        total.unpriced += u64::from(!c.cost.is_known());
    }
}

#[async_trait]
impl Calls for MemoryLedger {
    async fn append(&self, batch: &[Arc<Outcome>]) -> Result<(), StoreError> {
        let mut tables = self.tables.lock();
        for outcome in batch {
            let call = &outcome.call;
            if tables.ids.contains_key(&call.id) {
                continue;
            }
            tables.ids.insert(call.id, call.admitted_at);
            tables.calls.insert((call.admitted_at, call.id), Outcome::clone(outcome));
            tables.days.insert(day(call.admitted_at));
            tables.count(call);
            call.charges.iter().for_each(|c| tables.charge(c));
        }
        Ok(())
    }

    async fn call(&self, id: CallId) -> Result<Option<Outcome>, StoreError> {
        let tables = self.tables.lock();
        Ok(tables.ids.get(&id).and_then(|at| tables.calls.get(&(*at, id))).cloned())
    }

    async fn recent(&self, f: &CallFilter, limit: u32) -> Result<Vec<Outcome>, StoreError> {
        let fits = |o: &&Outcome| {
            let c = &o.call;
            f.since.is_none_or(|at| c.admitted_at >= at)
                && f.until.is_none_or(|at| c.admitted_at < at)
                && f.team.as_ref().is_none_or(|t| **t == *c.team)
                && f.feature.as_ref().is_none_or(|t| **t == *c.feature)
                && f.key.as_ref().is_none_or(|k| Some(k) == c.key.as_ref())
                && f.chain.as_ref().is_none_or(|t| Some(t) == c.chain.as_ref())
                && f.code.is_none_or(|code| Some(code) == c.code)
                && f.ending.is_none_or(|ending| ending == c.ending)
                && f.after.is_none_or(|id| c.id > id)
        };
        Ok(self.tables.lock().calls.values().rev().filter(fits).take(limit as usize).cloned().collect())
    }

    async fn totals(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Total>, StoreError> {
        let days = day(since)..=day(Timestamp(until.0.saturating_sub(1)));
        let tables = self.tables.lock();
        Ok(tables.totals.values().filter(|t| days.contains(&t.day)).cloned().collect())
    }

    async fn retain(&self, before: Timestamp) -> Result<u32, StoreError> {
        let tables = &mut *self.tables.lock();
        let all = tables.days.len();
        tables.days.retain(|day| day.0 + DAY > before.0);
        let days = &tables.days;
        tables.calls.retain(|(at, _), _| days.contains(&day(*at)));
        tables.ids.retain(|_, at| days.contains(&day(*at)));
        Ok(u32::try_from(all - tables.days.len()).unwrap())
    }
}
