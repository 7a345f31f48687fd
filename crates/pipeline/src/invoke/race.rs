//! Two attempts of one call under way at a time, and the record that waits for them.
//!
//! When the caller goes away, both are read to their end as one is (`inflight.rs`), and both are written down before the
//! record settles.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bedplate_core::BoxFuture;
use bedplate_core::record::{AttemptTimings, Ending};
use tokio::time::{Instant, timeout_at};

use super::deadline::now;
use super::inflight::{Attempting, CLIENT_CLOSED, InFlight, detach};
use super::trouble::End;
use crate::budget::Hold;
use crate::provider::{Answer, AnswerBody, Failed, Flow};
use crate::settle::record::Record;

type Attempt = BoxFuture<'static, Result<Answer, Failed>>;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Which {
    First,
    Second,
}

/// Waits for one attempt or two. Dropped before they have ended, it drains.
pub(super) struct Race {
    /// `None` once the race is over.
    record: Option<Record>,
    first: Option<Runner>,
    second: Option<Runner>,
}

pub(super) struct Runner {
    pub(super) attempt: Attempt,
    pub(super) attempting: Attempting,
    /// What the second holds in budgets, beside what the call holds.
    pub(super) hold: Option<Hold>,
}

/// One that has ended.
pub(super) struct Ended {
    pub(super) which: Which,
    pub(super) result: Result<Answer, Failed>,
    pub(super) attempting: Attempting,
    pub(super) hold: Option<Hold>,
}

/// What came first: an attempt's end, or what was done meanwhile.
#[allow(clippy::large_enum_variant, reason = "one a race, and moved once: less than a box costs")]
pub(super) enum First<T> {
    Ended(Ended),
    Done(T),
}

impl Race {
    pub(super) fn new(attempt: Attempt, attempting: Attempting, record: Record) -> Self {
        let first = Runner { attempt, attempting, hold: None };
        Self { record: Some(record), first: Some(first), second: None }
    }

    pub(super) fn join(&mut self, second: Runner) {
        self.second = Some(second);
    }

    pub(super) fn is_on(&self) -> bool {
        self.first.is_some() || self.second.is_some()
    }

    /// The next that ends.
    pub(super) async fn ended(&mut self) -> Ended {
        poll_fn(|cx| self.poll_ended(cx)).await
    }

    /// The next that ends, or what comes of `work` before it.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> First<T> {
        let mut work = std::pin::pin!(work);
        poll_fn(|cx| match self.poll_ended(cx) {
            Poll::Ready(ended) => Poll::Ready(First::Ended(ended)),
            Poll::Pending => work.as_mut().poll(cx).map(First::Done),
        })
        .await
    }

    /// Writes into the record.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            write(record);
        }
    }

    /// Lets go whoever is still under way, and gives the record back.
    pub(super) fn over(mut self) -> Option<Record> {
        let mut record = self.record.take()?;
        for runner in [self.first.take(), self.second.take()].into_iter().flatten() {
            runner.let_go(&mut record);
        }
        Some(record)
    }

    /// Of two that end at once the first is the first.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        for (which, place) in [(Which::First, &mut self.first), (Which::Second, &mut self.second)] {
            let Some(runner) = place else { continue };
            if let Poll::Ready(result) = runner.attempt.as_mut().poll(cx)
                && let Some(Runner { attempting, hold, .. }) = place.take()
            {
                return Poll::Ready(Ended { which, result, attempting, hold });
            }
        }
        Poll::Pending
    }
}

impl Runner {
    fn sent(&self) -> bool {
        self.attempting.sent.load(Ordering::Relaxed)
    }

