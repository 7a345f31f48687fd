//! Replies and refusals as HTTP.

mod outgoing;
mod rates;
mod words;

use bedplate_core::cache::Mark;
use bedplate_core::call::{CallId, Dialect, Operation};
use bedplate_core::record::Degraded;
use bedplate_core::refusal::Code;
use bedplate_core::refusal::{Refusal, Retry};
use bedplate_pipeline::{Call, Record, Reply, ReplyBody};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::doors::Door;
use crate::gateway::Snapshot;
use outgoing::End;
pub(crate) use outgoing::Outgoing;

const CALL_ID: HeaderName = HeaderName::from_static("x-bedplate-call-id");
const BUDGET: HeaderName = HeaderName::from_static("x-bedplate-budget");
const CACHE: HeaderName = HeaderName::from_static("x-bedplate-cache");
const DEGRADED: HeaderName = HeaderName::from_static("x-bedplate-degraded");
const CODE: HeaderName = HeaderName::from_static("x-bedplate-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-amz-retry-after");

/// An upstream's answer, with the call id.
pub(crate) fn reply(
    reply: Reply,
    id: CallId,
    door: Door,
    operation: Option<Operation>,
) -> Response<Outgoing> {
    let reply = words::error_of(reply, id, door.0);
    let body = match reply.body {
        ReplyBody::Whole(content) => Outgoing::whole(content.into_exposed()),
        ReplyBody::Stream(flow) => {
            // a stream that breaks ends with the dialect's own error event
            let operation = operation.unwrap_or(Operation::ConverseStream);
            let end = End { dialect: door.0, operation, id };
            Outgoing::stream(flow, end)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = response.headers_mut();
    headers.reserve(reply.headers.len() + 2);
    for (name, value) in reply.headers {
        // what cannot stand in a header did not come from one
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&name), HeaderValue::from_maybe_shared(value))
        {
            headers.append(name, value);
        }
    }
    set_call_id(headers, id, door.0);
    // servers that are not AWS's may have no id for a request, and AWS's SDKs count on one
    if door.0 == Dialect::Bedrock
        && !headers.contains_key(REQUEST_ID)
        && let Some(value) = headers.get(CALL_ID).cloned()
    {
        headers.insert(REQUEST_ID, value);
    }
    rates::show(reply.rated, headers, door.0, id.began());
    if let Some(tokens) = reply.bounded
        && let Ok(value) = HeaderValue::from_str(&format!("bounded; max-tokens={tokens}"))
    {
        headers.insert(BUDGET, value);
    }
    if let Some(by) = reply.degraded {
        headers.insert(DEGRADED, HeaderValue::from_static(by.name()));
        if by == Degraded::Static
            && let Some(value) = headers.get(CALL_ID).cloned()
        {
            headers.insert(REQUEST_ID, value);
        }
    }
    if let Some(mark) = reply.cache {
        headers.insert(CACHE, HeaderValue::from_static(mark.name()));
        // no request upstream has this answer to itself: the id is ours, as with refusals
        if matches!(mark, Mark::Hit | Mark::Stale)
            && let Some(value) = headers.get(CALL_ID).cloned()
        {
            headers.insert(REQUEST_ID, value);
        }
    }
    response
}

/// A refusal in the words of the door's dialect; settles its record.
pub(crate) fn refuse(refusal: Refusal, record: Record, door: Door) -> Response<Outgoing> {
    let id = record.id();
    let said = words::refusal(door.0, &refusal, id);
    let mut response = Response::new(Outgoing::whole(said.body));
    *response.status_mut() = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_call_id(headers, id, door.0);
    if door.0 == Dialect::Bedrock {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(said.error));
        if let Some(value) = headers.get(CALL_ID).cloned() {
            headers.insert(REQUEST_ID, value);
        }
    }
    if let Some(retry) = said.retry {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(if retry { "true" } else { "false" }));
    }
    if let Ok(code) = HeaderValue::from_str(&refusal.code.to_string()) {
        headers.insert(CODE, code);
    }
    rates::show(record.how_rated(), headers, door.0, id.began());
    if let Retry::After(wait) = refusal.retry {
        // boto3 reads milliseconds, OpenAI and Anthropic clients read seconds
        headers
            .insert(RETRY_AFTER_MS, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
    }
    if let Some(cause) = &refusal.cause {
        tracing::debug!(call = %id, code = %refusal.code, cause, "refused");
    }
    record.refused(&refusal, said.status, said.error);
    response
}

/// The models that the caller may name, or one of them.
pub(crate) fn models(
    snapshot: &Snapshot,
    call: Call,
    which: Option<&str>,
    mut record: Record,
    door: Door,
) -> Response<Outgoing> {
    let aliases = match snapshot.pipeline.aliases(&call, &mut record) {
        Ok(aliases) => aliases,
        Err(refusal) => return refuse(refusal, record, door),
    };
    let known = |to: &str| aliases.iter().any(|alias| **alias == *to) || call.key.allows_model(to);
    let vendors = snapshot.names.whole().filter(|(_, to)| known(to)).map(|(from, _)| from);
    let names: Vec<&str> = aliases.iter().map(|alias| &**alias).chain(vendors).collect();
    let id = record.id();
    let Some(body) = words::models(door.0, &names, which, id) else {
        return refuse(Refusal::of(Code::UnknownModel), record, door);
    };
    record.told(body.len());
    let mut response = Response::new(Outgoing::whole(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_call_id(headers, id, door.0);
    response
}

/// The call's id, also where clients of a vendor look for the id of a request.
fn set_call_id(headers: &mut HeaderMap, id: CallId, dialect: Dialect) {
    let mut text = [0u8; 36];
    let text = id.0.as_hyphenated().encode_lower(&mut text);
    if let Ok(value) = HeaderValue::from_str(text) {
        match dialect {
            Dialect::Bedrock => {}
            Dialect::OpenAi => {
                headers.insert(HeaderName::from_static("x-request-id"), value.clone());
            }
            Dialect::Anthropic => {
                headers.insert(HeaderName::from_static("request-id"), value.clone());
            }
        }
        headers.insert(CALL_ID, value);
    }
}
