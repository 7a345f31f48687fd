//! InvokeModel and InvokeModelWithResponseStream: native bodies, the rest in headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cache::Split;
use crate::catalogue::Target;
use crate::complete::{Completion, complete};
use crate::config::FaultKind;
use crate::errors::AwsError;
use crate::families::{self, Family};
use crate::guardrails::Guardrail;
use crate::handle::{Call, Reply, Whole};
use crate::latency::Pace;
use crate::request::Request;
use crate::stream::Event;

/// Runs a native body.
pub(crate) fn invoke(call: &Call<'_>, model: &str, streams: bool) -> Result<Reply, AwsError> {
    let state = call.state;
    let target = state.catalogue.resolve(&state.config, model, &call.region)?;
    // a JavaScript client that names no type sends application/octet-stream, and AWS refuses it too
    if call.request.header("content-type").is_some_and(|k| !k.starts_with("application/json")) {
        return Err(AwsError::validation(
            "The provided Content Type is invalid or not supported for this model",
        ));
    }
    let body: Value = serde_json::from_slice(&call.request.body).map_err(|_| malformed())?;
    let echoed = echoed(call.request)?;
    if !target.family.writes() {
        return without_text(call, &target, &body, streams, echoed);
    }
    let prompt = families::read(&body, &target)?;
    if streams && target.model.supports.streaming == Some(false) {
        return Err(unsupported_stream());
    }
    let rail = guardrail(call)?;
    let fault = call.fault.as_ref();
    let done = complete(state, &target, prompt, rail.as_ref(), fault, call.request.arrived)?;
    if streams {
        let mut headers = echoed;
        headers.push(("x-amzn-bedrock-content-type", "application/json".into()));
        let no_usage = fault.is_some_and(|f| f.kind == FaultKind::NoUsage);
        let events = chunk_events(&done, &target, no_usage);
        return super::play(call, done, events, headers);
    }
    let mut headers = echoed;
    if target.family.counts_in_headers() {
        headers.extend(counts(&done.split, done.output));
    }
    headers.push(("x-amzn-bedrock-invocation-latency", done.latency_ms().to_string()));
    let mut out = families::whole(&done, &target);
    mark_guarded(call.request, &done, &mut out);
    let wait = done.pace.first + done.pace.tokens(done.output);
    Ok(Reply::Whole(Whole { headers, body: out, wait, held: done.held }))
}

/// What Bedrock says of a body that is no JSON.
pub(super) fn malformed() -> AwsError {
    AwsError::validation("Malformed input request, please reformat your input and try again.")
}

fn unsupported_stream() -> AwsError {
    AwsError::validation("The model is unsupported for streaming.")
}

/// Embeddings, rerank, pictures.
fn without_text(
    call: &Call<'_>,
    target: &Target,
    body: &Value,
    streams: bool,
    mut headers: Vec<(&'static str, String)>,
) -> Result<Reply, AwsError> {
    if streams {
        return Err(unsupported_stream());
    }
    let state = call.state;
    let seed = crate::seed::mix(state.config.seed, body.to_string().as_bytes());
    let (out, input) = families::direct(body, target, seed)?;
    let traits = crate::answer::traits::traits(&state.config, target.base(), &target.model.id);
    let key = format!("{}/{}", target.region, target.model.id);
    let mut held = state.quotas.reserve(key, traits.limits(), input)?;
    if let Some(held) = &mut held {
        held.settle_at(input);
    }
    if target.family.counts_in_headers() {
        headers.push(("x-amzn-bedrock-input-token-count", input.to_string()));
        if target.family != Family::CohereEmbed {
            headers.push(("x-amzn-bedrock-output-token-count", "0".into()));
        }
    }
    let wait = Pace::of(&state.config, &traits, seed).first / 3;
    headers.push(("x-amzn-bedrock-invocation-latency", wait.as_millis().max(1).to_string()));
    Ok(Reply::Whole(Whole { headers, body: out, wait, held }))
}

/// The native chunks as `chunk` events; the last one carries the counts.
fn chunk_events(done: &Completion, target: &Target, no_usage: bool) -> Vec<Event> {
    let mut chunks = families::chunks(done, target);
    if let Some((last, _)) = chunks.last_mut().filter(|_| !no_usage) {
        let mut metrics = json!({
            "inputTokenCount": done.split.input,
            "outputTokenCount": done.output,
            "invocationLatency": done.latency_ms(),
            "firstByteLatency": done.first_ms(),
        });
        if done.split.marked {
            metrics["cacheReadInputTokenCount"] = json!(done.split.read);
            metrics["cacheWriteInputTokenCount"] = json!(done.split.write());
        }
        last["amazon-bedrock-invocationMetrics"] = metrics;
    }
    let event = |(chunk, n): (Value, u64)| {
        Event::paced("chunk", json!({ "bytes": STANDARD.encode(chunk.to_string()) }), n)
    };
    chunks.into_iter().map(event).collect()
}

fn counts(split: &Split, output: u64) -> Vec<(&'static str, String)> {
    let mut out = vec![
        ("x-amzn-bedrock-input-token-count", split.input.to_string()),
        ("x-amzn-bedrock-output-token-count", output.to_string()),
    ];
    if split.marked {
        out.push(("x-amzn-bedrock-cache-read-input-token-count", split.read.to_string()));
        out.push(("x-amzn-bedrock-cache-write-input-token-count", split.write().to_string()));
    }
    out
}

/// Headers that come back as they were sent, once they are known to be good.
fn echoed(request: &Request) -> Result<Vec<(&'static str, String)>, AwsError> {
    let known: [(&'static str, &str, &[&str]); 2] = [
        ("x-amzn-bedrock-service-tier", "serviceTier", &["priority", "default", "flex", "reserved"]),
        ("x-amzn-bedrock-performanceconfig-latency", "performanceConfigLatency", &["standard", "optimized"]),
    ];
    let mut out = Vec::new();
    for (name, member, allowed) in known {
        let Some(value) = request.header(name) else { continue };
        if !allowed.contains(&value) {
            return Err(AwsError::validation(format!(
                "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
                allowed.join(", ")
            )));
        }
        out.push((name, value.to_string()));
    }
    Ok(out)
}

fn guardrail<'a>(call: &Call<'a>) -> Result<Option<Guardrail<'a>>, AwsError> {
    let Some(id) = call.request.header("x-amzn-bedrock-guardrailidentifier") else { return Ok(None) };
    let version = call.request.header("x-amzn-bedrock-guardrailversion").unwrap_or("DRAFT");
    call.state.guardrails.find(id, version, &call.region).map(Some).map_err(AwsError::validation)
}

fn mark_guarded(request: &Request, done: &Completion, out: &mut Value) {
    let Some(acted) = done.guardrail_acted else { return };
    out["amazon-bedrock-guardrailAction"] = json!(if acted { "INTERVENED" } else { "NONE" });
    let traced = request.header("x-amzn-bedrock-trace").is_some_and(|t| t != "DISABLED");
    if let Some(trace) = done.guardrail_trace.as_ref().filter(|_| traced) {
        out["amazon-bedrock-trace"] = json!({ "guardrail": trace });
    }
}
