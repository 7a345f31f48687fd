//! Lighter models of a fallback are asked while nothing fails, so that they are known to work when something does.
//!
//! A small share of an alias' calls is sent a second time, to a lighter model, once the caller has its answer. Nobody is
//! given what comes back. It is a call of its own, recorded and paid for as [`FEATURE`] of the same team.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bedplate_core::call::{CallId, Operation};
use bedplate_core::clock::Timestamp;
use bedplate_core::ids::Ids;
use bedplate_core::pace::Class;
use bedplate_core::record::Ending;
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::route::{Exercised, FEATURE};
use parking_lot::Mutex;

use super::breaker::{Pass, Verdict};
use super::chances::Chances;
use super::deadline::{Deadlines, Timeouts};
use super::inflight::InFlight;
use super::trouble::Trouble;
use super::{GUARDRAIL, ask, attempting};
use crate::admit::Admitted;
use crate::call::{Call, Evidence, Tags};
use crate::compose::{Because, Bound, Composed, want};
use crate::model::{Rung, Target};
use crate::pace::Room;
use crate::pipeline::Drain;
use crate::provider::{Answer, AnswerBody, Failed};
use crate::reserve::reserve;
use crate::review::outflow::Outflow;
use crate::settle::record::Record;
use crate::settle::{Admission, Books};

/// A request with more bytes is not sent a second time.
const BYTES: usize = 16 << 10;
/// Nor is one whose answer may be longer; where the caller leaves it open it is bounded to this.
const TOKENS: u64 = 256;
/// It has no more time than this.
const LONGEST: Duration = Duration::from_secs(60);

/// What is known of a lighter model from requests that nobody waited for.
#[derive(Default)]
pub(crate) struct Exercises {
    /// One at a time.
    busy: AtomicBool,
    last: Mutex<Option<Exercised>>,
}

impl Exercises {
    pub(crate) fn last(&self) -> Option<Exercised> {
        self.last.lock().clone()
    }

    fn begin(self: &Arc<Self>) -> Option<Busy> {
        let idle = self.busy.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        idle.then(|| Busy(Arc::clone(self)))
    }
}

struct Busy(Arc<Exercises>);

