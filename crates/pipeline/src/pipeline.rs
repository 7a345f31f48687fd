//! The life of a call.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::Mark;
use bedplate_core::call::Operation;
use bedplate_core::refusal::Refusal;

use crate::admit::{admit, prove};
use crate::cache::look::{Asking, Turn, answer};
use crate::cache::{Caching, Kept};
use crate::call::Call;
use crate::compose::routes::Routes;
use crate::compose::{Composed, compose};
use crate::guard::{Cleared, clear};
use crate::invoke::deadline::{Timeouts, in_time, now, too_late};
use crate::invoke::exercise::Exercise;
use crate::invoke::inflight::detach;
use crate::invoke::{Terms, invoke};
use crate::model::Alias;
use crate::reply::Reply;
use crate::reserve::{NoRoom, reserve};
use crate::settle::record::Record;
use crate::throttle::Throttles;

/// One configuration, compiled: a call runs in one pipeline from start to end.
pub struct Pipeline {
    pub routes: Arc<Routes>,
    /// Operations that are passed on unmetered because configuration names them.
    pub allowed: Vec<Operation>,
    pub timeouts: Timeouts,
    pub drain: Drain,
    pub cache: Caching,
    pub throttles: Throttles,
}

/// What happens upstream when the caller hangs up: AWS bills what it generates either way.
#[derive(Clone, Copy, Debug)]
pub struct Drain {
    /// Read on for at most this long, so that the ledger shows the real usage; zero lets go at once
    /// and estimates.
    pub bound: Duration,
}

impl Pipeline {
    /// Runs a call from admission to settlement.
    ///
    /// # Errors
    /// The refusal, with the record, which the door settles once it knows the status of its dialect.
    pub async fn run(&self, call: Call, mut record: Record) -> Result<Reply, Refused> {
        let until = call.tags.until;
        let prepared = in_time(until, self.prepare(call, &mut record)).await;
        let rated = record.how_rated();
        let (cleared, asking) = match prepared {
            Ok(Prepared::Ask(cleared, asking)) => (cleared, asking),
            Ok(Prepared::Give(kept, mark)) => return Ok(Reply { rated, ..kept.reply(record, mark) }),
            Err(refusal) => return Err(Refused::new(refusal, record)),
        };
        let Asking { fill, mut stale, mark, waited } = asking.map_or_else(Asking::default, |asking| *asking);
        let timeouts = self.timeouts(&cleared.0).after(waited + record.has_queued()).by(until);
        if until.is_some() && timeouts.total.is_zero() {
            return Err(Refused::new(too_late(), record));
        }
        let terms = Terms {
            timeouts,
            until,
            drain: self.drain,
            retries: &self.routes.bare().retries,
            cache: &self.cache,
            cached: mark == Some(Mark::Miss),
        };
        let exercise = Exercise::of(&cleared.0, &record, self.timeouts(&cleared.0), self.drain);
        let given = invoke(cleared, record, terms, fill, &mut stale).await;
        if let Some(exercise) = exercise {
            detach(exercise.run());
        }
        answer(given, stale, mark).map(|reply| Reply { rated, ..reply })
    }

    /// The aliases that a caller may name, which proves who it is.
    ///
    /// # Errors
    /// As [`Pipeline::run`] refuses who may not call.
    pub fn aliases(&self, call: &Call, record: &mut Record) -> Result<Vec<Arc<str>>, Refusal> {
        let (principal, key) = (prove(call)?, &call.key);
        record.admitted(&principal);
        let may = |alias: &&Arc<Alias>| {
            key.allows_model(&alias.name) || alias.all().all(|target| key.allows_model(&target.model))
        };
        Ok(self.routes.aliases().into_iter().filter(may).map(|alias| Arc::clone(&alias.name)).collect())
    }

    /// An alias may have deadlines of its own.
    fn timeouts(&self, composed: &Composed) -> Timeouts {
        composed.way.as_ref().map_or(self.timeouts, |way| way.alias.timeouts)
    }

    /// Everything before the first byte goes upstream. A kept answer costs nothing, so it holds nothing.
    async fn prepare(&self, call: Call, record: &mut Record) -> Result<Prepared, Refusal> {
        let prepared = async {
            let mut admitted = admit(call, record, &self.allowed, &self.routes)?;
            self.throttles.classify(&mut admitted);
            let composed = compose(admitted, &self.routes, record).await?;
            let mut cleared = clear(composed);
            self.throttles.classify_aimed(&mut cleared.0);
            let timeouts = self.timeouts(&cleared.0).by(cleared.0.admitted.call.tags.until);
            let turn = self.cache.look(&cleared.0, record, &timeouts).await?;
            self.throttles.take(&cleared.0, matches!(turn, Turn::Give(_)), record).await?;
            match turn {
                Turn::Give(kept) => Ok(Prepared::Give(kept, Mark::Hit)),
                Turn::Ask(mut asking) => match self.hold(&mut cleared.0, record).await {
                    Ok(()) => {
                        cleared.0.right_size(record);
                        Ok(Prepared::Ask(cleared, asking))
                    }
                    Err(NoRoom { refusal, cache_only }) => {
                        let stale = asking.as_mut().and_then(|asking| asking.stale.take());
                        stale
                            .filter(|_| cache_only)
                            .map(|kept| Prepared::Give(kept, Mark::Stale))
                            .ok_or(refusal)
                    }
                },
            }
        };
        let prepared = prepared.await;
        record.cleared();
        prepared
    }
}

impl Pipeline {
    /// What a call needs that goes to a model: slots of its throttles, then holds in its budgets.
    async fn hold(&self, composed: &mut Composed, record: &mut Record) -> Result<(), NoRoom> {
        let end = now() + self.timeouts(composed).total;
        let until = composed.admitted.call.tags.until.map_or(end, |until| until.min(end));
        let slots = self.throttles.slots(composed, until, record).await;
        slots.map_err(|refusal| NoRoom { refusal, cache_only: false })?;
        reserve(composed, record).await
    }
}

/// A call that may go on: to a kept answer, or upstream.
#[allow(clippy::large_enum_variant, reason = "one a call, and moved once: less than a box costs")]
enum Prepared {
    Give(Kept, Mark),
    Ask(Cleared, Option<Box<Asking>>),
}

/// A refusal and the record that must still be settled with it.
pub struct Refused(pub Box<(Refusal, Record)>);

impl Refused {
    pub(crate) fn new(refusal: Refusal, record: Record) -> Self {
        Self(Box::new((refusal, record)))
    }
}
