//! The attempts of a call, each written down when it is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedplate_core::record::{AttemptRow, AttemptTimings};
use bedplate_core::refusal::Code;
use bedplate_core::usage::UsageBasis;

use super::{Answering, Record, charge};
use crate::budget::{Hold, Spent};
use crate::invoke::breaker::Verdict;
use crate::invoke::chances::Chances;
use crate::invoke::inflight::Attempting;
use crate::invoke::trouble::{End, Trouble};
use crate::pace::Went;
use crate::provider::{Answer, AnswerBody, Failed, Metered};
use crate::settle::notes::micros;
use crate::settle::used::Used;

impl Record {
    /// An answer has begun; its usage comes later.
    pub(crate) fn attempt_answered(
        &mut self,
        status: u16,
        request_id: Option<String>,
        error: Option<String>,
        timings: AttemptTimings,
    ) {
        self.answered = Some(Answering { status, request_id, error, timings });
    }

    pub(crate) fn attempt_failed(&mut self, attempting: &Attempting, failed: &Failed) {
        self.attempt_answered(0, failed.request_id.clone(), None, failed.timings);
        let used = if failed.sent { Used::unheard(attempting) } else { Used::nothing() };
        self.attempt(attempting, Some(failed.code), &End::Whole, used);
    }

    /// The attempt was let go before it answered.
    pub(crate) fn attempt_abandoned(&mut self, attempting: &Attempting) {
        if self.answered.is_none() {
            self.attempt_answered(0, None, None, AttemptTimings::default());
        }
        let sent = attempting.sent.load(Ordering::Relaxed);
        let used = if sent { Used::unheard(attempting) } else { Used::nothing() };
        self.attempt(attempting, None, &End::Unread, used);
    }

    /// The attempt is over, and this is how its answer ended and what it used.
    pub(crate) fn attempt_metered(&mut self, attempting: &Attempting, metered: Metered, ended: End) {
        if let Some(answered) = &mut self.answered {
            answered.timings.upstream_latency_ms = metered.latency_ms;
            if let End::Thrown(name) = &ended {
                answered.error = Some(name.clone());
            }
        }
        let code = if let End::Cut(code) = ended { Some(code) } else { None };
        let failed = self.answered.as_ref().is_some_and(|a| a.status != 200);
        self.write(|call| call.stop_reason.clone_from(&metered.stop_reason));
        self.attempt(attempting, code, &ended, Used::heard(attempting, metered, failed));
    }

    /// An attempt whose answer nobody is given.
    pub(crate) fn attempt_unread(&mut self, attempting: &Attempting, answer: Answer) {
        let (metered, ended) = match answer.body {
            AnswerBody::Whole(content, metered) if metered.usage.is_none() => {
                (Metered { output_bytes: content.len() as u64, ..metered }, End::Whole)
            }
            AnswerBody::Whole(_, metered) => (metered, End::Whole),
            AnswerBody::Stream(flow) => (flow.metered(), End::Unread),
        };
        self.attempt_answered(answer.status, answer.request_id, answer.error, answer.timings);
        self.attempt_metered(attempting, metered, ended);
    }

    /// Writes down an attempt that has a hold of its own, which settles with that attempt alone.
    pub(crate) fn apart(&mut self, hold: Option<Hold>, write: impl FnOnce(&mut Self)) {
        let Some(hold) = hold else { return write(self) };
        let before = std::mem::replace(&mut self.spent, Spent::NOTHING);
        write(self);
        let own = std::mem::replace(&mut self.spent, before);
        let charges = hold.settle(own);
        self.write(|call| charge(&mut call.charges, charges));
    }

    fn attempt(&mut self, attempting: &Attempting, code: Option<Code>, ended: &End, used: Used) {
        let answered = self.answered.take().unwrap_or(Answering {
            status: 0,
            request_id: None,
            error: None,
            timings: AttemptTimings::default(),
        });
        let heard = answered.status != 0 || !attempting.sent.load(Ordering::Relaxed);
        let trouble = Trouble::of_end(answered.status, code, ended);
        let verdict = trouble.map_or(Verdict::Well, |trouble| trouble.verdict(attempting.impatient()));
        if let Some(watch) = attempting.watch.as_ref().filter(|_| ended.streamed()) {
            watch.judge(verdict, self.tick(), Chances::beside(self.id()).next());
        }
        if let Some(room) = &attempting.room {
            let went = went(answered.status, trouble, verdict, &answered.timings);
            room.settle(went, heard.then_some(&used.usage), self.tick());
        }
        let prices = self.prices();
        let (cost, price_basis) = used.price(attempting, &prices);
        let Used { usage, basis, tier, model, .. } = used;
        if let Some((outputs, bound)) = attempting.length.as_ref().filter(|_| answered.status == 200)
            && basis == UsageBasis::Reported
        {
            outputs.learn(usage.output, *bound);
        }
        if basis == UsageBasis::Reported {
            self.notes.books.estimates.learn(&attempting.estimate, usage.prompt());
        }
        let mut timings = answered.timings;
        let now = self.tick();
        timings.total = micros(now.since(attempting.began));
        self.notes.waited += micros(now.since(attempting.waits_from.max(self.heard_until)));
        self.heard_until = now;
        let price_version = prices.version();
        let Some(outcome) = &mut self.outcome else { return };
        outcome.call.usage.add(&usage);
        outcome.call.cost = outcome.call.cost.plus(cost);
        outcome.call.basis = either(outcome.call.basis, basis);
        self.spent.cost = self.spent.cost.plus(cost);
        self.spent.tokens = self.spent.tokens.saturating_add(usage.total());
        self.spent.certain &= matches!(basis, UsageBasis::Reported | UsageBasis::None);
        let n = u16::try_from(outcome.attempts.len() + 1).unwrap_or(u16::MAX);
        outcome.attempts.push(AttemptRow {
            n,
            provider: Arc::clone(&attempting.provider.name),
            region: Arc::clone(&attempting.provider.region),
            account: Arc::clone(&attempting.provider.account),
            target: Arc::clone(&attempting.target),
            model: model.map(Arc::from).or_else(|| attempting.lead.model().map(Arc::clone)),
            tier,
            status: answered.status,
            upstream_request_id: answered.request_id,
            code,
            error: answered.error,
            usage,
            basis,
            price_version,
            price_basis,
            cost,
            expected: if attempting.operation.metered() { attempting.estimate.tokens } else { 0 },
            timings,
        });
    }
}

/// What an attempt says about how much its target can bear.
fn went(status: u16, trouble: Option<Trouble>, verdict: Verdict, timings: &AttemptTimings) -> Went {
    match (verdict, trouble) {
        (Verdict::Well, _) if status == 200 => Went::Well(timings.first_token.map(Duration::from_micros)),
        (Verdict::Ill, Some(trouble)) if trouble.reached => Went::Ill,
        (_, Some(trouble)) if trouble.throttled => Went::Throttled,
        _ => Went::Unknown,
    }
}

/// Of several attempts that which is known the least.
fn either(a: UsageBasis, b: UsageBasis) -> UsageBasis {
    match (a, b) {
        (UsageBasis::Estimated, _) | (_, UsageBasis::Estimated) => UsageBasis::Estimated,
        (a, UsageBasis::None) => a,
        (_, b) => b,
    }
}
