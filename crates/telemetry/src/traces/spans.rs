//! From an outcome to its spans.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use bedplate_core::call::Operation;
use bedplate_core::record::{AttemptRow, CallRow, Ending, Outcome};
use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::traces::names;

/// The spans of a call: its own first, then receive, clear and the attempts.
pub(crate) fn spans(outcome: &Outcome, scope: &InstrumentationScope) -> Vec<SpanData> {
    let call = &outcome.call;
    let made = Made {
        trace: TraceId::from(trace_id(outcome)),
        call: u64::from_be_bytes(call.id.span()),
        began: call.admitted_at.0,
        scope,
    };
    let mut spans = vec![of_call(outcome, &made)];
    let received = call.timings.body_read.unwrap_or(0);
    let cleared = call.timings.cleared.unwrap_or(received).max(received);
    // numbers below the call's own are its phases, those above its attempts
    if call.timings.body_read.is_some() {
        spans.push(made.child(made.call.wrapping_sub(1), names::RECEIVE, 0, received));
    }
    if call.timings.cleared.is_some() {
        spans.push(made.child(made.call.wrapping_sub(2), names::CLEAR, received, cleared));
    }
    // an attempt says how long it took, not when it began: they follow one another
    let mut at = cleared;
    for attempt in &outcome.attempts {
        spans.push(of_attempt(attempt, call, &made, at));
        at += attempt.timings.total;
    }
    spans
}

/// The caller's trace id, else the call id.
pub(crate) fn trace_id(outcome: &Outcome) -> u128 {
    let theirs = outcome.call.trace.as_deref().and_then(|t| u128::from_str_radix(t, 16).ok());
    theirs.filter(|t| *t != 0).unwrap_or_else(|| outcome.call.id.0.as_u128())
}

fn of_call(outcome: &Outcome, made: &Made<'_>) -> SpanData {
    let call = &outcome.call;
    let operation = operation_name(call);
    let mut span = made.span(made.call, 0, call.timings.total);
    span.name = match call.model.as_str() {
        "" => Cow::from(operation),
        model => Cow::from(format!("{operation} {model}")),
    };
    span.span_kind = SpanKind::Client;
    if let Some(parent) = call.parent_span.as_deref().and_then(|p| u64::from_str_radix(p, 16).ok()) {
        span.parent_span_id = SpanId::from(parent);
        span.parent_span_is_remote = parent != 0;
    }
    span.status = status(call);
    span.attributes = call_attributes(call, operation);
    if outcome.attempts.len() > 1 {
        span.attributes.push(number(names::RESEND_COUNT, outcome.attempts.len() as u64 - 1));
    }
    if let Some(at) = call.timings.first_token {
        span.events = events(made, 0, [(names::FIRST_TOKEN, Some(at))]);
    }
    span
}

fn call_attributes(call: &CallRow, operation: &'static str) -> Vec<KeyValue> {
    let mut out = vec![
        KeyValue::new(names::OPERATION_NAME, operation),
        KeyValue::new(names::PROVIDER_NAME, names::BEDROCK),
        KeyValue::new(names::CALL, call.id.to_string()),
        KeyValue::new(names::ENDING, call.ending.name()),
        number(names::STATUS_CODE, u64::from(call.status)),
        number(names::OVERHEAD_US, call.timings.overhead),
        KeyValue::new(names::COST_NANOS, call.cost.priced().0),
        KeyValue::new(names::COST_KNOWN, call.cost.is_known()),
    ];
    let guardrail = call.operation == Some(Operation::ApplyGuardrail);
    text(&mut out, if guardrail { names::GUARDRAIL_ID } else { names::REQUEST_MODEL }, &call.model);
    text(&mut out, names::API, call.operation.map_or("", Operation::name));
    text(&mut out, names::TEAM, &call.team);
    text(&mut out, names::FEATURE, &call.feature);
    text(&mut out, names::ENVIRONMENT, &call.environment);
    text(&mut out, names::KEY, call.key.as_ref().map_or("", |k| &k.0));
    text(&mut out, names::USER, call.user.as_deref().unwrap_or(""));
    text(&mut out, names::CHAIN, call.chain.as_deref().unwrap_or(""));
    if let Some(prompt) = &call.prompt {
        text(&mut out, names::PROMPT, &prompt.name);
        text(&mut out, names::PROMPT_VERSION, &prompt.version);
    }
    if !call.usage.is_empty() {
        out.extend([
            number(names::INPUT_TOKENS, call.usage.prompt()),
            number(names::OUTPUT_TOKENS, call.usage.output),
            number(names::CACHE_READ_TOKENS, call.usage.cache_read),
            number(names::CACHE_WRITE_TOKENS, call.usage.cache_write_5m + call.usage.cache_write_1h),
        ]);
    }
    if let Some(reason) = &call.stop_reason {
        let reasons = vec![StringValue::from(reason.clone())];
        out.push(KeyValue::new(names::FINISH_REASONS, Value::Array(Array::String(reasons))));
    }
    if let Some(code) = call.code {
        out.push(KeyValue::new(names::CODE, code.to_string()));
    }
    text(&mut out, names::STAGE, call.stage.map_or("", |s| s.name()));
    text(&mut out, names::ERROR_TYPE, &error_type(call.error.as_deref(), call.code));
    out
}

