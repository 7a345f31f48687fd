//! The record of one call: opened at its start, settled exactly once.

mod attempts;
mod cached;
mod held;
mod rated;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bedplate_core::call::{CallId, Dialect, Headers, Operation};
use bedplate_core::clock::{Tick, Timestamp};
use bedplate_core::content::Content;
use bedplate_core::conversation::Dropped;
use bedplate_core::money::Cost;
use bedplate_core::principal::Principal;
use bedplate_core::record::{AttemptTimings, CallRow, Degraded, Ending, Outcome, Timings};
use bedplate_core::refusal::{Code, Refusal};
use bedplate_core::usage::{Usage, UsageBasis};
use bedplate_core::view::Edits;
use bedplate_cost::PriceBook;

use crate::budget::{Hold, Spent};
use crate::call::Tags;
use crate::compose::Aim;
use crate::invoke::Told;
use crate::invoke::inflight::Attempting;
use crate::invoke::trouble::End;
use crate::pace::Room;
use crate::provider::{Answer, AnswerBody};
use crate::settle::notes::{Notes, micros};
use crate::settle::{Admission, Books};
use crate::throttle::{Rated, Toll, counted};
use held::charge;

/// Written by the phases, read by nobody but the sinks. Dropped without being finished (a panic, a
/// door that gave up) it settles itself.
pub struct Record {
    notes: Notes,
    began: Tick,
    admission: Admission,
    /// `None` once settled.
    outcome: Option<Box<Outcome>>,
    /// Until when attempts are among what was waited for: of two at a time the time counts once.
    heard_until: Tick,
    /// The attempt under way: what its answer said before its usage was known.
    answered: Option<Answering>,
    /// What the call holds in budgets.
    hold: Option<Hold>,
    /// How the rates stood that concern the call.
    rated: Option<Rated>,
    /// The tokens that it took from them.
    toll: Option<Toll>,
    /// Slots of throttles that it has.
    slots: Vec<Room>,
    /// What attempts came to for which that is held.
    spent: Spent,
}

struct Answering {
    status: u16,
    request_id: Option<String>,
    error: Option<String>,
    timings: AttemptTimings,
}

impl Record {
    /// Opens the record of a call whose place in the ledger is taken (or was refused).
    pub fn open(books: Arc<Books>, id: CallId, at: Timestamp, began: Tick, admission: Admission) -> Self {
        books.open.fetch_add(1, Ordering::Relaxed);
        for sink in &books.sinks {
            sink.begun();
        }
        let nobody = Arc::clone(&books.nobody);
        let call = CallRow {
            id,
            admitted_at: at,
            dialect: Dialect::Bedrock,
            operation: None,
            model: String::new(),
            key: None,
            team: Arc::clone(&nobody),
            feature: Arc::clone(&nobody),
            environment: nobody,
            user: None,
            chain: None,
            prompt: None,
            trace: None,
            parent_span: None,
            ending: Ending::Abandoned,
            status: 0,
            code: None,
            stage: None,
            error: None,
            usage: Usage::default(),
            basis: UsageBasis::None,
            cost: Cost::FREE,
            stop_reason: None,
            timings: Timings::default(),
            bytes_in: 0,
            bytes_out: 0,
            edits: Vec::new(),
            metadata: Vec::new(),
            stamped: 0,
            unstamped: 0,
            charges: Vec::new(),
            blocked: None,
            throttled: None,
            bounded: None,
            cache: None,
            degraded: None,
        };
        let outcome = Some(Box::new(Outcome { call, attempts: Vec::with_capacity(1) }));
        Self {
            notes: Notes::new(id, books, at),
            began,
            admission,
            outcome,
            heard_until: began,
            answered: None,
            hold: None,
            rated: None,
            toll: None,
            slots: Vec::new(),
            spent: Spent::NOTHING,
        }
    }

    pub fn id(&self) -> CallId {
        self.notes.id
    }

    /// How long the call has waited for room.
    pub(crate) fn has_queued(&self) -> std::time::Duration {
        let queued = self.outcome.as_ref().and_then(|outcome| outcome.call.timings.queued);
        std::time::Duration::from_micros(queued.unwrap_or(0))
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(crate) fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }

