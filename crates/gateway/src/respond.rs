//! Replies and refusals as HTTP.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bedplate_core::call::{CallId, Operation};
use bedplate_core::refusal::{Refusal, Retry};
use bedplate_pipeline::{Outflow, Record, Reply, ReplyBody};
use bedplate_wire::bedrock::refuse as native;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};

const CALL_ID: HeaderName = HeaderName::from_static("x-bedplate-call-id");
const CODE: HeaderName = HeaderName::from_static("x-bedplate-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-amz-retry-after");

/// An upstream's answer, with the call id.
pub(crate) fn reply(reply: Reply, id: CallId, operation: Option<Operation>) -> Response<Outgoing> {
    let body = match reply.body {
        ReplyBody::Whole(content) => Outgoing::Whole(content.into_exposed()),
        ReplyBody::Stream(flow) => Outgoing::Stream { flow, operation },
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
    set_call_id(headers, id);
    response
}

/// A refusal in the words of AWS; settles its record.
pub(crate) fn refuse(refusal: Refusal, record: Record) -> Response<Outgoing> {
    let error = native::aws_error(&refusal);
    let id = record.id();
    let mut response = Response::new(Outgoing::Whole(error.body));
    *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ERROR_TYPE, HeaderValue::from_static(error.error_type));
    set_call_id(headers, id);
    if let Some(value) = headers.get(CALL_ID).cloned() {
        headers.insert(REQUEST_ID, value);
    }
    if let Ok(code) = HeaderValue::from_str(&refusal.code.to_string()) {
        headers.insert(CODE, code);
    }
    if let Retry::After(wait) = refusal.retry {
        // boto3 reads milliseconds, OpenAI and Anthropic clients read seconds
        headers
            .insert(RETRY_AFTER_MS, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs_f64().ceil() as u64));
    }
    if let Some(cause) = &refusal.cause {
        tracing::debug!(call = %id, code = %refusal.code, cause, "refused");
    }
    record.refused(&refusal, error.status, error.error_type);
    response
}

fn set_call_id(headers: &mut HeaderMap, id: CallId) {
    let mut text = [0u8; 36];
    let text = id.0.as_hyphenated().encode_lower(&mut text);
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(CALL_ID, value);
    }
}

/// A response body: whole, or a stream that forwards pieces as they come.
pub(crate) enum Outgoing {
    Whole(Bytes),
    Stream { flow: Outflow, operation: Option<Operation> },
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream { flow, operation } => flow.poll_next(cx).map(|next| {
                next.map(|piece| {
                    // a stream that breaks ends with the dialect's own error event
                    let op = operation.unwrap_or(Operation::ConverseStream);
                    Ok(Frame::data(piece.unwrap_or_else(|refusal| native::exception_frame(&refusal, op))))
                })
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream { .. } => SizeHint::default(),
        }
    }
}