    fn let_go(self, record: &mut Record) {
        let Self { attempt, attempting, hold } = self;
        drop(attempt);
        record.apart(hold, |record| record.attempt_abandoned(&attempting));
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        match (self.first.take(), self.second.take()) {
            (Some(first), Some(second)) if first.sent() && second.sent() => {
                let until = (now() + first.attempting.drain.bound).min(first.attempting.deadlines.total);
                detach(drain(Both::new([first, second], record), until));
            }
            // what never left is not sent for nobody
            (Some(first), Some(second)) if first.sent() => {
                second.let_go(&mut record);
                first.drain(record);
            }
            (Some(first), Some(second)) => {
                first.let_go(&mut record);
                second.drain(record);
            }
            (Some(one), None) | (None, Some(one)) => one.drain(record),
            (None, None) => {}
        }
    }
}

impl Runner {
    /// Nobody waits any more for the only one that is left.
    fn drain(self, mut record: Record) {
        if let Some(hold) = self.hold {
            record.holds_another(hold);
        }
        drop(InFlight::new(self.attempt, self.attempting, record));
    }
}

/// Two that nobody waits for any more. Dropped, it settles with what was heard until then.
struct Both {
    record: Option<Record>,
    readings: [Option<Reading>; 2],
}

struct Reading {
    state: State,
    attempting: Attempting,
    hold: Option<Hold>,
}

#[allow(clippy::large_enum_variant, reason = "two a race whose caller left, and moved once")]
enum State {
    Asked(Attempt),
    Streams {
        flow: Box<dyn Flow>,
        status: u16,
        request_id: Option<String>,
        timings: AttemptTimings,
        /// An exception that it carried.
        thrown: Option<String>,
        ended: End,
    },
    Ended(Result<Answer, Failed>),
}

async fn drain(mut both: Both, until: Instant) {
    // however it ends, dropping it settles
    let _ = timeout_at(until, poll_fn(|cx| both.poll_over(cx))).await;
}

impl Both {
    fn new(runners: [Runner; 2], record: Record) -> Self {
        let reading = |runner: Runner| {
            let Runner { attempt, attempting, hold } = runner;
            Some(Reading { state: State::Asked(attempt), attempting, hold })
        };
        Self { record: Some(record), readings: runners.map(reading) }
    }

    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for place in &mut self.readings {
            if let Some(reading) = place
                && reading.poll_over(cx).is_ready()
                && let (Some(reading), Some(record)) = (place.take(), &mut self.record)
            {
                reading.write(record);
            }
        }
        if self.readings.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Reading {
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let next = match &mut self.state {
                State::Asked(attempt) => match ready!(attempt.as_mut().poll(cx)) {
                    Ok(Answer { body: AnswerBody::Stream(flow), status, request_id, timings, .. }) => {
                        State::Streams { flow, status, request_id, timings, thrown: None, ended: End::Unread }
                    }
                    result => State::Ended(result),
                },
                State::Streams { flow, ended, thrown, .. } => {
                    let (code, exception) = match ready!(flow.poll_piece(cx)) {
                        Some(Ok(piece)) => {
                            *thrown = piece.heard.exception.or(thrown.take());
                            continue;
                        }
                        Some(Err(broke)) => (Some(broke.code), thrown.take()),
                        None => (None, thrown.take()),
                    };
                    *ended = End::of(code, exception);
                    return Poll::Ready(());
                }
                State::Ended(_) => return Poll::Ready(()),
            };
            self.state = next;
        }
    }

    fn write(self, record: &mut Record) {
        let Self { state, attempting, hold } = self;
        record.apart(hold, |record| match state {
            State::Asked(_) => record.attempt_abandoned(&attempting),
            State::Streams { flow, status, request_id, timings, ended, .. } => {
                record.attempt_answered(status, request_id, None, timings);
                record.attempt_metered(&attempting, flow.metered(), ended);
            }
            State::Ended(Ok(answer)) => record.attempt_unread(&attempting, answer),
            State::Ended(Err(failed)) => record.attempt_failed(&attempting, &failed),
        });
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        for place in &mut self.readings {
            if let Some(reading) = place.take() {
                reading.write(&mut record);
            }
        }
        record.finish(Ending::Abandoned, CLIENT_CLOSED, None);
    }
}