fn of_attempt(attempt: &AttemptRow, call: &CallRow, made: &Made<'_>, at: u64) -> SpanData {
    let id = made.call.wrapping_add(u64::from(attempt.n));
    let mut span = made.child(id, names::ATTEMPT, at, at + attempt.timings.total);
    span.name = Cow::from(format!("{} {}", names::ATTEMPT, attempt.n));
    span.span_kind = SpanKind::Client;
    let error = error_type(attempt.error.as_deref(), attempt.code);
    if !error.is_empty() {
        span.status = Status::error(error.clone());
    }
    let out = &mut span.attributes;
    text(out, names::API, call.operation.map_or("", Operation::name));
    text(out, names::PROVIDER, &attempt.provider);
    text(out, names::TARGET, &attempt.target);
    text(out, names::REGION, &attempt.region);
    text(out, names::ACCOUNT, &attempt.account);
    text(out, names::TIER, &attempt.tier);
    text(out, names::REQUEST_ID, attempt.upstream_request_id.as_deref().unwrap_or(""));
    text(out, names::ERROR_TYPE, &error);
    if attempt.status != 0 {
        out.push(number(names::STATUS_CODE, u64::from(attempt.status)));
    }
    let t = &attempt.timings;
    let marks = [
        (names::CONNECTED, t.connect),
        (names::FIRST_BYTE, t.first_byte),
        (names::FIRST_TOKEN, t.first_token),
    ];
    span.events = events(made, at, marks);
    span
}

/// What the conventions call the operation. Bedrock's InvokeModel does not say what it is for; the
/// names of its models do.
fn operation_name(call: &CallRow) -> &'static str {
    match call.operation {
        Some(Operation::InvokeModel) if call.model.contains("embed") => "embeddings",
        Some(Operation::InvokeModel) if call.model.contains("rerank") => "rerank",
        Some(
            Operation::Converse
            | Operation::ConverseStream
            | Operation::InvokeModel
            | Operation::InvokeModelWithResponseStream
            | Operation::InvokeModelWithBidirectionalStream,
        ) => "chat",
        Some(Operation::CountTokens) => "count_tokens",
        Some(Operation::ApplyGuardrail | Operation::InvokeGuardrailChecks) => "apply_guardrail",
        Some(Operation::StartAsyncInvoke | Operation::GetAsyncInvoke | Operation::ListAsyncInvokes) => {
            "async_invoke"
        }
        Some(_) => "catalogue",
        None => "none",
    }
}

fn status(call: &CallRow) -> Status {
    match call.ending {
        // `Ok` is for applications to say, by the specification
        Ending::Answered | Ending::Abandoned => Status::Unset,
        Ending::Refused | Ending::Failed | Ending::Cut => {
            Status::error(error_type(call.error.as_deref(), call.code))
        }
    }
}

fn error_type(error: Option<&str>, code: Option<bedplate_core::refusal::Code>) -> String {
    match (error, code) {
        (Some(error), _) => error.to_owned(),
        (None, Some(code)) => code.to_string(),
        (None, None) => String::new(),
    }
}

/// Adds an attribute unless there is nothing to say.
fn text(out: &mut Vec<KeyValue>, name: &'static str, value: &str) {
    if !value.is_empty() {
        out.push(KeyValue::new(name, value.to_owned()));
    }
}

fn number(name: &'static str, value: u64) -> KeyValue {
    KeyValue::new(name, i64::try_from(value).unwrap_or(i64::MAX))
}

fn events<const N: usize>(made: &Made<'_>, from: u64, marks: [(&'static str, Option<u64>); N]) -> SpanEvents {
    let mut out = SpanEvents::default();
    let marks = marks.into_iter().filter_map(|(name, at)| Some((name, from + at?)));
    out.events = marks.map(|(name, at)| Event::new(name, made.time(at), Vec::new(), 0)).collect();
    out
}

/// What all spans of a call share.
struct Made<'a> {
    trace: TraceId,
    call: u64,
    /// Microseconds since the epoch.
    began: i64,
    scope: &'a InstrumentationScope,
}

impl Made<'_> {
    fn child(&self, id: u64, name: &'static str, from: u64, to: u64) -> SpanData {
        let mut span = self.span(id, from, to);
        span.name = Cow::from(name);
        span.parent_span_id = span_id(self.call);
        span
    }

    /// A span from and to microseconds after the call began.
    fn span(&self, id: u64, from: u64, to: u64) -> SpanData {
        let sampled = TraceFlags::SAMPLED;
        SpanData {
            span_context: SpanContext::new(self.trace, span_id(id), sampled, false, TraceState::default()),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: Cow::from(""),
            start_time: self.time(from),
            end_time: self.time(to.max(from)),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }

    fn time(&self, micros: u64) -> SystemTime {
        let began = u64::try_from(self.began).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_micros(began.saturating_add(micros))
    }
}

/// Zero is no span id.
fn span_id(id: u64) -> SpanId {
    SpanId::from(id.max(1))
}