    /// What is called, as far as the path tells.
    pub fn called(&mut self, operation: Operation, name: &str, tags: &Tags) {
        self.write(|call| {
            call.operation = Some(operation);
            call.model = name.to_owned();
            call.user.clone_from(&tags.user);
            call.chain.clone_from(&tags.chain);
            if let Some((trace, parent)) = &tags.trace {
                call.trace = Some(trace.clone());
                call.parent_span = Some(parent.clone());
            }
        });
    }

    /// The body has been read; `waited` is how long the caller took to send it.
    pub fn body_read(&mut self, bytes: usize, waited: std::time::Duration) {
        let at = self.elapsed();
        self.notes.waited += micros(waited);
        self.write(|call| {
            call.bytes_in = bytes as u64;
            call.timings.body_read = Some(at);
        });
    }

    /// Settles a refusal, with the status and error name that the door's dialect gives it.
    pub fn refused(mut self, refusal: &Refusal, status: u16, error: &str) {
        self.write(|call| {
            call.stage = Some(refusal.code.stage());
            call.error = Some(error.to_owned());
        });
        self.finish(Ending::Refused, status, Some(refusal.code));
    }

    pub(crate) fn tick(&self) -> Tick {
        self.notes.books.clock.tick()
    }

    pub(crate) fn admitted(&mut self, principal: &Principal) {
        self.write(|call| {
            call.key = Some(principal.key.clone());
            call.team = Arc::clone(&principal.team);
            call.feature = Arc::clone(&principal.feature);
            call.environment = Arc::clone(&principal.environment);
        });
    }

    /// What the call is sent, from now on.
    pub(crate) fn aimed(&mut self, aim: &mut Aim) {
        let (stamped, metadata) = (aim.stamped, std::mem::take(&mut aim.edits.metadata));
        let prompt = aim.prompt.take();
        self.write(|call| {
            if let Some(stamped) = stamped {
                call.stamped = u8::try_from(stamped.kept).unwrap_or(u8::MAX);
                call.unstamped = u8::try_from(stamped.dropped).unwrap_or(u8::MAX);
                call.metadata = metadata;
            }
            call.prompt = prompt.map(Box::new);
        });
        self.edited(&aim.edits);
    }

    pub(crate) fn books(&self) -> &Books {
        &self.notes.books
    }

    pub(crate) fn shared_books(&self) -> Arc<Books> {
        Arc::clone(&self.notes.books)
    }

    /// The prices of the moment at which the call was admitted.
    pub(crate) fn prices(&self) -> PriceBook {
        self.notes.prices()
    }

    /// The answer is less than was asked for.
    pub(crate) fn degrade(&mut self, by: Degraded) {
        self.write(|call| call.degraded = Some(by));
    }

    pub(crate) fn degraded(&self) -> Option<Degraded> {
        self.outcome.as_ref().and_then(|o| o.call.degraded)
    }

    /// What was changed in the request is more than was known when it was composed.
    pub(crate) fn edited(&mut self, edits: &Edits) {
        self.write(|call| call.edits.clone_from(&edits.said));
    }

    /// The target has no place for some of the request.
    pub(crate) fn dropped(&mut self, dropped: &[Dropped]) {
        if !dropped.is_empty() {
            self.write(|call| call.edits.extend(dropped.iter().map(|d| format!("dropped {}", d.name()))));
        }
    }

    /// The language of the caller, where it is not Bedrock's.
    pub fn spoken(&mut self, dialect: Dialect) {
        self.write(|call| call.dialect = dialect);
    }

    pub(crate) fn cleared(&mut self) {
        let at = self.elapsed();
        self.write(|call| call.timings.cleared = Some(at));
    }

    pub(crate) fn first_byte(&mut self) {
        let at = self.elapsed();
        self.write(|call| call.timings.first_byte = Some(at));
    }

