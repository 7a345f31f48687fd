//! Errors and lists, in the words of each dialect.

use bedplate_core::call::{CallId, Dialect, Headers, Operation};
use bedplate_core::content::Content;
use bedplate_core::refusal::Refusal;
use bedplate_pipeline::{Reply, ReplyBody};
use bedplate_wire::bedrock::refuse as aws;
use bedplate_wire::{anthropic, openai};
use bytes::Bytes;

/// An error answer.
pub(super) struct Said {
    pub(super) status: u16,
    /// The dialect's name for it, for the record.
    pub(super) error: &'static str,
    pub(super) body: Bytes,
    /// Whether clients that ask a header shall try again, where their own rule would say otherwise.
    pub(super) retry: Option<bool>,
}

/// A refusal.
pub(super) fn refusal(dialect: Dialect, refusal: &Refusal, call: CallId) -> Said {
    match dialect {
        Dialect::Bedrock => {
            let error = aws::aws_error(refusal);
            Said { status: error.status, error: error.error_type, body: error.body, retry: None }
        }
        Dialect::OpenAi => {
            let error = openai::refuse::error(refusal);
            Said { status: error.status, error: error.kind, body: error.body, retry: error.should_retry }
        }
        Dialect::Anthropic => {
            let error = anthropic::refuse::error(refusal, &call.to_string());
            Said { status: error.status, error: error.kind, body: error.body, retry: error.should_retry }
        }
    }
}

/// What ends a stream that breaks: the dialect's own error event.
pub(super) fn end(dialect: Dialect, operation: Operation, refusal: &Refusal, call: CallId) -> Bytes {
    match dialect {
        Dialect::Bedrock => aws::exception_frame(refusal, operation),
        Dialect::OpenAi => openai::refuse::event(refusal),
        Dialect::Anthropic => anthropic::refuse::event(refusal, &call.to_string()),
    }
}

/// An upstream's answer, which is said in the caller's words when it is an error. Upstreams say errors as AWS does.
pub(super) fn error_of(mut reply: Reply, call: CallId, dialect: Dialect) -> Reply {
    let ReplyBody::Whole(content) = &reply.body else { return reply };
    let Some(name) = reply.headers.text(ERROR_TYPE).filter(|_| reply.status >= 400) else { return reply };
    let name = name.split(':').next().unwrap_or_default();
    let message = aws::message(content.expose());
    let (status, body) = match dialect {
        Dialect::Bedrock => return reply,
        Dialect::OpenAi => {
            let error = openai::refuse::upstream(reply.status, name, &message);
            (error.status, error.body)
        }
        Dialect::Anthropic => {
            let error = anthropic::refuse::upstream(reply.status, name, &message, &call.to_string());
            (error.status, error.body)
        }
    };
    let mut headers = Headers::with_capacity(4);
    headers.push("content-type", "application/json");
    for name in ["x-amzn-requestid", "retry-after", "x-bedplate-dropped"] {
        if let Some(value) = reply.headers.get(name) {
            headers.push(name, value.clone());
        }
    }
    (reply.status, reply.headers, reply.body) = (status, headers, ReplyBody::Whole(Content::new(body)));
    reply
}

const ERROR_TYPE: &str = "x-amzn-errortype";

/// Models by name: all, or one; `None` when there is no such.
pub(super) fn models(dialect: Dialect, names: &[&str], which: Option<&str>, call: CallId) -> Option<Bytes> {
    let now = call.began();
    match dialect {
        Dialect::Anthropic => anthropic::models::models(names, which, &now.to_string()),
        Dialect::OpenAi | Dialect::Bedrock => {
            openai::models::models(names, which, u64::try_from(now.millis() / 1_000).unwrap_or(0))
        }
    }
}
