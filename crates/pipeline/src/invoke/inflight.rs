//! An attempt that outlives a caller who hangs up.
//!
//! AWS bills what a model generates, whether or not anybody still reads. So when the caller goes away
//! while an attempt is under way, the attempt is moved to a task of its own, read to its end within a
//! bound, and then settled with what it really used.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bedplate_core::BoxFuture;
use bedplate_core::call::Operation;
use bedplate_core::clock::Tick;
use bedplate_core::record::Ending;
use tokio::time::Instant;

use crate::estimate::Estimate;
use crate::invoke::breaker::Watch;
use crate::invoke::deadline::{Deadlines, now};
use crate::invoke::trouble::End;
use crate::model::Outputs;
use crate::pace::Room;
use crate::pipeline::Drain;
use crate::provider::{Answer, AnswerBody, Failed, Flow, Lead, ProviderFacts};
use crate::settle::record::Record;

/// What is known about an attempt while it runs.
pub(crate) struct Attempting {
    pub(crate) provider: ProviderFacts,
    pub(crate) target: Arc<str>,
    pub(crate) lead: Lead,
    pub(crate) began: Tick,
    /// Since when the call waits for it: of a second request since the first began.
    pub(crate) waits_from: Tick,
    pub(crate) operation: Operation,
    pub(crate) max_tokens: Option<u64>,
    /// Of its prompt.
    pub(crate) estimate: Estimate,
    /// The request asks for a guardrail.
    pub(crate) guarded: bool,
    /// Whether anything has been sent.
    pub(crate) sent: Arc<AtomicBool>,
    pub(crate) deadlines: Deadlines,
    pub(crate) drain: Drain,
    /// What is learned of the length of its answer: of whom, and what we bounded it to.
    pub(crate) length: Option<(Arc<Outputs>, Option<u64>)>,
    /// Room at its target; `None` where nothing bounds it.
    pub(crate) room: Option<Room>,
    /// The caller's own deadline, which `deadlines` keep to.
    pub(crate) until: Option<Instant>,
    /// Told how a stream ends; `None` where no breaker gave leave.
    pub(crate) watch: Option<Watch>,
}

impl Attempting {
    /// Whether the caller's own deadline has passed: that an attempt took too long says nothing then.
    pub(crate) fn impatient(&self) -> bool {
        self.until.is_some_and(|until| now() >= until)
    }
}

type Attempt = BoxFuture<'static, Result<Answer, Failed>>;

/// Waits for an attempt. Dropped before it is ready, it drains.
pub(crate) struct InFlight {
    attempt: Option<Attempt>,
    held: Unsettled,
}

/// A record whose attempt is under way, and its stream once that has begun. Dropped (the worker ended
/// before the drain did) it settles with what was heard until then.
pub(crate) struct Unsettled {
    held: Option<(Attempting, Record)>,
    flow: Option<Box<dyn Flow>>,
    /// How that ended.
    ended: End,
}

impl Unsettled {
    pub(crate) fn new(attempting: Attempting, record: Record) -> Self {
        Self { held: Some((attempting, record)), flow: None, ended: End::Unread }
    }

    pub(crate) fn streaming(attempting: Attempting, record: Record, flow: Box<dyn Flow>) -> Self {
        Self { held: Some((attempting, record)), flow: Some(flow), ended: End::Unread }
    }

    fn take(&mut self) -> Option<(Attempting, Record)> {
        self.held.take()
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        if let Some((attempting, mut record)) = self.held.take() {
            match self.flow.take() {
                Some(flow) => {
                    let ended = std::mem::replace(&mut self.ended, End::Unread);
                    record.attempt_metered(&attempting, flow.metered(), ended);
                }
                None => record.attempt_abandoned(&attempting),
            }
            record.finish(Ending::Abandoned, CLIENT_CLOSED, None);
        }
    }
}

impl InFlight {
    pub(crate) fn new(attempt: Attempt, attempting: Attempting, record: Record) -> Self {
        Self { attempt: Some(attempt), held: Unsettled::new(attempting, record) }
    }
}

impl Future for InFlight {
    type Output = (Result<Answer, Failed>, Attempting, Record);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(attempt) = self.attempt.as_mut() else { return Poll::Pending };
        let Poll::Ready(result) = attempt.as_mut().poll(cx) else { return Poll::Pending };
        self.attempt = None;
        match self.held.take() {
            Some((attempting, record)) => Poll::Ready((result, attempting, record)),
            None => Poll::Pending,
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let Some(attempt) = self.attempt.take() else { return };
        let Some((attempting, record)) = self.held.take() else { return };
        let sent = attempting.sent.load(Ordering::Relaxed);
        let held = Unsettled::new(attempting, record);
        // what never left is not sent for nobody
        if sent {
            detach(drain_attempt(attempt, held));
        }
    }
}

/// The one home of detached work: it ends within the drain bound and settles a record.
#[expect(
    clippy::disallowed_methods,
    reason = "the home of work that outlives its caller, bounded and settled"
)]
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    // without a runtime (the worker is ending) the record settles itself when it is dropped
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::spawn(work);
    }
}

async fn drain_attempt(attempt: Attempt, mut held: Unsettled) {
    let Some((attempting, _)) = &held.held else { return };
    let until = now() + attempting.drain.bound;
    let answer = tokio::time::timeout_at(until.min(attempting.deadlines.total), attempt).await;
    let Some((attempting, mut record)) = held.take() else { return };
    match answer {
        Ok(Ok(Answer { body: AnswerBody::Stream(flow), status, request_id, timings, .. })) => {
            record.attempt_answered(status, request_id, None, timings);
            drain_flow(Unsettled::streaming(attempting, record, flow), until).await;
        }
        Ok(Ok(answer)) => {
            record.finish_whole(&attempting, answer, Some(Ending::Abandoned));
        }
        Ok(Err(failed)) => {
            record.attempt_failed(&attempting, &failed);
            record.finish(Ending::Abandoned, CLIENT_CLOSED, Some(failed.code));
        }
        Err(_) => {
            record.attempt_abandoned(&attempting);
            record.finish(Ending::Abandoned, CLIENT_CLOSED, None);
        }
    }
}

/// Reads a stream to its end, or until the bound; dropping what is held settles it.
pub(crate) async fn drain_flow(mut held: Unsettled, until: Instant) {
    let Some(flow) = &mut held.flow else { return };
    let end = async {
        let mut exception = None;
        loop {
            match std::future::poll_fn(|cx| flow.poll_piece(cx)).await {
                Some(Ok(piece)) => exception = piece.heard.exception.or(exception),
                Some(Err(broke)) => return End::of(Some(broke.code), exception),
                None => return End::of(None, exception),
            }
        }
    };
    // however it ends, what was counted stands; without usage it is an estimate
    held.ended = tokio::time::timeout_at(until, end).await.unwrap_or(End::Unread);
}

/// What nginx made customary for a caller who hung up.
pub(crate) const CLIENT_CLOSED: u16 = 499;
