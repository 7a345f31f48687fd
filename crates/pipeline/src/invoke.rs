//! An answer.

pub(crate) mod deadline;
pub(crate) mod inflight;

use std::sync::Arc;

use bedplate_core::refusal::{Code, Refusal, Retry};

use crate::cache::Fill;
use crate::guard::Cleared;
use crate::invoke::deadline::{Deadlines, Timeouts};
use crate::invoke::inflight::{Attempting, InFlight};
use crate::pipeline::{Drain, Refused};
use crate::provider::{Answer, Ask, Failed};
use crate::settle::record::Record;

/// An answer and what settles it. Only [`invoke`] makes one.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) attempting: Attempting,
    pub(crate) record: Record,
}

/// How native bodies ask for a guardrail.
const GUARDRAIL: &str = "x-amzn-bedrock-guardrailidentifier";

pub(crate) async fn invoke(
    cleared: Cleared,
    record: Record,
    timeouts: Timeouts,
    drain: Drain,
    fill: Option<Fill>,
) -> Result<Answered, Refused> {
    let composed = cleared.0;
    let call = composed.admitted.call;
    let attempting = Attempting {
        provider: composed.provider.facts().clone(),
        target: Arc::clone(&composed.target),
        lead: composed.lead,
        began: record.tick(),
        operation: call.operation,
        max_tokens: call.body.view().max_tokens().or_else(|| record.bounded()),
        estimate: record.books().estimates.of(&composed.model, call.body.content().len() as u64),
        guarded: call.body.view().guarded() || call.headers.get(GUARDRAIL).is_some(),
        sent: Arc::default(),
        deadlines: Deadlines::starting_now(&timeouts),
        drain,
    };
    let mut headers = call.headers;
    for (name, value) in &composed.edits.headers {
        headers.set(name, value.clone());
    }
    let ask = Ask {
        operation: call.operation,
        path: call.path,
        stands_in: *composed.target != *call.name,
        query: call.query,
        headers,
        who: Some(composed.admitted.principal),
        body: composed.edits.apply(call.body.content()),
        sha256: call.body.sha256(&composed.edits),
        target: composed.target,
        model: composed.model,
        sent: Arc::clone(&attempting.sent),
    };
    let attempt = composed.provider.attempt(ask, attempting.deadlines.clone());
    let attempt = match fill {
        Some(fill) => fill.through(attempt),
        None => attempt,
    };
    let (result, attempting, mut record) = InFlight::new(attempt, attempting, record).await;
    match result {
        Ok(answer) => Ok(Answered { answer, attempting, record }),
        Err(failed) => {
            record.attempt_failed(&attempting, &failed);
            Err(Refused::new(refusal(failed), record))
        }
    }
}

fn refusal(failed: Failed) -> Refusal {
    let retry = match failed.code {
        // nothing was sent, so nothing was billed
        Code::ConnectTimeout | Code::Unreachable | Code::NoUpstreamCredentials => Retry::Elsewhere,
        _ => Retry::Never,
    };
    Refusal::of(failed.code).retry(retry).because(failed.cause)
}
