//! An answer.

pub(crate) mod breaker;
pub(crate) mod chances;
mod course;
pub(crate) mod deadline;
pub(crate) mod exercise;
mod hedge;
pub(crate) mod hedges;
pub(crate) mod inflight;
mod race;
pub(crate) mod retries;
mod told;
pub(crate) mod trouble;

use std::sync::Arc;

use bedplate_core::refusal::{Code, Refusal, Retry};
use tokio::time::Instant;

use crate::admit::Admitted;
use crate::cache::{Caching, Fill, Kept};
use crate::compose::{Aim, Composed};
use crate::guard::Cleared;
use crate::invoke::breaker::Pass;
use crate::invoke::course::{Course, Next};
use crate::invoke::deadline::{Deadlines, Timeouts};
use crate::invoke::inflight::{Attempting, InFlight};
use crate::invoke::retries::Retries;
use crate::invoke::trouble::Trouble;
use crate::model::Outputs;
use crate::pace::Room;
use crate::pipeline::{Drain, Refused};
use crate::provider::{Answer, Ask};
use crate::settle::notes::Notes;
use crate::settle::record::Record;
pub(crate) use told::Told;

/// An upstream's answer and what settles it. Only [`invoke`] makes one.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) attempting: Attempting,
    pub(crate) record: Record,
}

/// What a call is given.
#[allow(clippy::large_enum_variant, reason = "one a call, and moved once: less than a box costs")]
pub(crate) enum Given {
    Answered(Answered),
    /// An earlier answer.
    Kept(Kept, Record),
    /// An answer of our own, or an upstream's error that was followed by attempts.
    Told(Told, Record),
}

/// By which a call is asked.
pub(crate) struct Terms<'a> {
    pub(crate) timeouts: Timeouts,
    /// The caller's own deadline, which `timeouts` keep to.
    pub(crate) until: Option<Instant>,
    pub(crate) drain: Drain,
    /// Of calls that name no alias.
    pub(crate) retries: &'a Arc<Retries>,
    pub(crate) cache: &'a Caching,
    /// Whether an earlier answer may be given.
    pub(crate) cached: bool,
}

/// How native bodies ask for a guardrail.
const GUARDRAIL: &str = "x-amzn-bedrock-guardrailidentifier";

/// Asks until there is an answer, or nothing more is worth asking. What has begun to go to the caller is never asked
/// again: a stream's answer is given once its first event has come.
pub(crate) async fn invoke(
    cleared: Cleared,
    mut record: Record,
    terms: Terms<'_>,
    fill: Option<Fill>,
    stale: &mut Option<Kept>,
) -> Result<Given, Refused> {
    let mut course = Course::new(cleared.0, terms, fill, &record);
    if course.passes_over() {
        match course.next(Trouble::OPEN, stale, &mut record).await {
            Next::Kept(kept) => return Ok(Given::Kept(kept, record)),
            Next::Told(told) => return Ok(Given::Told(told, record)),
            // nothing else can answer: then the first is asked all the same
            Next::Ask | Next::End => {}
        }
    }
    loop {
        if !course.room(&mut record).await {
            match course.next(Trouble::FULL, stale, &mut record).await {
                Next::Ask => continue,
                Next::Kept(kept) => return Ok(Given::Kept(kept, record)),
                Next::Told(told) => return Ok(Given::Told(told, record)),
                Next::End => return course.end(record),
            }
        }
        let attempting = course.attempting(&record);
        let attempt = course.attempt(&attempting);
        let (result, attempting, back) = match course.hedge() {
            None => InFlight::new(attempt, attempting, record).await,
            // in a box, so that other calls are no larger
            Some(after) => Box::pin(hedge::race(&mut course, after, attempt, attempting, record)).await,
        };
        record = back;
        let trouble = Trouble::of(&result);
        course.judge(trouble, &attempting, &record);
        if trouble.is_some()
            && let Some(told) = course.refused.take()
        {
            course.went_wrong(result, &attempting, &mut record);
            return Ok(Given::Told(told, record));
        }
        let (result, trouble) = match (result, trouble) {
            (result, Some(trouble)) if course.goes_on() => (result, trouble),
            (Ok(answer), _) => {
                course.answers(&answer, &mut record);
                return Ok(Given::Answered(Answered { answer, attempting, record }));
            }
            (Err(failed), _) => {
                record.attempt_failed(&attempting, &failed);
                return Err(Refused::new(refusal(failed.code, failed.said, failed.cause), record));
            }
        };
        course.went_wrong(result, &attempting, &mut record);
        match course.next(trouble, stale, &mut record).await {
            Next::Ask => {}
            Next::Kept(kept) => return Ok(Given::Kept(kept, record)),
            Next::Told(told) => return Ok(Given::Told(told, record)),
            Next::End => return course.end(record),
        }
    }
}

