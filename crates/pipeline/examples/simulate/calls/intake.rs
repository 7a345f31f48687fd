//! The ledger of a run: it counts places, and looks at each record.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::BoxFuture;
use bedplate_core::ports::{Intake, StoreError};
use bedplate_core::record::Outcome;

use super::rule::Rule;
use super::world::{TICK, World};
use crate::trace::tell;

impl Intake for World {
    fn try_reserve(&self) -> bool {
        let mut state = self.state.lock();
        state.places -= 1;
        true
    }

    fn reserve(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::pending())
    }

    fn settle(&self, outcome: Arc<Outcome>) {
        let mut state = self.state.lock();
        let state = &mut *state;
        state.places += 1;
        state.tally.checked(Rule::Once);
        let row = &outcome.call;
        let Some((n, life)) = state.calls.iter_mut().enumerate().find(|(_, life)| life.id == row.id) else {
            return self.fail(Rule::Once, "a record of no call");
        };
        life.settled += 1;
        if life.settled > 1 {
            self.fail(Rule::Once, format!("call {n} is settled again"));
        }
        if outcome.attempts.len() != life.requests as usize {
            let said = format!("call {n} has {} requests of {}", outcome.attempts.len(), life.requests);
            self.fail(Rule::Once, said);
        }
        let class = life.plan.class;
        let queued = Duration::from_micros(row.timings.queued.unwrap_or(0));
        state.tally.checked(Rule::Patience);
        if queued > (state.common.patience(class) + TICK) * (life.requests + 1) {
            self.fail(Rule::Patience, format!("call {n} waited for {queued:?}"));
        }
        if queued > Duration::ZERO {
            state.tally.happened("- that waited for room");
        }
        state.tally.ended(row);
        tell(|| format!("{} call {n}: settled: {:?} {} {:?}", self.at(), row.ending, row.status, row.code));
    }

    fn release(&self) {
        self.state.lock().places += 1;
    }

    fn why_full(&self) -> StoreError {
        StoreError::ReadOnly("never".into())
    }
}