impl Busy {
    fn went(&self, at: Timestamp, well: bool, said: String) {
        *self.0.last.lock() = Some(Exercised { at, well, said });
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// A copy of a call that is to go to a lighter model.
pub(crate) struct Exercise {
    admitted: Admitted,
    target: Target,
    books: Arc<Books>,
    timeouts: Timeouts,
    drain: Drain,
    chances: Chances,
}

impl Exercise {
    /// Copies a call, if it is one of those that a lighter model is tried with. Nothing is sent yet.
    pub(crate) fn of(
        composed: &Composed,
        record: &Record,
        timeouts: Timeouts,
        drain: Drain,
    ) -> Option<Box<Self>> {
        let alias = &composed.way.as_ref()?.alias;
        if alias.exercise == 0 {
            return None;
        }
        let mut chances = Chances::beside(record.id());
        if chances.next() > alias.exercise || !is_small(&composed.admitted.call) {
            return None;
        }
        let body = &composed.admitted.call.body;
        let rungs = alias.fallback.iter().filter_map(|rung| match rung {
            Rung::Target(target) if body.fits(&target.model) => Some(target),
            Rung::Target(_) | Rung::Stale | Rung::Answer(_) => None,
        });
        let targets: Vec<&Target> = rungs.collect();
        let at = usize::try_from(chances.next()).unwrap_or(0).checked_rem(targets.len())?;
        Some(Box::new(Self {
            admitted: copy(&composed.admitted),
            target: (*targets.get(at)?).clone(),
            books: record.shared_books(),
            timeouts: Timeouts { total: timeouts.total.min(LONGEST), ..timeouts },
            drain,
            chances,
        }))
    }

    /// Asks the lighter model, unless it is being asked, should not be asked now, or somebody has no room for it.
    pub(crate) async fn run(mut self: Box<Self>) {
        let Some(busy) = self.target.exercises.begin() else { return };
        let (at, began) = (self.books.clock.now(), self.books.clock.tick());
        let Some(pass) = self.target.breaker.pass(began, self.chances.next()) else { return };
        if !self.books.intake.try_reserve() {
            return;
        }
        let id = CallId::new(at, &Drawn::of(&mut self.chances));
        let mut record = Record::open(Arc::clone(&self.books), id, at, began, Admission::Placed);
        let call = &self.admitted.call;
        record.called(call.operation, &call.name, &call.tags);
        record.body_read(call.body.content().len(), Duration::ZERO);
        record.admitted(&self.admitted.principal);
        let Self { admitted, target, timeouts, drain, chances, .. } = *self;
        let prepared = prepare(admitted, &target, &mut record).await;
        match prepared.and_then(|composed| Ok((room(&composed, &record)?, composed))) {
            Ok((room, composed)) => {
                go((composed, room), record, (timeouts, drain), (pass, chances), &busy).await
            }
            Err(refusal) => {
                busy.went(at, false, format!("not asked, {}: {}", refusal.code, refusal.said));
                record.finish(Ending::Refused, 0, Some(refusal.code));
            }
        }
    }
}

/// Only what is asked of a model, costs little, and has its own words.
fn is_small(call: &Call) -> bool {
    use Operation as O;
    let view = call.body.view();
    let asks = matches!(
        call.operation,
        O::Converse | O::ConverseStream | O::InvokeModel | O::InvokeModelWithResponseStream
    );
    asks && call.body.content().len() <= BYTES
        && view.answers() == 1
        && view.max_tokens().map_or(view.can_bound(), |tokens| tokens <= TOKENS)
        && !view.guarded()
        && call.headers.get(GUARDRAIL).is_none()
}

/// The same call, of the same team, for another feature.
fn copy(admitted: &Admitted) -> Admitted {
    let call = &admitted.call;
    let mut principal = admitted.principal.clone();
    principal.feature = FEATURE.into();
    let copy = Call {
        operation: call.operation,
        name: call.name.clone(),
        path: call.path.clone(),
        query: call.query.clone(),
        headers: call.headers.clone(),
        body: Arc::clone(&call.body),
        key: Arc::clone(&call.key),
        evidence: Box::new(Proven),
        tags: Tags { class: Some(Class::Background), ..Tags::default() },
    };
    Admitted { call: copy, principal }
}

/// The caller proved it when the call was its own.
struct Proven;

impl Evidence for Proven {
    fn verify(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Aims at the lighter model, and takes a hold in the budgets of the team.
async fn prepare(admitted: Admitted, target: &Target, record: &mut Record) -> Result<Composed, Refusal> {
    let mut composed = Composed::at(admitted, target, record).await?;
    if composed.admitted.call.body.view().max_tokens().is_none() {
        let bound = Bound { tokens: TOKENS, because: Because::Exercise };
        if !composed.bound(bound, record) {
            return Err(Refusal::of(Code::Bug).because("the answer cannot be bounded"));
        }
        record.bound(TOKENS);
    }
    reserve(&mut composed, record).await.map_err(|no_room| no_room.refusal)?;
    record.cleared();
    Ok(composed)
}

/// Room at the lighter model, if there is any that nobody waits for.
fn room(composed: &Composed, record: &Record) -> Result<Option<Room>, Refusal> {
    let Some(lane) = &composed.aim.lane else { return Ok(None) };
    let want = want(&composed.admitted, &composed.aim.model, record.notes());
    let room = lane.take_now(want, record.tick());
    room.map(Some).ok_or_else(|| Refusal::of(Code::NoRoom))
}

async fn go(
    (mut composed, room): (Composed, Option<Room>),
    record: Record,
    (timeouts, drain): (Timeouts, Drain),
    (pass, mut chances): (Pass, Chances),
    busy: &Busy,
) {
    let at = record.books().clock.now();
    let (deadlines, aim) = (Deadlines::starting_now(&timeouts), &composed.aim);
    let attempting =
        attempting(&composed, aim, record.notes(), (deadlines, None), drain, (Some(&pass), room));
    let ask = ask(&mut composed.admitted, aim, true, &attempting);
    let attempt = Arc::clone(&composed.aim.provider).attempt(ask, attempting.deadlines.clone());
    let (result, attempting, mut record) = InFlight::new(attempt, attempting, record).await;
    let verdict =
        Trouble::of(&result).map_or(Verdict::Well, |trouble| trouble.verdict(attempting.impatient()));
    pass.judge(verdict, record.tick(), chances.next());
    busy.went(at, matches!(&result, Ok(answer) if answer.status == 200), said(&result));
    match result {
        Ok(Answer { body: AnswerBody::Stream(flow), status, request_id, timings, .. }) => {
            record.attempt_answered(status, request_id, None, timings);
            let mut flow = Outflow::new(flow, attempting, record);
            while let Some(piece) = std::future::poll_fn(|cx| flow.poll_next(cx)).await {
                if let Err(refusal) = piece {
                    busy.went(at, false, format!("{}: {}", refusal.code, refusal.code.summary()));
                }
            }
        }
        Ok(whole) => drop(record.finish_whole(&attempting, whole, None)),
        Err(failed) => {
            record.attempt_failed(&attempting, &failed);
            record.finish(Ending::Failed, 0, Some(failed.code));
        }
    }
}

fn said(result: &Result<Answer, Failed>) -> String {
    match result {
        Ok(Answer { status: 200, .. }) => "answered".into(),
        Ok(answer) => format!("{} {}", answer.status, answer.error.as_deref().unwrap_or("error")),
        Err(failed) => format!("{}: {}", failed.code, failed.code.summary()),
    }
}

/// The random part of an id, drawn from the chances of the call that was copied.
struct Drawn(AtomicU64, AtomicU64);

impl Drawn {
    fn of(chances: &mut Chances) -> Self {
        let mut two = || AtomicU64::new(u64::from(chances.next()) << 32 | u64::from(chances.next()));
        Self(two(), two())
    }
}

impl Ids for Drawn {
    fn fill(&self, out: &mut [u8]) {
        let (a, b) = (self.0.load(Ordering::Relaxed), self.1.load(Ordering::Relaxed));
        let bytes = a.to_be_bytes().into_iter().chain(b.to_be_bytes()).cycle();
        out.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    }
}
