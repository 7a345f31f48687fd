//! May a kept answer be given; and if not, who asks.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::cache::{Entry, Epoch, Looked, Mark, Place, Skip, Wish};
use bedplate_core::refusal::{Code, Refusal};

use super::flight::{Followed, Role, Seat};
use super::place::place;
use super::{Caching, Fill, Kept, Rule};
use crate::admit::Admitted;
use crate::compose::{Aim, Composed};
use crate::invoke::deadline::{Deadlines, Timeouts, now};
use crate::invoke::{Answered, Given};
use crate::pipeline::Refused;
use crate::provider::AnswerBody;
use crate::reply::Reply;
use crate::review::review;
use crate::settle::record::Record;

/// What a look came to.
pub(crate) enum Turn {
    /// A kept answer.
    Give(Kept),
    /// The upstream is asked. Where no rule concerns the call there is nothing to say.
    Ask(Option<Box<Asking>>),
}

/// What goes with a call that is asked upstream.
#[derive(Default)]
pub(crate) struct Asking {
    /// `None` when the answer is not kept.
    pub(crate) fill: Option<Fill>,
    /// Stands in when the upstream fails.
    pub(crate) stale: Option<Kept>,
    pub(crate) mark: Option<Mark>,
    /// Time that went by waiting for somebody else's answer.
    pub(crate) waited: Duration,
}

impl Caching {
    /// Looks for an answer, and waits while somebody else asks for the same.
    ///
    /// # Errors
    /// `BP4003` or `BP4005` when the call's own deadline passed meanwhile.
    pub(crate) async fn look(
        &self,
        composed: &Composed,
        record: &mut Record,
        timeouts: &Timeouts,
    ) -> Result<Turn, Refusal> {
        let call = &composed.admitted.call;
        let concerns = |rule: &Rule| rule.concerns(&call.name, &composed.admitted.principal);
        let Some(n) = self.rules.iter().position(concerns) else { return Ok(Turn::Ask(None)) };
        if !is_kept(composed) {
            return Ok(Turn::Ask(None));
        }
        let rule = &self.rules[n];
        if call.tags.cache == Some(Wish::Bypass) {
            return Ok(bypass(record, Skip::Asked));
        }
        let Some(request) = call.body.canonical(&call.headers) else {
            return Ok(bypass(record, Skip::Unreadable));
        };
        if let Some(skip) = rule.skips(&request) {
            return Ok(bypass(record, skip));
        }
        let place = place(&composed.admitted, &composed.aim, &request, &self.in_force);
        let asker = Asker { caching: self, n, rule, composed, place };
        asker.look(record, timeouts, call.tags.cache == Some(Wish::Refresh)).await
    }
}

impl Caching {
    /// An earlier answer to the call from where it would go by `aim`, also one beyond its time.
    pub(crate) async fn earlier(&self, admitted: &Admitted, aim: &Aim) -> Option<Kept> {
        let call = &admitted.call;
        let rule = self.rules.iter().find(|rule| rule.concerns(&call.name, &admitted.principal))?;
        let request = call.body.canonical(&call.headers)?;
        if rule.skips(&request).is_some() {
            return None;
        }
        let looked = self.store.get(&place(admitted, aim, &request, &self.in_force)).await.ok()?;
        let now = self.clock.now();
        looked.entry.filter(|entry| rule.is_of_use(entry, now)).map(Kept)
    }
}

/// Whether there are answers of the operation to be kept.
fn is_kept(composed: &Composed) -> bool {
    use bedplate_core::call::Operation as O;
    let op = composed.admitted.call.operation;
    matches!(op, O::Converse | O::ConverseStream | O::InvokeModel | O::InvokeModelWithResponseStream)
}

fn bypass(record: &mut Record, skip: Skip) -> Turn {
    record.cache(Mark::Bypass, Some(skip));
    Turn::Ask(Some(Box::new(Asking { mark: Some(Mark::Bypass), ..Asking::default() })))
}

/// One call at the cache.
struct Asker<'a> {
    caching: &'a Caching,
    n: usize,
    rule: &'a Rule,
    composed: &'a Composed,
    place: Place,
}

