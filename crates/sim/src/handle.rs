//! From a request to its answer: who asks, what for, what goes wrong on purpose, what is said.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde_json::Value;

use crate::body::{Body, Step};
use crate::config::FaultKind;
use crate::errors::AwsError;
use crate::fault::Fault;
use crate::quota::Reservation;
use crate::request::Request;
use crate::route::Operation;
use crate::state::State;
use crate::{admin, async_invoke, control, guardrails, infer};

/// The largest body Bedrock takes, in bytes.
pub(crate) const MAX_BODY: u64 = 25_000_000;

/// What an operation gives back.
pub(crate) enum Reply {
    Whole(Whole),
    Stream { headers: Vec<(&'static str, String)>, body: Body },
}

/// An answer in one piece.
#[derive(Default)]
pub(crate) struct Whole {
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
    /// How long the model takes before it answers.
    pub(crate) wait: Duration,
    pub(crate) held: Option<Reservation>,
}

impl Whole {
    pub(crate) fn of(body: Value) -> Self {
        Self { body, ..Self::default() }
    }
}

/// What an operation may use.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    pub(crate) request: &'a Request,
    pub(crate) region: String,
    pub(crate) fault: Option<Fault>,
    /// Set to end the connection with a TCP reset.
    pub(crate) reset: Arc<AtomicBool>,
}

/// Answers a request. An error ends the connection without an answer.
pub(crate) async fn handle(
    state: &Arc<State>,
    request: Request,
    reset: Arc<AtomicBool>,
) -> io::Result<Response<Body>> {
    if let Some(page) = request.path.strip_prefix("/__sim/") {
        return Ok(admin::answer(state, &request, page));
    }
    state.seen.add(&request);
    match answer(state, &request, reset).await {
        Ok(response) => Ok(response),
        Err(Trouble::Refused(e)) => Ok(refusal(&request.id, &e)),
        Err(Trouble::Reset) => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// The answer to a body that is too large to be read.
pub(crate) fn too_large(id: &str) -> Response<Body> {
    refusal(id, &AwsError::too_large())
}

enum Trouble {
    Refused(AwsError),
    Reset,
}

impl From<AwsError> for Trouble {
    fn from(e: AwsError) -> Self {
        Self::Refused(e)
    }
}

async fn answer(
    state: &Arc<State>,
    request: &Request,
    reset: Arc<AtomicBool>,
) -> Result<Response<Body>, Trouble> {
    let operation =
        Operation::find(&request.method, &request.path).ok_or_else(AwsError::unknown_operation)?;
    let region = state.keys.check(request, state.clock.now())?;
    let asked = asked_fault(request);
    let model = operation.model().unwrap_or_default();
    let fault = state.faults.draw(asked.as_deref(), operation.name(), model)?;
    if let Some(fault) = &fault {
        if fault.kind == FaultKind::SlowFirstByte {
            tokio::time::sleep(fault.delay.unwrap_or(Duration::from_secs(5))).await;
        }
        if fault.kind == FaultKind::Reset && fault.after.is_none() {
            reset.store(true, Ordering::SeqCst);
            return Err(Trouble::Reset);
        }
        if let Some(refused) = fault.refusal(model) {
            return Err(refused.into());
        }
    }
    let call = Call { state, request, region, fault, reset };
    match perform(&call, &operation)? {
        Reply::Stream { headers, body } => Ok(head(&request.id, StatusCode::OK, &headers, body)),
        Reply::Whole(whole) => {
            tokio::time::sleep(whole.wait).await;
            spoil_whole(&call, model, whole)
        }
    }
}

fn perform(call: &Call<'_>, operation: &Operation) -> Result<Reply, AwsError> {
    let json = || body_json(call.request);
    let (state, region) = (call.state, call.region.as_str());
    let query = crate::route::query(&call.request.query);
    let whole = match operation {
        Operation::Converse { model } => return infer::converse(call, model, &json()?, false),
        Operation::ConverseStream { model } => return infer::converse(call, model, &json()?, true),
        Operation::InvokeModel { model } => return infer::invoke(call, model, false),
        Operation::InvokeModelWithResponseStream { model } => return infer::invoke(call, model, true),
        Operation::CountTokens { model } => infer::count_tokens(call, model, &json()?)?,
        Operation::ApplyGuardrail { id, version } => {
            guardrails::checks::apply(state, id, version, region, &json()?)?
        }
        Operation::InvokeGuardrailChecks => guardrails::checks::invoke(&json()?)?,
        Operation::ListFoundationModels => control::list_models(state, region, &query)?,
        Operation::GetFoundationModel { id } => control::get_model(state, region, id)?,
        Operation::ListInferenceProfiles => control::list_profiles(state, region, &query)?,
        Operation::GetInferenceProfile { id } => control::get_profile(state, region, id)?,
        Operation::StartAsyncInvoke => async_invoke::start(state, region, &json()?)?,
        Operation::GetAsyncInvoke { arn } => async_invoke::get(state, arn)?,
        Operation::ListAsyncInvokes => async_invoke::list(state, &query)?,
    };
    Ok(Reply::Whole(Whole::of(whole)))
}

/// The body as a JSON object; an empty one counts as `{}`.
pub(crate) fn body_json(request: &Request) -> Result<Value, AwsError> {
    if request.body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(o)) => Ok(Value::Object(o)),
        Ok(_) => Err(AwsError::serialization("Start of structure or map found where not expected.")),
        Err(_) => Err(AwsError::serialization("The request body could not be parsed as JSON.")),
    }
}

/// The fault that the caller asks for, by header or by request metadata.
fn asked_fault(request: &Request) -> Option<String> {
    if let Some(text) = request.header("x-sim-fault") {
        return Some(text.to_string());
    }
    // do not parse every body twice for a thing that few ask for
    let named = |bytes: &[u8]| bytes.windows(9).any(|w| w == b"sim-fault");
    let metadata = match request.header("x-amzn-bedrock-request-metadata") {
        Some(text) => serde_json::from_str::<Value>(text).ok()?,
        None if named(&request.body) => {
            let body: Value = serde_json::from_slice(&request.body).ok()?;
            body["requestMetadata"].clone()
        }
        None => return None,
    };
    metadata["sim-fault"].as_str().map(String::from)
}

/// Sends a whole answer, or what a fault leaves of it.
fn spoil_whole(call: &Call<'_>, model: &str, whole: Whole) -> Result<Response<Body>, Trouble> {
    let bytes = whole.body.to_string().into_bytes();
    let half = bytes.len() / 2;
    let cut = |bytes: &[u8]| Step::Send(bytes.to_vec().into());
    let body = match call.fault.as_ref().map(|f| (f.kind, f)) {
        Some((FaultKind::ExceptionBeforeContent | FaultKind::ExceptionAfterContent, fault)) => {
            return Err(fault.as_error(model).into());
        }
        Some((FaultKind::Reset | FaultKind::TruncatedFrame, _)) => Body::script(
            vec![cut(&bytes[..half]), Step::Wait(Duration::from_millis(5)), Step::Reset],
            call.reset.clone(),
        ),
        Some((FaultKind::Stall, fault)) => {
            let time = fault.delay.unwrap_or(Duration::from_secs(60));
            Body::script(vec![cut(&bytes[..half]), Step::Wait(time), cut(&bytes[half..])], call.reset.clone())
        }
        _ => Body::whole(bytes),
    };
    let mut headers = whole.headers;
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json".into()));
    }
    Ok(head(&call.request.id, StatusCode::OK, &headers, body.holding(whole.held)))
}

fn refusal(id: &str, e: &AwsError) -> Response<Body> {
    let mut headers =
        vec![("content-type", "application/json".to_string()), ("x-amzn-errortype", e.header())];
    if let Some(after) = e.retry_after {
        headers.push(("x-amz-retry-after", after.as_millis().to_string()));
        headers.push(("retry-after", after.as_secs().max(1).to_string()));
    }
    head(id, e.status, &headers, Body::whole(e.body().to_string()))
}

pub(crate) fn head(
    id: &str,
    status: StatusCode,
    headers: &[(&'static str, String)],
    body: Body,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let map = response.headers_mut();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    if !map.contains_key(CONTENT_TYPE) {
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        map.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}
