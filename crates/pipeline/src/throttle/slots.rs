//! Slots of callers, and the class of their calls.

use std::sync::Arc;

use bedplate_core::refusal::{Code, Refusal, Retry};
use tokio::time::Instant;

use super::Throttles;
use crate::compose::Composed;
use crate::invoke::deadline::now;
use crate::pace::Want;
use crate::reserve::who;
use crate::settle::record::Record;

impl Throttles {
    /// No call has a better class than its throttles let it.
    pub(crate) fn classify(&self, composed: &mut Composed) {
        if self.throttles.is_empty() {
            return;
        }
        let mut best = None;
        {
            let who = who(composed);
            self.throttles.each(&who, |throttle| {
                if throttle.scope.concerns(&who) {
                    best = best.max(throttle.priority);
                }
            });
        }
        let class = &mut composed.admitted.call.tags.class;
        *class = best.max(*class);
    }

    /// Takes a slot of every throttle that has some for the call, one after the other, each now or after a wait. The
    /// record holds them until it is settled.
    ///
    /// # Errors
    /// `BP1504` when one has none in time; those that were taken go back with the record.
    pub(crate) async fn slots(
        &self,
        composed: &Composed,
        until: Instant,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        if self.throttles.is_empty() || !composed.admitted.call.operation.metered() {
            return Ok(());
        }
        let mut lanes = Vec::new();
        let (who, pace) = (who(composed), Arc::clone(&record.books().pace));
        self.throttles.each(&who, |throttle| {
            if let Some(slots) = throttle.concurrency
                && let Some(of) = throttle.scope.of(&who)
            {
                lanes.push((&throttle.name, pace.slots(&throttle.counted, &of, slots), slots));
            }
        });
        let class = composed.admitted.call.tags.class.unwrap_or_default();
        for (name, lane, slots) in lanes {
            let (began, clock) = (record.tick(), Arc::clone(&record.books().clock));
            let patience = now() + pace.patience(class);
            let until = until.min(patience);
            let want = Want { tokens: 0, class };
            match pace.room(&[lane], want, until, || clock.tick(), |_| Some(())).await {
                Ok((_, permit, ())) => {
                    if record.tick() != began {
                        record.queued(began);
                    }
                    record.takes_slot(permit);
                }
                Err(no_room) => {
                    record.queued(began);
                    let said = format!("the throttle `{name}` allows {slots} calls at a time");
                    let after = no_room.after.clamp(SOONEST, super::LONGEST);
                    return Err(Refusal::new(Code::SlotsTaken, said)
                        .retry(Retry::After(after))
                        .because(no_room.shed.name()));
                }
            }
        }
        Ok(())
    }
}

/// When a caller may try again who got no slot.
const SOONEST: std::time::Duration = std::time::Duration::from_millis(100);
