//! The operations that run a model: Converse, InvokeModel, their streams, and CountTokens.

mod invoke;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::complete::{Completion, complete};
use crate::config::FaultKind;
use crate::errors::AwsError;
use crate::handle::{Call, Reply, Whole};
use crate::shape::{self, Shape};
use crate::stream::{self, Event};
use crate::{converse, families, tokens};

pub(crate) use invoke::invoke;

/// Converse and ConverseStream.
pub(crate) fn converse(call: &Call<'_>, model: &str, body: &Value, streams: bool) -> Result<Reply, AwsError> {
    let state = call.state;
    let target = state.catalogue.resolve(&state.config, model, &call.region)?;
    let prompt = converse::prompt(body, &target)?;
    if streams && target.model.supports.streaming == Some(false) {
        return Err(AwsError::validation("The model is unsupported for streaming."));
    }
    let rail = state.guardrails.of_config(&body["guardrailConfig"], &call.region)?;
    let fault = call.fault.as_ref();
    let done = complete(state, &target, prompt, rail.as_ref(), fault, call.request.arrived)?;
    if !streams {
        let wait = done.pace.first + done.pace.tokens(done.output);
        let body = converse::answer(&done, body);
        return Ok(Reply::Whole(Whole { headers: Vec::new(), body, wait, held: done.held }));
    }
    let mut events = converse::events(&done, body);
    if fault.is_some_and(|f| f.kind == FaultKind::NoUsage) {
        events.pop();
    }
    play(call, done, events, Vec::new())
}

/// A stream reply that plays `events`.
fn play(
    call: &Call<'_>,
    done: Completion,
    events: Vec<Event>,
    mut headers: Vec<(&'static str, String)>,
) -> Result<Reply, AwsError> {
    headers.push(("content-type", "application/vnd.amazon.eventstream".into()));
    let body = stream::body(events, done.pace, call.fault.as_ref(), done.seed, call.reset.clone())?;
    Ok(Reply::Stream { headers, body: body.holding(done.held) })
}

static COUNT: Shape = Shape::Struct(&[(
    "input",
    true,
    &Shape::Union(&[
        ("invokeModel", &Shape::Struct(&[("body", true, &Shape::Bytes)])),
        ("converse", &Shape::Any),
    ]),
)]);

/// CountTokens: free, and for foundation models by their own id.
pub(crate) fn count_tokens(call: &Call<'_>, model: &str, body: &Value) -> Result<Value, AwsError> {
    shape::check(body, &COUNT)?;
    let state = call.state;
    let target = state.catalogue.resolve_countable(&state.config, model, &call.region)?;
    let input = &body["input"];
    let prompt = match input["invokeModel"]["body"].as_str() {
        Some(text) => {
            let bytes = STANDARD.decode(text).unwrap_or_default();
            let native = serde_json::from_slice(&bytes).map_err(|_| invoke::malformed())?;
            families::read(&native, &target)?
        }
        None => converse::countable(&input["converse"])?,
    };
    Ok(json!({ "inputTokens": tokens::prompt(&prompt) }))
}