    pub(crate) fn first_token(&mut self) {
        if self.outcome.as_ref().is_some_and(|o| o.call.timings.first_token.is_none()) {
            let at = self.elapsed();
            self.write(|call| call.timings.first_token = Some(at));
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.write(|call| call.bytes_out += bytes as u64);
    }

    /// The stream carried an exception of this AWS name.
    pub(crate) fn cut_by(&mut self, exception: Option<String>) {
        self.write(|call| call.error = exception);
    }

    /// The call waited for room.
    pub(crate) fn queued(&mut self, began: Tick) {
        let waited = micros(self.tick().since(began));
        self.notes.waited += waited;
        self.write(|call| *call.timings.queued.get_or_insert(0) += waited);
    }

    /// Settles a whole answer and gives back what goes to the caller. `ending` when it is not plain
    /// from the status.
    pub(crate) fn finish_whole(
        mut self,
        attempting: &Attempting,
        answer: Answer,
        ending: Option<Ending>,
    ) -> (Headers, Content) {
        let Answer { status, headers, request_id, error, body, timings, .. } = answer;
        let (content, metered, ended) = match body {
            AnswerBody::Whole(content, metered) => (content, metered, End::Whole),
            AnswerBody::Stream(flow) => (Content::default(), flow.metered(), End::Unread),
        };
        let mut metered = metered;
        if metered.usage.is_none() {
            metered.output_bytes = content.len() as u64;
        }
        self.first_byte();
        self.sent(content.len());
        self.attempt_answered(status, request_id, error.clone(), timings);
        self.attempt_metered(attempting, metered, ended);
        let good = status < 400;
        self.write(|call| {
            call.error = error;
            call.stage = (!good).then_some(Code::UpstreamError.stage());
        });
        let by_status = if good { Ending::Answered } else { Ending::Failed };
        self.finish(ending.unwrap_or(by_status), status, (!good).then_some(Code::UpstreamError));
        (headers, content)
    }

    /// Settles a call that is answered with what is there: an upstream's error whose attempt is written down already,
    /// or an answer of our own.
    pub(crate) fn finish_told(mut self, told: &Told) {
        self.first_byte();
        self.sent(told.body.len());
        let code = told.error.is_some().then_some(Code::UpstreamError);
        self.write(|call| {
            call.error.clone_from(&told.error);
            call.stop_reason = told.stop_reason.map(str::to_owned);
        });
        let ending = if code.is_some() { Ending::Failed } else { Ending::Answered };
        self.finish(ending, told.status, code);
    }

    /// Settles what was answered here: nobody else was asked.
    pub fn told(mut self, bytes: usize) {
        self.first_byte();
        self.sent(bytes);
        self.finish(Ending::Answered, 200, None);
    }

    pub(crate) fn finish(mut self, ending: Ending, status: u16, code: Option<Code>) {
        self.write(|call| {
            call.ending = ending;
            call.status = status;
            call.code = code;
            if let Some(code) = code {
                call.stage = Some(code.stage());
            }
        });
        self.settle();
    }

    fn settle(&mut self) {
        let Some(mut outcome) = self.outcome.take() else { return };
        let total = micros(self.notes.books.clock.tick().since(self.began));
        outcome.call.timings.total = total;
        outcome.call.timings.overhead = total.saturating_sub(self.notes.waited);
        if let Some(hold) = self.hold.take() {
            charge(&mut outcome.call.charges, hold.settle(self.spent));
        }
        self.leave_slots();
        if let Some(toll) = self.toll.take() {
            toll.settle(counted(&outcome.call.usage));
        }
        let outcome: Arc<Outcome> = Arc::from(outcome);
        if self.admission == Admission::Placed {
            self.notes.books.intake.settle(Arc::clone(&outcome));
        }
        for sink in &self.notes.books.sinks {
            sink.settle(&outcome);
        }
        self.notes.books.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn write(&mut self, f: impl FnOnce(&mut CallRow)) {
        if let Some(outcome) = &mut self.outcome {
            f(&mut outcome.call);
        }
    }

    fn elapsed(&self) -> u64 {
        micros(self.notes.books.clock.tick().since(self.began))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.outcome.is_some() {
            if std::thread::panicking() {
                self.write(|call| {
                    call.ending = Ending::Failed;
                    call.status = 500;
                    call.code = Some(Code::Bug);
                });
            }
            self.settle();
        }
    }
}