/// What an attempt at the target of a call is made of.
fn ask(admitted: &mut Admitted, aim: &Aim, last: bool, attempting: &Attempting) -> Ask {
    let call = &mut admitted.call;
    let stands_in = *aim.target != *call.name;
    // what no other attempt needs is not copied
    let (path, query, mut headers) = match last {
        true => (
            std::mem::take(&mut call.path),
            std::mem::take(&mut call.query),
            std::mem::take(&mut call.headers),
        ),
        false => (call.path.clone(), call.query.clone(), call.headers.clone()),
    };
    for (name, value) in &aim.edits.headers {
        headers.set(name, value.clone());
    }
    Ask {
        operation: call.operation,
        path,
        stands_in,
        query,
        headers,
        who: Some(admitted.principal.clone()),
        body: aim.edits.apply(call.body.content()),
        sha256: call.body.sha256(&aim.edits),
        target: Arc::clone(&aim.target),
        model: Arc::clone(&aim.model),
        spoken: call.body.spoken(),
        refuses: aim.edits.refuses,
        sent: Arc::clone(&attempting.sent),
    }
}

fn attempting(
    composed: &Composed,
    aim: &Aim,
    notes: &Notes,
    (deadlines, until): (Deadlines, Option<Instant>),
    drain: Drain,
    (pass, room): (Option<&Pass>, Option<Room>),
) -> Attempting {
    let (call, began) = (&composed.admitted.call, notes.tick());
    Attempting {
        provider: aim.provider.facts().clone(),
        target: Arc::clone(&aim.target),
        lead: aim.lead.clone(),
        began,
        waits_from: began,
        operation: call.operation,
        max_tokens: call.body.view().max_tokens().or(notes.longest()),
        estimate: notes.books.estimates.of(&aim.model, call.body.content().len() as u64),
        guarded: call.body.view().guarded() || call.headers.get(GUARDRAIL).is_some(),
        sent: Arc::default(),
        deadlines,
        drain,
        length: length(composed),
        room,
        until,
        watch: pass.filter(|_| call.operation.streams()).map(Pass::watch),
    }
}

/// An answer that the caller bounded says nothing about those that nobody bounds.
fn length(composed: &Composed) -> Option<(Arc<Outputs>, Option<u64>)> {
    let outputs = composed.way.as_ref()?.alias.outputs.as_ref()?;
    let open = composed.admitted.call.body.view().max_tokens().is_none();
    open.then(|| (Arc::clone(outputs), composed.bound.map(|bound| bound.tokens)))
}

fn refusal(code: Code, said: Option<String>, cause: String) -> Refusal {
    let retry = match code {
        // nothing was sent, so nothing was billed
        Code::ConnectTimeout | Code::Unreachable | Code::NoUpstreamCredentials => Retry::Elsewhere,
        _ => Retry::Never,
    };
    let refusal = said.map_or_else(|| Refusal::of(code), |said| Refusal::new(code, said));
    refusal.retry(retry).because(cause)
}