impl Asker<'_> {
    async fn look(self, record: &mut Record, timeouts: &Timeouts, refresh: bool) -> Result<Turn, Refusal> {
        let flights = Arc::clone(&self.caching.flights);
        let mark = flights.mark(&self.place.key);
        let (mut looked, mut epoch) = self.get().await;
        if refresh {
            return Ok(self.ask(record, None, (looked.entry, epoch), Duration::ZERO));
        }
        if let Some(entry) = self.fresh(&looked) {
            return Ok(Turn::Give(Kept(entry)));
        }
        let follower = match flights.join(self.place.key, mark) {
            Role::Follow(follower) => follower,
            Role::Lead { seat, again } => {
                if again {
                    (looked, epoch) = self.get().await;
                    if let Some(entry) = self.fresh(&looked) {
                        return Ok(Turn::Give(Kept(entry)));
                    }
                }
                return Ok(self.ask(record, Some(seat), (looked.entry, epoch), Duration::ZERO));
            }
        };
        let began = now();
        let deadlines = Deadlines::starting_now(timeouts);
        let streams = self.composed.admitted.call.operation.streams();
        let until = if streams { deadlines.first_token } else { deadlines.total };
        let followed = follower.wait(until).await;
        let waited = now().duration_since(began);
        record.waited_for(waited);
        match followed {
            Followed::Answered(entry) => Ok(Turn::Give(Kept(entry))),
            Followed::Go(seat) => Ok(self.ask(record, Some(seat), (looked.entry, epoch), waited)),
            Followed::TooLate => {
                record.cache(Mark::Miss, None);
                let code = if streams { Code::FirstTokenTimeout } else { Code::TotalTimeout };
                Err(Refusal::of(code).because("an equal call was under way all the time"))
            }
        }
    }

    /// What is there. A cache that cannot be asked has nothing.
    async fn get(&self) -> (Looked, Option<Epoch>) {
        match self.caching.store.get(&self.place).await {
            Ok(looked) => {
                let epoch = looked.epoch;
                (looked, Some(epoch))
            }
            Err(_) => (Looked::default(), None),
        }
    }

    fn fresh(&self, looked: &Looked) -> Option<Arc<Entry>> {
        let now = self.caching.clock.now();
        looked.entry.as_ref().filter(|entry| self.rule.is_fresh(entry, now)).map(Arc::clone)
    }

    fn ask(
        self,
        record: &mut Record,
        seat: Option<Seat>,
        (found, epoch): (Option<Arc<Entry>>, Option<Epoch>),
        waited: Duration,
    ) -> Turn {
        let now = self.caching.clock.now();
        let stale = found.filter(|entry| self.rule.is_of_use(entry, now)).map(Kept);
        record.cache(Mark::Miss, None);
        let prices = record.prices();
        let fill = Fill {
            caching: self.caching.clone(),
            rule: self.n,
            place: self.place,
            epoch,
            seat,
            call: record.id(),
            priced: self.composed.aim.priced(&prices).into(),
            routed: prices.entry(&self.composed.aim.target).is_none(),
            region: Arc::clone(&self.composed.aim.provider.facts().region),
        };
        Turn::Ask(Some(Box::new(Asking { fill: Some(fill), stale, mark: Some(Mark::Miss), waited })))
    }
}

/// The reply to a call that was asked upstream: its answer, or a kept one beyond its time when the upstream failed.
pub(crate) fn answer(
    given: Result<Given, Refused>,
    stale: Option<Kept>,
    mark: Option<Mark>,
) -> Result<Reply, Refused> {
    let mut reply = match (given, stale) {
        (Err(Refused(refused)), Some(kept)) if upstream_failed(refused.0.code) => {
            let (_, record) = *refused;
            return Ok(kept.reply(record, Mark::Stale));
        }
        (Ok(Given::Answered(answered)), Some(kept)) if failed(&answered) => {
            let Answered { answer, attempting, mut record } = answered;
            record.attempt_unread(&attempting, answer);
            return Ok(kept.reply(record, Mark::Stale));
        }
        (Ok(Given::Told(told, record)), Some(kept)) if told.error.is_some() => {
            drop(told);
            return Ok(kept.reply(record, Mark::Stale));
        }
        (Ok(Given::Kept(kept, record)), _) => return Ok(kept.reply(record, Mark::Stale)),
        (Ok(Given::Told(told, record)), _) => told.reply(record),
        (Ok(Given::Answered(answered)), _) => review(answered),
        (Err(refused), _) => return Err(refused),
    };
    reply.cache = mark;
    Ok(reply)
}

/// An answer that says the upstream cannot work now.
fn failed(answered: &Answered) -> bool {
    let answer = &answered.answer;
    (answer.status == 429 || answer.status >= 500) && matches!(answer.body, AnswerBody::Whole(..))
}

fn upstream_failed(code: Code) -> bool {
    matches!(
        code,
        Code::ConnectTimeout
            | Code::FirstTokenTimeout
            | Code::IdleTimeout
            | Code::TotalTimeout
            | Code::Unreachable
            | Code::NoUpstreamCredentials
            | Code::BrokenAnswer
    )
}
