//! Slots of callers, and the class of their calls.

use std::sync::Arc;

use bedplate_core::pace::Class;
use bedplate_core::refusal::{Code, Refusal, Retry};
use bedplate_cost::budget::Who;
use tokio::time::Instant;

use super::Throttles;
use crate::admit::Admitted;
use crate::compose::Composed;
use crate::invoke::deadline::now;
use crate::pace::Want;
use crate::reserve::{who, who_asks};
use crate::settle::record::Record;

impl Throttles {
    /// No call has a better class than its throttles let it: asked before a target is chosen, for what has room goes
    /// by class.
    pub(crate) fn classify(&self, admitted: &mut Admitted) {
        if !self.throttles.is_empty() {
            let best = self.best(&who_asks(admitted));
            let class = &mut admitted.call.tags.class;
            *class = best.max(*class);
        }
    }

    /// The same by throttles of the model that was chosen, of which nobody knew before.
    pub(crate) fn classify_aimed(&self, composed: &mut Composed) {
        if !self.throttles.is_empty() {
            let best = self.best(&who(composed));
            let class = &mut composed.admitted.call.tags.class;
            *class = best.max(*class);
        }
    }

    /// The best class that the throttles which concern somebody let calls have.
    fn best(&self, who: &Who<'_>) -> Option<Class> {
        let mut best = None;
        self.throttles.each(who, |throttle| {
            if throttle.scope.concerns(who) {
                best = best.max(throttle.priority);
            }
        });
        best
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
            let want = Want { class, ..Want::default() };
            match pace.room(&[lane], want, until, || clock.tick(), |_| Some(())).await {
                Ok((_, room, ())) => {
                    if record.tick() != began {
                        record.queued(began);
                    }
                    record.takes_slot(room);
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
