//! Reads an answer: a whole body, or a stream up to its first event.

use std::sync::Arc;
use std::time::Duration;

use bedplate_core::call::{Headers, Operation};
use bedplate_core::content::Content;
use bedplate_pipeline::{Answer, AnswerBody, Metered};
use bedplate_wire::bedrock::Family;
use bedplate_wire::bedrock::usage::{self, Meter};
use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;

use super::flow::{First, open};
use super::headers::{end_to_end, error_name, request_id};
use crate::attempt::{Attempt, Wrong, whole};
use crate::metered::metered;
use crate::pool::{Lease, Pool};

/// What was asked, as far as reading the answer needs it.
pub(super) struct Asked {
    pub(super) operation: Operation,
    /// The model behind the target, which decides how bodies are read.
    pub(super) model: Arc<str>,
    pub(super) body_len: usize,
    /// The request's first slice: what is priced by what was asked is read from it.
    pub(super) body: Option<Bytes>,
    /// How long a whole answer may stand still once it has begun.
    pub(super) idle: Duration,
}

pub(super) async fn read(
    attempt: &mut Attempt,
    (pool, lease): (&Arc<Pool>, Lease),
    response: Response<Incoming>,
    asked: Asked,
) -> Result<Answer, Wrong> {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let family = Family::of(&asked.model);
    let request_id = request_id(&parts.headers);
    let mut headers = end_to_end(&parts.headers);
    if status == 200 && asked.operation.streams() {
        let kept = (Arc::clone(pool), lease);
        let mut meter = Meter::new(asked.operation, family);
        meter.headers(&headers);
        return match open(kept, body, (asked.operation, family), meter).await? {
            First::Event(flow) => {
                attempt.timings.first_token = Some(attempt.elapsed());
                let body = AnswerBody::Stream(flow);
                let timings = attempt.timings;
                Ok(Answer { status, headers, request_id, error: None, body, timings, dropped: Vec::new() })
            }
            First::Exception(exception) => {
                // an error before any content is an error, not a broken stream
                let content = Content::new(exception.body());
                headers = exception.headers(request_id.as_deref());
                attempt.timings.total = attempt.elapsed();
                Ok(Answer {
                    status: exception.status,
                    headers,
                    request_id,
                    error: Some(exception.name),
                    body: AnswerBody::Whole(content, Metered::default()),
                    timings: attempt.timings,
                    dropped: Vec::new(),
                })
            }
        };
    }
    let bytes = whole(body, asked.idle).await?;
    pool.give_back(lease);
    attempt.timings.total = attempt.elapsed();
    let error = if status >= 400 {
        Some(error_name(&parts.headers, &bytes).unwrap_or_else(|| format!("Http{status}")))
    } else {
        None
    };
    let metered =
        if error.is_some() { Metered::default() } else { metered_of(&asked, family, &headers, &bytes) };
    let body = AnswerBody::Whole(Content::new(bytes), metered);
    Ok(Answer { status, headers, request_id, error, body, timings: attempt.timings, dropped: Vec::new() })
}

fn metered_of(asked: &Asked, family: Family, headers: &Headers, bytes: &[u8]) -> Metered {
    if !asked.operation.metered() {
        return Metered::default();
    }
    let request = asked.body.as_deref().filter(|b| b.len() == asked.body_len).unwrap_or_default();
    metered(usage::answer(asked.operation, family, request, headers, bytes), family)
}
